package main

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"hafile/lang/diag"
	"hafile/runtime/sim"
)

// tested says how one run went: a line as TAP has it, and what does not hold.
func (v *view) tested(number int, t *tested, sources map[string][]byte) error {
	what := fmt.Sprintf("%s in %s, %s held", plural(t.Events, "event"), t.run.Until, plural(len(t.run.Asserts), "assertion"))
	if t.run.Until == 0 {
		what = plural(len(t.run.Asserts)+len(t.run.Expect), "claim") + " held"
	}
	if t.OK {
		v.line("%s %d - %s  # %s", v.paint(green, "ok"), number, t.Name, what)
		return nil
	}
	v.line("%s %d - %s  # %s", v.paint(red, "not ok"), number, t.Name, plural(len(t.Failures), "failure"))
	return v.diagnostics(t.Failures, sources)
}

// moment is a line of the timeline; TAP takes it as a comment.
func (v *view) moment(m sim.Moment) {
	at := fmt.Sprintf("# %9.3f s", m.At.Seconds())
	switch {
	case m.Node == "":
		v.line("%s  %s", at, v.paint(bold, "== "+m.Text))
	case m.Owned:
		v.line("%s  %-10s %s", at, m.Node, v.paint(cyan, m.Text))
	default:
		v.line("%s  %-10s %s", at, m.Node, m.Text)
	}
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class    string         `xml:"classname,attr"`
	Name     string         `xml:"name,attr"`
	File     string         `xml:"file,attr"`
	Failures []junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junit is the results as the machines of CI read them.
func junit(dir string, results []tested) []byte {
	s := junitSuite{Name: dir, Tests: len(results)}
	for _, t := range results {
		c := junitCase{Class: dir, Name: t.Name, File: t.File}
		if !t.OK {
			s.Failures++
		}
		for _, d := range t.Failures {
			c.Failures = append(c.Failures, junitFailure{Message: d.Summary, Type: d.Code, Text: junitText(d)})
		}
		s.Cases = append(s.Cases, c)
	}
	out, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("junit: " + err.Error()) // strings and numbers only
	}
	return append(append([]byte(xml.Header), out...), '\n')
}

func junitText(d diag.Diagnostic) string {
	var b bytes.Buffer
	if d.Range != nil {
		fmt.Fprintf(&b, "%s:%d:%d\n", d.Range.Filename, d.Range.Start.Line, d.Range.Start.Column)
	}
	b.WriteString(d.Detail)
	return b.String()
}

package schema

import (
	"fmt"
	"strings"
)

// Document is the table as `hafile schema -json` prints it: for editors, for the reference
// in docs/, and for completion.
type Document struct {
	FormatVersion string  `json:"format_version"`
	Language      int     `json:"language"`
	Blocks        []Shown `json:"blocks"`
}

// Shown is a block of the document.
type Shown struct {
	Name string `json:"name"`
	// Path is the block within its parents: "instance.vip".
	Path       string `json:"path"`
	Label      string `json:"label,omitempty"` // what its label is
	Doc        string `json:"doc"`
	Repeatable bool   `json:"repeatable,omitempty"`
	ForEach    bool   `json:"for_each,omitempty"`
	Self       bool   `json:"self,omitempty"` // `self` is known inside
	// Open: beside the arguments listed, any name may be an argument, as in locals.
	Open      bool       `json:"open,omitempty"`
	Arguments []ShownArg `json:"arguments,omitempty"`
	Blocks    []Shown    `json:"blocks,omitempty"`
}

// ShownArg is an argument of the document. Bounds of durations are milliseconds.
type ShownArg struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required,omitempty"`
	Min      *int64 `json:"min,omitempty"`
	Max      *int64 `json:"max,omitempty"`
	// Values are all that a string may be; References the kinds that may be named.
	Values     []string `json:"values,omitempty"`
	References []string `json:"references,omitempty"`
	Default    string   `json:"default,omitempty"`
	// SameOnAllMembers: the members of an instance must agree (HA1202).
	SameOnAllMembers bool   `json:"same_on_all_members,omitempty"`
	Sensitive        bool   `json:"sensitive,omitempty"`
	Doc              string `json:"doc"`
}

// NewDocument shows what this release knows; what a later one will know is left out.
func NewDocument(formatVersion string, language int) Document {
	return Document{FormatVersion: formatVersion, Language: language, Blocks: shown(&File, "")}
}

func shown(parent *Block, prefix string) []Shown {
	var out []Shown
	for _, b := range parent.Blocks {
		if b.Later {
			continue
		}
		s := Shown{
			Name: b.Name, Path: prefix + b.Name, Label: b.Label, Doc: b.Doc, Repeatable: b.Many, ForEach: b.ForEach,
			Self: b.Self || b.PerNode, Open: b.Name == "locals" || b.Name == "module",
		}
		for i := range b.Args {
			if a := &b.Args[i]; !a.Later && a.Wrong == "" {
				s.Arguments = append(s.Arguments, a.shown())
			}
		}
		s.Blocks = shown(b, s.Path+".")
		out = append(out, s)
	}
	return out
}

func (a *Arg) shown() ShownArg {
	s := ShownArg{
		Name: a.Name, Type: a.Kind.String(), Required: a.Required, Values: a.Enum, References: a.Refs, Default: a.Default,
		SameOnAllMembers: a.Same, Sensitive: a.Sensitive, Doc: a.Doc,
	}
	if a.Min != 0 || a.Max != 0 {
		s.Min, s.Max = &a.Min, &a.Max
	}
	return s
}

// Takes is what an argument takes, in a few words.
func (a ShownArg) Takes() string {
	switch {
	case len(a.Values) > 0:
		quoted := make([]string, len(a.Values))
		for i, v := range a.Values {
			quoted[i] = `"` + v + `"`
		}
		return strings.Join(quoted, ", ")
	case len(a.References) > 0:
		return a.Type + " to " + strings.Join(a.References, " or ")
	case a.Min != nil && a.Type == Duration.String():
		return fmt.Sprintf("%s, %s to %s", a.Type, span(*a.Min), span(*a.Max))
	case a.Min != nil:
		return fmt.Sprintf("%s, %d to %d", a.Type, *a.Min, *a.Max)
	}
	return a.Type
}

// Fallback is what holds where the argument is not written: a default, or "required".
func (a ShownArg) Fallback() string {
	if a.Required {
		return "required"
	}
	return a.Default
}

// span writes milliseconds as one would in a file.
func span(ms int64) string {
	switch {
	case ms == 0:
		return "0s"
	case ms%hour == 0:
		return fmt.Sprintf("%dh", ms/hour)
	case ms%1000 == 0:
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"hafile/lang/diag"
	"hafile/runtime/control"
)

// This file is the only one that prints. Its rules:
//
//   - What was asked for goes to standard output, everything about how it went to
//     standard error; with -json, standard output is JSON and nothing else.
//   - Colours only on a terminal, or where -color=always asks for them; NO_COLOR,
//     CLICOLOR_FORCE and TERM=dumb are heard.
//   - An error is one sentence in lower case, then the next step.
//   - A line that is rewritten appears on a terminal only.

// streams of a process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// view of one command.
type view struct {
	streams
	color    bool
	terminal bool // standard output is one
	width    int  // of the terminal; 0: do not wrap
	live     bool // a line stands that the next one overwrites
}

func (c *cli) view() *view {
	v := &view{streams: c.std}
	v.terminal, v.width = terminalOf(c.std.out)
	v.color = useColor(c.color, c.plain, v.terminal)
	return v
}

// terminalOf reports whether w is a terminal, and how wide.
func terminalOf(w io.Writer) (bool, int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	return true, width
}

// useColor is the order of precedence that people expect: options, then NO_COLOR
// (no-color.org), then CLICOLOR_FORCE, then the terminal.
func useColor(option string, plain, terminal bool) bool {
	switch {
	case plain || option == "never":
		return false
	case option == "always":
		return true
	case os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb":
		return false
	case os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0":
		return true
	}
	return terminal
}

// The colours by meaning.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (v *view) paint(code, s string) string {
	if !v.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// printf writes to standard output, line writes one line.
func (v *view) printf(format string, args ...any) {
	v.clearLive()
	fmt.Fprintf(v.out, format, args...)
}

func (v *view) line(format string, args ...any) { v.printf(format+"\n", args...) }

// note writes a line about how it goes to standard error.
func (v *view) note(format string, args ...any) {
	v.clearLive()
	fmt.Fprintf(v.err, format+"\n", args...)
}

// rewrite replaces the last line on a terminal; elsewhere it says nothing.
func (v *view) rewrite(format string, args ...any) {
	if !v.terminal {
		return
	}
	v.clearLive()
	fmt.Fprintf(v.out, format, args...)
	v.live = true
}

func (v *view) clearLive() {
	if v.live {
		v.live = false
		fmt.Fprint(v.out, "\r\x1b[K")
	}
}

// document writes a value as indented JSON.
func (v *view) document(value any) error {
	enc := json.NewEncoder(v.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// documentLine writes a value as one line of JSON.
func (v *view) documentLine(value any) error { return json.NewEncoder(v.out).Encode(value) }

// diagnostics writes what is wrong with somebody's files to standard error.
func (v *view) diagnostics(ds diag.Diagnostics, sources map[string][]byte) error {
	v.clearLive()
	_, width := terminalOf(v.err)
	if width == 0 {
		width = diag.PageWidth
	}
	return diag.Render(v.err, ds, diag.Options{Sources: sources, Color: v.color, Width: width, Limit: diagnosticsMax})
}

// diagnosticsMax is how many messages a screen is worth; JSON has them all.
const diagnosticsMax = 50

// failure says why a command ended and returns its exit code.
func (v *view) failure(err error) int {
	v.clearLive()
	var gone *control.Unreachable
	var refused *control.Problem
	var d *diagError
	switch {
	case errors.As(err, &d):
		_ = v.diagnostics(diag.Diagnostics{d.Diagnostic}, nil)
		return d.exit
	case errors.As(err, &refused):
		_ = v.diagnostics(diag.Diagnostics{{
			Severity: diag.Error, Code: refused.Code, Summary: refused.Summary, Detail: refused.Detail,
		}}, nil)
		return refused.Exit
	case errors.As(err, &gone):
		v.error(gone.Error())
		return exitUnreachable
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		p.Op = cmp.Or(callOf[p.Op], p.Op)
	}
	v.error(err.Error())
	return exitError
}

// callOf names the calls of confined reads as whoever typed the name knows them.
var callOf = map[string]string{"openat": "open", "statat": "stat", "lstatat": "stat", "readlinkat": "read"}

func (v *view) error(text string) {
	fmt.Fprintf(v.err, "%s %s\n", v.paint(red, "Error:"), text)
}

// diagError is a diagnostic that ends a command with a certain code.
type diagError struct {
	diag.Diagnostic
	exit int
}

func (d *diagError) Error() string { return d.Summary }

// ask puts a question to the person at the terminal; only "yes" is yes.
func (v *view) ask(question string) (bool, error) {
	v.printf("%s\n  Only \"yes\" is taken as yes: ", v.paint(bold, question))
	answer, err := bufio.NewReader(v.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.TrimSpace(answer) == "yes", nil
}

// interactive reports whether a person can be asked.
func (v *view) interactive() bool {
	f, ok := v.in.(*os.File)
	return ok && v.terminal && term.IsTerminal(int(f.Fd()))
}

// columns aligns rows of cells, two blanks between them; the last cell is not padded.
func columns(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-len([]rune(cell))+2))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// plural is "1 node", "2 nodes".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// Package render draws a plan document for people. What it shows is in the document,
// save for facts of the host, which come in as ready words; it computes no impact and
// asks nobody. JSON is the document itself, without the secrets in it.
package render

import (
	"io"
	"time"

	"hafile/lang/planfile"
)

// Mode is how much is shown.
type Mode int

const (
	Default Mode = iota // what changes, and how much does not
	Summary             // what changes, by name only
	Full                // every field, changed or not
)

// Options of the text form. The zero value is plain, unwrapped and without host facts.
type Options struct {
	Color bool
	Width int // of the terminal; 0: lines are not wrapped
	Mode  Mode
	Facts Facts
	// Location of the times that are shown; nil: UTC.
	Location *time.Location
	// Closing is what follows the last line: where the plan was saved, what to run next.
	Closing string
}

// Facts are findings about this host and its peers, as they are to be read.
type Facts struct {
	Host       string            // behind the node's name: "host name lb1"
	Running    string            // "running plan 41 (…)   VI_1 active for 3d4h"; empty: from the document
	Programs   map[string]string // by path: "found, root-owned, 0755"
	Interfaces map[string]string // by name: "up, 172.29.88.224/24"
	Peers      string            // a sentence: "Peer lb2 has not been seen."
}

// JSON writes the document, "(sensitive)" in the place of every secret.
func JSON(w io.Writer, d *planfile.Document) error { return planfile.WriteRedacted(w, d) }

// Text writes the document for people.
func Text(w io.Writer, d *planfile.Document, o Options) error {
	if o.Location == nil {
		o.Location = time.UTC
	}
	p := &printer{doc: d, o: o}
	p.header()
	p.changes()
	if o.Mode != Summary {
		p.between()
		p.diagnostics()
		p.safer()
		p.budgets()
	}
	p.closing()
	_, err := io.WriteString(w, p.b.String())
	return err
}

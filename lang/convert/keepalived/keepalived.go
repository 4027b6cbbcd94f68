package keepalived

import "hafile/lang/diag"

// File is one keepalived.conf. Node is the machine that it belongs to, as its host name
// or short name; "" lets Convert choose one. A file written for several machines with
// @id lines is given once for each of them: same Name and Src, another Node.
type File struct {
	Node, Name string
	Src        []byte
}

// Options of a conversion. The zero value is what `hafile convert` does without flags.
type Options struct {
	// EnableMail attaches the mail settings to every instance. Without it they are
	// attached where keepalived would send mail: where smtp_alert is on.
	EnableMail bool
	// InlineSecrets writes passwords into the result instead of references.
	InlineSecrets bool
	// Explicit writes defaults too, where the originals state them.
	Explicit bool
	// Split makes a file of each included one, beside the main result.
	Split bool
	// Annotate adds the verdict of what was not taken over as it stands as a comment.
	Annotate bool
	// Include finds what an include line of the file `from` names, in the order in which
	// keepalived reads it. nil: an include is reported and not followed.
	Include func(from, pattern string) []Included
	// OutName is the name of the result in reports and diagnostics; "keepalived.ha.hcl" if empty.
	OutName string
}

// Secret is a value that was taken out of the originals. Name is what the result calls
// it, credential("Name"); Node is the only machine that needs it, "" for all.
type Secret struct {
	Name  string
	Node  string
	Value []byte
}

// String keeps a secret out of logs.
func (s Secret) String() string { return s.Name + " (sensitive)" }

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return s.String() }

// Result of a conversion. HCL is complete and compiled if the diagnostics hold no error;
// otherwise it is the best that could be made of the files.
type Result struct {
	HCL []byte
	// Files stand beside the main one where Options.Split asks for it.
	Files   []OutFile
	Secrets []Secret
	// Rests is what keepalived goes on doing, for each node with LVS.
	Rests  []Rest
	Report Report
}

// Convert reads all files before it decides anything. Errors in the diagnostics mean
// that the result must not be used as it is; the report is complete in any case.
func Convert(files []File, opts Options) (Result, diag.Diagnostics) {
	return convert(files, opts)
}

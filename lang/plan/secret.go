package plan

import "fmt"

// Secret is a reference to a secret, or one that was written into the files. No
// format verb and no digest shows the value; only JSON carries it, because the
// daemon needs it, and a plan file refuses it unless told otherwise.
type Secret struct {
	Credential string `json:"credential,omitempty"` // a name in the credentials directory
	File       string `json:"file,omitempty"`       // a path on the node
	Value      string `json:"value,omitempty"`      // inline
}

// Redacted is what people see in the place of an inline secret.
const Redacted = "(sensitive)"

// String names the reference, never the value.
func (s Secret) String() string {
	switch {
	case s.Credential != "":
		return fmt.Sprintf("credential(%q)", s.Credential)
	case s.File != "":
		return fmt.Sprintf("secret_file(%q)", s.File)
	}
	return Redacted
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return s.String() }

// Inline reports whether the plan carries the value itself.
func (s Secret) Inline() bool { return s.Value != "" }

package plan

import (
	"fmt"
	"regexp"
)

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

// redact replaces an inline value by what people see in its place.
func (s *Secret) redact() {
	if s.Inline() {
		*s = Secret{Value: Redacted}
	}
}

// Redacted is the plan with "(sensitive)" in the place of every secret that it carries.
func (p *Plan) Redacted() *Plan {
	c := p.Clone()
	c.EachSecret(func(_ Addr, s *Secret) { s.redact() })
	c.eachHeaders(func(h map[string]string) {
		for name := range h {
			if SecretHeader(name) {
				h[name] = Redacted
			}
		}
	})
	return c
}

var secretHeader = regexp.MustCompile(`(?i)auth|token|secret|key|cookie|passw|session|signature`)

// SecretHeader reports whether a header of that name carries a secret, as far as a name
// can tell: Authorization, Cookie, X-Api-Key.
func SecretHeader(name string) bool { return secretHeader.MatchString(name) }

// eachHeaders visits the headers of every check and webhook.
func (p *Plan) eachHeaders(visit func(map[string]string)) {
	for i := range p.Desired.Checks {
		if h := p.Desired.Checks[i].HTTP; h != nil {
			visit(h.Headers)
		}
	}
	for i := range p.Desired.Notifies {
		if w := p.Desired.Notifies[i].Webhook; w != nil {
			visit(w.Headers)
		}
	}
}

// HeadersLeftOut reports whether the plan was written for eyes, without the headers that
// carry secrets.
func (p *Plan) HeadersLeftOut() bool {
	found := false
	p.eachHeaders(func(h map[string]string) {
		for name, value := range h {
			found = found || SecretHeader(name) && value == Redacted
		}
	})
	return found
}

// EachSecret visits every secret that the plan names or holds, with the address of the
// thing that needs it, in the order of the plan's lists.
func (p *Plan) EachSecret(visit func(Addr, *Secret)) {
	some := func(a Addr, s *Secret) {
		if *s != (Secret{}) {
			visit(a, s)
		}
	}
	for i := range p.Desired.Instances {
		if in := &p.Desired.Instances[i]; in.Auth != nil {
			for _, s := range in.Auth.secrets() {
				some(in.Address, s)
			}
		}
	}
	for i := range p.Desired.Notifies {
		if n := &p.Desired.Notifies[i]; n.Webhook != nil {
			some(n.Address, &n.Webhook.Token)
		}
	}
}

package planfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// SizeMax is the largest plan file that is read, in bytes: a thousand instances of ten
// addresses each are about a tenth of it.
const SizeMax = 32 << 20

// Write writes a document as JSON. A plan that carries a secret in clear is refused
// unless that is allowed; the file is then for its owner's eyes only (mode 0600), which
// is for the caller to see to.
func Write(w io.Writer, d *Document, inlineSecrets bool) error {
	if a := inlineSecret(&d.Plan, func(s plan.Secret) bool { return s.Inline() }); a != "" && !inlineSecrets {
		return &Problem{
			Code: CodeInlineSecret, Exit: ExitError,
			Summary: fmt.Sprintf("%s holds a secret in clear, which a plan file would show to everybody who can read it", a),
			Detail:  "write it as credential(\"NAME\") or secret_file(\"PATH\"), or use -allow-inline-secrets",
		}
	}
	return write(w, d)
}

// WriteRedacted writes a document for eyes, with "(sensitive)" in the place of every
// secret that it carries. Check refuses to apply the result if one was taken out.
func WriteRedacted(w io.Writer, d *Document) error {
	c := *d
	c.Plan = *d.Plan.Redacted()
	return write(w, &c)
}

func write(w io.Writer, d *Document) error {
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// Read reads a document. It is strict inside of `desired`, because a daemon must not run
// half of a plan, and ignores what it does not know elsewhere. The content must have
// the digest that it claims. What the plan says is not verified: see plan.Verify.
func Read(r io.Reader) (*Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, SizeMax+1))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if len(raw) > SizeMax {
		return nil, unreadable("it is larger than %d bytes", SizeMax)
	}
	if err := format(raw); err != nil {
		return nil, err
	}
	d := &Document{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, decoding(err)
	}
	// What was written for eyes lacks a part of its content; Check refuses to apply it.
	if got := d.Plan.Digest(); got != d.Digest && !d.Plan.HeadersLeftOut() {
		return nil, unreadable("its content has the digest %s and not %s, so it was changed by hand or damaged", short(got), short(d.Digest))
	}
	return d, nil
}

// format reads nothing but the version, so that a newer format is named as such and not
// by its first unknown field.
func format(raw []byte) error {
	var head struct {
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		if first := bytes.TrimSpace(raw); len(first) == 0 || first[0] != '{' {
			return unreadable("it is not JSON")
		}
		return decoding(err)
	}
	if head.FormatVersion == "" {
		return unreadable("it has no format_version")
	}
	ours, _, _ := strings.Cut(plan.FormatVersion, ".")
	if theirs, _, _ := strings.Cut(head.FormatVersion, "."); theirs != ours {
		return &Problem{
			Code: CodeOtherFormat, Exit: ExitError,
			Summary: fmt.Sprintf("this plan has format %q, this release reads %s.x", head.FormatVersion, ours),
			Detail:  "use the release that wrote it, or make the plan again with this one",
		}
	}
	return nil
}

func decoding(err error) *Problem {
	if strings.Contains(err.Error(), "unknown field") {
		return &Problem{
			Code: CodeOtherFormat, Exit: ExitError,
			Summary: "this plan asks for something that this release does not know",
			Detail:  fmt.Sprintf("%v; upgrade hafile here first", err),
		}
	}
	return unreadable("%v", err)
}

func unreadable(why string, args ...any) *Problem {
	return &Problem{
		Code: CodeUnreadable, Exit: ExitError,
		Summary: "this is not a plan file that can be used",
		Detail:  fmt.Sprintf(why, args...) + "; make one with hafile plan -out FILE",
	}
}

// inlineSecret is the first address with a secret that matches; empty if there is none.
func inlineSecret(p *plan.Plan, match func(plan.Secret) bool) plan.Addr {
	var found plan.Addr
	p.EachSecret(func(a plan.Addr, s *plan.Secret) {
		if found == "" && match(*s) {
			found = a
		}
	})
	return found
}

// Short is how people quote a digest: its first four digits.
func Short(digest string) string { return short(digest) }

func short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(4, len(hex))]
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Normalize sorts the lists whose order means nothing, so that equal plans are equal
// bytes. The order of VIPs is kept: it is their order in an advert (RFC 9568, 5.2.9). So
// is that of routes and rules: it is the order in which they are installed.
func (p *Plan) Normalize() {
	d := &p.Desired
	slices.SortFunc(d.Instances, func(a, b Instance) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(d.Groups, func(a, b Group) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(d.Checks, func(a, b Check) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(d.Notifies, func(a, b Notify) int { return cmp.Compare(a.Address, b.Address) })
	for i := range d.Instances {
		slices.SortFunc(d.Instances[i].Members, func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })
	}
}

// Digest names the content of a plan: sha256 over its canonical JSON without
// positions, with every inline secret replaced. The same content has the same digest
// whichever commit or release it came from.
func (p *Plan) Digest() string {
	c := p.Clone()
	c.Normalize()
	c.stripForDigest()
	raw, err := json.Marshal(c.Desired)
	if err != nil {
		panic(fmt.Sprintf("plan: a plan that cannot be written: %v", err))
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// stripForDigest removes what is not content: positions and inline secrets.
func (p *Plan) stripForDigest() {
	d := &p.Desired
	for i := range d.Instances {
		d.Instances[i].strip()
	}
	for i := range d.Groups {
		g := &d.Groups[i]
		g.Src, g.Via = Src{}, ""
		stripTrack(g.Track)
	}
	for i := range d.Checks {
		d.Checks[i].Src, d.Checks[i].Via = Src{}, ""
	}
	for i := range d.Notifies {
		n := &d.Notifies[i]
		n.Src, n.Via = Src{}, ""
		if n.Webhook != nil {
			n.Webhook.Token.redact()
		}
	}
}

func (i *Instance) strip() {
	i.Src, i.Via = Src{}, ""
	for k := range i.VIPs {
		i.VIPs[k].Src, i.VIPs[k].Via = Src{}, ""
	}
	for k := range i.Routes {
		i.Routes[k].Src = Src{}
	}
	for k := range i.Rules {
		i.Rules[k].Src = Src{}
	}
	stripTrack(i.Track)
	if i.Auth == nil {
		return
	}
	for _, s := range i.Auth.secrets() {
		s.redact()
	}
	for k := range i.Auth.Keys {
		i.Auth.Keys[k].Src = Src{}
	}
}

func stripTrack(ts []Track) {
	for k := range ts {
		ts[k].Src, ts[k].Via = Src{}, ""
	}
}

// Clone is a deep copy.
func (p *Plan) Clone() *Plan {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("plan: a plan that cannot be written: %v", err))
	}
	var c Plan
	if err := json.Unmarshal(raw, &c); err != nil {
		panic(fmt.Sprintf("plan: a plan that cannot be read back: %v", err))
	}
	return &c
}

// The aliases carry the fields and tags without the methods, or json would call the
// methods for ever.
type (
	instanceFields Instance
	checkFields    Check
	execFields     Exec
	emailFields    Email
	webhookFields  Webhook
)

func (i Instance) MarshalJSON() ([]byte, error) {
	return marshalSparse(instanceFields(i), instanceFields(DefaultInstance()))
}

func (i *Instance) UnmarshalJSON(raw []byte) error {
	f := instanceFields(DefaultInstance())
	if err := decodeStrict(raw, &f); err != nil {
		return err
	}
	*i = Instance(f)
	return nil
}

func (c Check) MarshalJSON() ([]byte, error) {
	return marshalSparse(checkFields(c), checkFields(DefaultCheck()))
}

func (c *Check) UnmarshalJSON(raw []byte) error {
	f := checkFields(DefaultCheck())
	if err := decodeStrict(raw, &f); err != nil {
		return err
	}
	*c = Check(f)
	return nil
}

func (e Exec) MarshalJSON() ([]byte, error) {
	return marshalSparse(execFields(e), execFields(DefaultExec()))
}

func (e *Exec) UnmarshalJSON(raw []byte) error {
	f := execFields(DefaultExec())
	if err := decodeStrict(raw, &f); err != nil {
		return err
	}
	*e = Exec(f)
	return nil
}

func (e Email) MarshalJSON() ([]byte, error) {
	return marshalSparse(emailFields(e), emailFields(DefaultEmail()))
}

func (e *Email) UnmarshalJSON(raw []byte) error {
	f := emailFields(DefaultEmail())
	if err := decodeStrict(raw, &f); err != nil {
		return err
	}
	*e = Email(f)
	return nil
}

func (w Webhook) MarshalJSON() ([]byte, error) {
	return marshalSparse(webhookFields(w), webhookFields(DefaultWebhook()))
}

func (w *Webhook) UnmarshalJSON(raw []byte) error {
	f := webhookFields(DefaultWebhook())
	if err := decodeStrict(raw, &f); err != nil {
		return err
	}
	*w = Webhook(f)
	return nil
}

// UnmarshalJSON refuses what this release does not know: a daemon must not run half of
// a plan that a newer release made.
func (d *Desired) UnmarshalJSON(raw []byte) error {
	type desiredFields Desired
	return decodeStrict(raw, (*desiredFields)(d))
}

// marshalSparse writes the fields of v that differ from the default, in the order of
// their names. Fields without a meaningful default are never equal to it, because a
// default leaves them empty and Verify refuses them empty.
func marshalSparse(v, def any) ([]byte, error) {
	fields, err := rawFields(v)
	if err != nil {
		return nil, err
	}
	defaults, err := rawFields(def)
	if err != nil {
		return nil, err
	}
	for name, raw := range fields {
		if bytes.Equal(raw, defaults[name]) {
			delete(fields, name)
		}
	}
	return json.Marshal(fields) // a map is written with sorted keys
}

func rawFields(v any) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	err = json.Unmarshal(raw, &fields)
	return fields, err
}

func decodeStrict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

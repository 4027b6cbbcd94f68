package runtime

import (
	"fmt"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/control"
	"hafile/runtime/store"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// codeKey: a secret is no key to sign with.
const codeKey = "HA3113"

var modes = map[string]wire.Mode{
	plan.HMACReceiveOnly: wire.ReceiveOnly, plan.HMACPermissive: wire.Permissive, plan.HMACEnforce: wire.Enforce,
}

// wrongKey says which secret of a plan is no key.
func wrongKey(p *plan.Plan, secrets store.Secrets) *control.Problem {
	for i := range p.Desired.Instances {
		in := &p.Desired.Instances[i]
		if in.Auth == nil || in.Auth.Type != plan.AuthHMAC {
			continue
		}
		for _, k := range in.Auth.Keys {
			if _, err := plan.KeyBytes(password(k.Key, secrets)); err != nil {
				return &control.Problem{
					Exit: 1, Code: codeKey, Summary: fmt.Sprintf("%s is no key to sign with (key %d of %s)", k.Key, k.ID, in.Address),
					Detail: "it " + err.Error() + "; put 32 to 64 random bytes there, or hex: and their digits, the same on all members, and apply again",
				}
			}
		}
	}
	return nil
}

// signing is what an instance does with signatures; nil without them. What it is made of
// was looked at before.
func (d *daemon) signing(in *plan.Instance, self string, secrets store.Secrets) *vrrp.Signing {
	if in.Auth == nil || in.Auth.Type != plan.AuthHMAC {
		return nil
	}
	var keys []*wire.Key
	for _, k := range in.Auth.Keys {
		raw, err := plan.KeyBytes(password(k.Key, secrets))
		if err != nil {
			continue
		}
		if key, err := wire.NewKey(k.ID, raw); err == nil {
			keys = append(keys, key)
		}
	}
	ring, err := wire.NewRing(in.Auth.ActiveKey, keys...)
	if err != nil {
		d.log.Error(in.Name+" does not sign", "error", err, "consequence", "members that enforce signatures do not hear it")
		return nil
	}
	last, err := d.sequences.Last(in.Wire().String())
	if err != nil {
		d.log.Warn("numbers of signatures begin at the clock", "instance", in.Address, "error", err)
	}
	s := &vrrp.Signing{Ring: ring, Senders: len(in.Peers(self)), After: wire.Sequence(last)}
	s.Protection.Mode = modes[in.Auth.Mode]
	if in.Auth.AntiReplay == plan.ReplayTime {
		s.Protection.Window = wire.DefaultWindow(time.Duration(in.AdvertMs) * time.Millisecond)
		if in.Auth.WindowMs != 0 {
			s.Protection.Window = time.Duration(in.Auth.WindowMs) * time.Millisecond
		}
	}
	return s
}

// reserve is called on the loop.
func (d *daemon) reserve(of plan.WireKey, upTo wire.Sequence) {
	d.sequences.Store(of.String(), uint64(upTo))
}

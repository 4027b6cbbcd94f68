package keepalived

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"hafile/lang/plan"
)

// hmacKey is one key of auth_hmac: a file on the node, or a value.
type hmacKey struct {
	id    int64
	file  string
	value []byte
	dir   *directive
}

// authentication settles who may speak. keepalived drops a password in silence where it
// cannot work, and where there are keys.
func (in *instance) authentication(lists []*directive) {
	var block, keys, typ, pass *directive
	for _, d := range lists {
		switch d.key() {
		case "auth_hmac":
			again(&keys, d)
		case "authentication":
			again(&block, d)
			in.m.inside(d, func(c *directive) {
				if c.missing() {
					return
				}
				if c.key() == "auth_type" {
					again(&typ, c)
				} else {
					again(&pass, c)
				}
			})
		}
	}
	signed := keys != nil && in.hmac(keys)
	if block == nil {
		return
	}
	v, _ := in.version()
	by, strict := in.strict()
	ignore := func(code, why string, args ...any) {
		block.whole(NoEffect, code, "keepalived drops it: "+why, args...)
	}
	kind := ""
	if typ != nil {
		kind = typ.arg(1)
	}
	switch {
	case signed:
		ignore("", "the keys of line %d take its place", keys.n)
	case typ == nil:
		ignore("HA4008", "it has no auth_type")
		block.warn("HA4008", 0, "Authentication without a type", "keepalived runs this instance without a password, and so does the result. Add auth_type PASS on every node if one was meant.")
	case kind != "PASS" && kind != "AH":
		ignore("HA4008", "%s is neither PASS nor AH", short(kind))
		typ.warn("HA4008", 1, "An unknown auth_type", "keepalived runs this instance without a password, and so does the result. Write auth_type PASS on every node if one was meant.")
	case pass == nil || pass.arg(1) == "":
		ignore("HA4008", "it has no auth_pass")
	case v == 3:
		ignore("", "version 3 has no passwords")
	case strict:
		ignore("HA4008", "line %d (strict) allows none", by.n)
		block.warn("HA4008", 0, "A password that is not used", "vrrp_strict (line %d) makes keepalived run without it, and so does the result. A peer that has the password is not understood.", by.n)
	case in.six():
		ignore("HA4008", "IPv6 has no passwords")
	default:
		in.pass(block, typ, pass, map[string]string{"PASS": plan.AuthPass, "AH": plan.AuthAH}[kind])
	}
}

func (in *instance) pass(block, typ, pass *directive, kind string) {
	block.say(Exact, "", "")
	typ.say(Exact, "", "")
	secret := []byte(pass.arg(1))
	if len(secret) > 8 {
		secret = secret[:8]
		pass.say(Changed, "HA2101", "keepalived uses only the first 8 bytes; so does the result")
	}
	// What follows without a blank may be the rest of the password that was meant.
	if line, end := pass.src.text(pass.n), pass.col+pass.length; pass.words[1].col >= 0 && end < len(line) && (line[end] == '#' || line[end] == '!') {
		if pass.trail != nil {
			pass.trail.text = " ********"
		}
		pass.say(Changed, "HA4008", "keepalived takes what follows the password for a comment; so does the result")
		pass.warn("HA4008", 1, "A comment begins inside of the password", "# and ! start a comment anywhere outside of quotes. keepalived uses what stands before it, and so does the result. Put the password into quotes if it is part of it.")
	}
	secret = bytes.TrimRight(secret, "\x00")
	pass.say(Exact, "", "")
	in.password = secret
	in.p.Auth = &plan.Auth{Type: kind}
	in.fields["auth.type"] = set(quote(kind), block, typ)
	in.fields["auth.password"] = set("", pass)
}

// hmac reads auth_hmac; false: keepalived runs without it.
func (in *instance) hmac(block *directive) bool {
	block.say(Exact, "", "")
	a := &plan.Auth{Type: plan.AuthHMAC, Mode: plan.HMACEnforce, AntiReplay: plan.ReplayTime}
	slots := map[string]*directive{}
	in.m.inside(block, func(d *directive) {
		switch {
		case d.missing():
		case d.key() == "key":
			in.hmacKey(d)
		default:
			old := slots[d.key()]
			again(&old, d)
			slots[d.key()] = d
		}
	})
	word := func(key string, of map[string]string, def string) string {
		d := slots[key]
		if d == nil {
			return def
		}
		v, ok := of[d.arg(1)]
		if !ok {
			d.badNumber("a word that it knows", def)
			return def
		}
		in.standard("auth."+key, d, quote(v), quote(def))
		return v
	}
	a.Mode = word("mode", map[string]string{"enforce": plan.HMACEnforce, "permissive": plan.HMACPermissive, "receive-only": plan.HMACReceiveOnly}, plan.HMACEnforce)
	if by, strict := in.strict(); strict && a.Mode != plan.HMACEnforce {
		slots["mode"].said = &verdict{NoEffect, "HA4008", fmt.Sprintf("line %d (strict) makes it enforce", by.n)}
		delete(in.fields, "auth.mode")
		a.Mode = plan.HMACEnforce
	}
	a.AntiReplay = word("anti_replay", map[string]string{"time": plan.ReplayTime, "monotonic": plan.ReplayMonotonic}, plan.ReplayTime)
	if d := slots["time_window"]; d != nil {
		if n, _, ok := number(d.arg(1)); ok && n >= 1 && n <= 300 {
			d.say(Exact, "", "")
			a.WindowMs = n * 1000
			in.fields["auth.window"] = set(duration(n*1000), d)
		} else {
			d.badNumber("seconds from 1 to 300", "its default")
		}
	}
	active := slots["active_key"]
	n := int64(0)
	if active != nil {
		n, _, _ = number(active.arg(1))
	}
	for _, k := range in.keys {
		if k.id == n {
			active.say(Exact, "", "")
			a.ActiveKey = uint8(n)
			in.fields["auth.active_key"] = set(fmt.Sprint(n), active)
			in.fields["auth.type"] = set(`"hmac"`, block)
			in.p.Auth = a
			return true
		}
	}
	block.warn("HA4008", 0, "auth_hmac without a key that signs", "active_key names no key that is good, so that keepalived runs this instance without any authentication, and so does the result. Write active_key with the number of a key of 32 to 64 bytes.")
	in.keys = nil
	for _, key := range []string{"auth.mode", "auth.anti_replay", "auth.window"} {
		delete(in.fields, key)
	}
	block.said = nil
	for _, d := range block.body {
		if d.said != nil && d.said.kind == Exact {
			d.said = nil
		}
	}
	block.whole(NoEffect, "HA4008", "active_key names no good key: keepalived runs without authentication; so does the result")
	return false
}

// hmacKey reads key ID VALUE. The value of hex:… goes into the credential as it stands:
// a key file may hold either, as with keepalived.
func (in *instance) hmacKey(d *directive) {
	id, _, ok := number(d.arg(1))
	k := hmacKey{id: id, dir: d}
	text := d.arg(2)
	bad := func(why string) {
		d.warn("HA4008", 1, "A key that is none", "%s; keepalived leaves it out, and so does the result.", upper(why))
		d.say(NoEffect, "HA4008", "%s: keepalived leaves it out; so does the result", why)
	}
	length := len(text)
	if digits, is := strings.CutPrefix(text, "hex:"); is {
		raw, err := hex.DecodeString(digits)
		if err != nil {
			bad("it is no even number of hexadecimal digits")
			return
		}
		length = len(raw)
	}
	switch {
	case !ok || id < 1 || id > 255:
		bad("its number is not 1 to 255")
		return
	case in.key(id) != nil:
		bad(fmt.Sprintf("line %d has number %d already", in.key(id).dir.n, id))
		return
	case strings.HasPrefix(text, "file:"):
		if k.file = strings.TrimPrefix(text, "file:"); !strings.HasPrefix(k.file, "/") || !plain(k.file) {
			d.say(Unsupported, "HA4008", "no absolute path")
			return
		}
	case length < 32 || length > 64:
		bad("it does not have 32 to 64 bytes")
		return
	default:
		k.value = []byte(text)
	}
	d.say(Exact, "", "")
	in.keys = append(in.keys, k)
}

func (in *instance) key(id int64) *hmacKey {
	for i := range in.keys {
		if in.keys[i].id == id {
			return &in.keys[i]
		}
	}
	return nil
}

package lang

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// The judgements here are of what is sound and does not do what is meant.

var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "env"}

var shellWords = []string{"|", "||", "&&", ";", "&", ">", ">>", "<", "2>&1", "2>/dev/null", ">/dev/null"}

// shellName is a variable as a shell would put its value there.
var shellName = regexp.MustCompile(`\$\{?[A-Za-z_][A-Za-z0-9_]*`)

// commandLine is HA1122: a program is run as it is, so that what a shell would take apart
// or put in stays as it stands.
func (c *compiler) commandLine(o *eval.Object, b *eval.Block, command []string) {
	if len(command) == 0 || slices.Contains(shells, path.Base(command[0])) {
		return
	}
	say := func(summary, detail string) {
		c.report(diag.Warning, "HA1122", b.At("command"), o.Addr, summary, detail)
	}
	for i, word := range command {
		shelled := slices.ContainsFunc(strings.Fields(word), func(w string) bool { return slices.Contains(shellWords, w) })
		switch fields := strings.Fields(word); {
		case shelled && (i == 0 || slices.Contains(shellWords, word)):
			say("the command has words for a shell, and there is none", `Write command = ["/bin/sh", "-c", "..."] with the whole line in the last element, or a program of its own.`)
		case len(fields) > 1 && (i == 0 || strings.HasPrefix(word, "-") && !strings.Contains(word, "=")):
			say(fmt.Sprintf("element %d of the command holds several words", i+1),
				fmt.Sprintf("There is no shell that takes them apart: the program would get them as one. Write one element per argument: command = [%s].", quotedWords(command)))
		case i > 0 && shellName.MatchString(word) && shellName.FindString(word) == word && strings.ToUpper(word) == word:
			say(fmt.Sprintf("%s is not expanded", word), "There is no shell: the program gets these letters. Write the value, or ${...} with a variable, a local or self.")
		default:
			continue
		}
		return
	}
}

func quotedWords(command []string) string {
	var out []string
	for _, w := range strings.Fields(strings.Join(command, " ")) {
		out = append(out, fmt.Sprintf("%q", w))
	}
	return strings.Join(out, ", ")
}

// account is HA1101 for a user with its group, as keepalived writes it.
func (c *compiler) account(o *eval.Object, b *eval.Block) {
	user := eval.Or(b, "user", "")
	if f := strings.Fields(user); len(f) > 1 {
		c.report(diag.Error, "HA1101", b.At("user"), o.Addr, "user is one account", fmt.Sprintf("keepalived takes a group behind it; here the groups are those of the account. Write user = %q.", f[0]))
	}
}

// processName is HA1122 for a process that is given with its arguments.
func (c *compiler) processName(o *eval.Object, b *eval.Block) {
	name := eval.Or(b, "name", "")
	if f := strings.Fields(name); len(f) > 1 {
		c.report(diag.Warning, "HA1122", b.At("name"), o.Addr, fmt.Sprintf("no program is called %q", name),
			fmt.Sprintf("The name stands without arguments. Write name = %q and args = [%s].", f[0], quotedWords(f[1:])))
	}
}

// idleDelay is HA1306: a wait before what never happens.
func (c *compiler) idleDelay(in *instance) {
	for i := range in.members {
		m := &in.members[i]
		if v, written := m.block("preempt_delay").Value("preempt_delay"); written && m.plan.PreemptDelayMs > 0 && !m.plan.Preempt {
			c.report(diag.Warning, "HA1306", v.Range, in.obj.Addr, fmt.Sprintf("preempt_delay does nothing in %s", in.obj.Addr),
				"With preempt = false nobody takes over from an active that lives, so that there is nothing to wait for. Take one of the two out.")
			return
		}
	}
}

// senders is HA1211 and HA1210: where the adverts of multicast come from.
func (c *compiler) senders(in *instance) {
	seen := map[netip.Addr]*member{}
	for i := range in.members {
		m := &in.members[i]
		a := m.plan.SourceAddress
		if !a.IsValid() || plan.FamilyOf(a) != m.plan.Family {
			continue
		}
		if first := seen[a]; first != nil && m.plan.Transport != plan.Unicast {
			c.report(diag.Warning, "HA1211", m.at("source_address"), in.obj.Addr, fmt.Sprintf("%s and %s send from one address, %s", first.name, m.name, a),
				fmt.Sprintf("Each would take the other's adverts for its own, and both turn active. Write member %q { source_address = \"...\" } for each, or leave it out: adverts come from the node's address.", m.name))
			return
		}
		seen[a] = m
		v, written := m.block("source_address").Value("source_address")
		if _, prefix := c.nodes[m.name].of(m.plan.Family); written && prefix.IsValid() && prefix.Bits() < a.BitLen() && !prefix.Contains(a) && !a.IsLinkLocalUnicast() {
			c.report(diag.Warning, "HA1210", v.Range, in.obj.Addr, fmt.Sprintf("%s of %s is not in its network %s", a, m.name, prefix),
				"Adverts come from an address of the interface; the others may not accept this one. Write an address of the node, or leave it out.")
			return
		}
	}
}

// networks is HA1209: an address that is no host's, or whose prefix is not the segment's.
func (c *compiler) networks(in *instance) {
	m := &in.members[0]
	for k, v := range m.vips {
		ip, prefix := c.nodes[m.name].of(plan.FamilyOf(v.IP))
		at := m.Whole.Of("vip")[k].At("address")
		for _, p := range []netip.Prefix{prefix, v.Prefix} {
			if p.IsValid() && p.Bits() < v.IP.BitLen()-1 && p.Masked().Addr() == v.IP {
				c.report(diag.Warning, "HA1209", at, in.obj.Addr, fmt.Sprintf("%s is the address of the network %s itself", v.IP, p.Masked()),
					"No machine has it, and many answer nobody who asks for it. Write the address of a host.")
				return
			}
		}
		if v.Prefix.IsValid() && prefix.IsValid() && v.Prefix.Bits() < v.IP.BitLen() && v.Prefix.Bits() != prefix.Bits() && v.Prefix.Contains(ip) && prefix.Contains(v.IP) {
			c.report(diag.Warning, "HA1209", at, in.obj.Addr, fmt.Sprintf("%s has the prefix /%d, and its network on %s /%d", v.IP, v.Prefix.Bits(), m.name, prefix.Bits()),
				fmt.Sprintf("Both say what the segment is. Write /%d, or leave the prefix out.", prefix.Bits()), diag.Related{Range: c.nodes[m.name].Range, Message: m.name + " is declared here"})
			return
		}
	}
}

// kindsUsed are what is of no effect where nothing names it.
var kindsUsed = []string{"script", "check", "notify"}

// unused is HA1403, of the root module: what comes with a module is not for the caller to
// take out. It gives back what nobody else would verify.
func (c *compiler) unused() []*eval.Object {
	named, disabled := c.named()
	disabled = disabled || len(c.instances) == 0 // half of a configuration: nothing is said
	var alone []*eval.Object
	for _, kind := range kindsUsed {
		for _, o := range c.e.All(kind) {
			if named[o.Addr] {
				continue
			}
			alone = append(alone, o)
			if disabled || len(o.Via) > 0 {
				continue // of a module, or of one key among several
			}
			cure := fmt.Sprintf("Write track { %s = %s } in an instance, or take it out.", kind, o.Addr)
			if kind == "notify" {
				cure = fmt.Sprintf("Write notify = [%s] in an instance, or take it out.", o.Addr)
			}
			c.idle(o.Range, o.Addr, fmt.Sprintf("nothing uses %s", o.Addr), "It does nothing as it stands. "+cure)
		}
	}
	for _, n := range c.res.Nodes {
		if o := c.byName[n.Name]; !disabled && !named[n.Address] && len(o.Via) == 0 {
			c.idle(n.Range, n.Address, fmt.Sprintf("%s is a member of nothing", n.Address),
				fmt.Sprintf("Its plan is empty. Write members = [..., %s] or member %q { } in an instance, or take it out.", n.Address, n.Name))
		}
	}
	return alone
}

// idle notes a warning for the case that there is no error: somebody who is half way
// through knows that not everything is in use yet.
func (c *compiler) idle(at diag.Range, a plan.Addr, summary, detail string) {
	c.idles = append(c.idles, diag.Diagnostic{Severity: diag.Warning, Code: "HA1403", Summary: summary, Detail: detail, Range: &at, Address: a})
}

// named are the addresses that instances and groups name, and whether an instance is
// disabled, which may name the rest.
func (c *compiler) named() (map[plan.Addr]bool, bool) {
	named := map[plan.Addr]bool{}
	note := func(b *eval.Block) {
		if b == nil {
			return
		}
		for _, r := range eval.Or(b, "notify", []schema.Reference(nil)) {
			named[r.To] = true
		}
		for _, t := range b.Of("track") {
			for _, kind := range []string{"script", "check"} {
				if r, ok := eval.Get[schema.Reference](t, kind); ok {
					named[r.To] = true
				}
			}
		}
	}
	for _, in := range c.instances {
		for i := range in.members {
			m := &in.members[i]
			named[c.nodes[m.name].Address] = true
			note(m.Whole)
			note(m.Own)
		}
	}
	for _, g := range c.groups {
		note(g.block)
	}
	return named, len(c.instances) < len(c.e.All("instance"))
}

// verifyAlone asks the rule book about what is in no plan: a mistake in a block that
// nobody uses yet is a mistake.
func (c *compiler) verifyAlone(alone []*eval.Object) {
	if len(alone) == 0 || len(c.res.Nodes) == 0 {
		return
	}
	n := c.res.Nodes[0]
	p := &plan.Plan{Language: plan.Language, Node: n.Name}
	for _, o := range alone {
		if o.Kind == "notify" {
			if note, ok := c.notify(o, c.byName[n.Name]); ok {
				p.Desired.Notifies = append(p.Desired.Notifies, note)
			}
			continue
		}
		if k, known := c.checks[o.Addr]; known {
			k.Src, k.Via = c.src(o.Range), c.via(o.Via)
			p.Desired.Checks = append(p.Desired.Checks, k)
		}
	}
	for _, problem := range plan.Verify(p) {
		d := c.problem(n, problem)
		d.Node = ""
		c.ds = append(c.ds, d)
	}
}

// nothing is HA1404.
func (c *compiler) nothing() {
	if len(c.m.Decls) > 0 || len(c.m.Locals) > 0 || c.m.Hafile != nil || len(c.m.Moved)+len(c.m.Removed) > 0 {
		return
	}
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: "HA1404", Summary: "the configuration is empty",
		Detail: `No file here declares anything. Write node and instance blocks; hafile init -from hafile/web-pair writes some to start from.`,
	}
	c.ds = append(c.ds, d)
}

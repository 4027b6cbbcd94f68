package lang

import (
	"fmt"
	"net/netip"
	"path"

	"hafile/lang/diag"
	"hafile/lang/eval"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// report adds a diagnostic about one place.
func (c *compiler) report(sev diag.Severity, code string, at diag.Range, a plan.Addr, summary, detail string, related ...diag.Related) {
	d := diag.Diagnostic{Severity: sev, Code: code, Summary: summary, Detail: detail, Address: a, Related: related}
	if at.Filename != "" {
		d.Range = &at
	}
	c.ds = append(c.ds, d)
}

// readNodes also finds two machines of one name or one address: the second would answer
// for the first.
func (c *compiler) readNodes() {
	addresses := map[netip.Addr]diag.Related{}
	for _, o := range c.e.All("node") {
		b := c.e.Block(o)
		if b == nil {
			continue
		}
		name := o.NodeName()
		if first, taken := c.nodes[name]; taken {
			c.report(diag.Error, "HA1006", o.Range, o.Addr, fmt.Sprintf("two nodes are called %q", name),
				"A node is called by its label, or by its key where for_each makes several. Rename one.", diag.Related{Range: first.Range, Message: "first declared here"})
			continue
		}
		n := Node{
			Name: name, Address: o.Addr, Range: o.Range,
			Match: eval.Or(b, "match", []string(nil)), Labels: eval.Or(b, "labels", map[string]string(nil)),
			Interface: eval.Or(b, "interface", ""),
		}
		n.IP, n.Prefix = c.nodeAddress(o, b, "address", plan.IPv4)
		n.IP6, _ = c.nodeAddress(o, b, "address6", plan.IPv6)
		c.globs(n, b)
		c.unique(n, b, addresses)
		c.nodes[name], c.byName[name] = n, o
		c.res.Nodes = append(c.res.Nodes, n)
	}
}

func (c *compiler) nodeAddress(o *eval.Object, b *eval.Block, arg string, want plan.Family) (netip.Addr, netip.Prefix) {
	a, ok := eval.Get[schema.AddressValue](b, arg)
	if !ok {
		return netip.Addr{}, netip.Prefix{}
	}
	if plan.FamilyOf(a.IP) != want {
		other := "address6"
		if want == plan.IPv6 {
			other = "address"
		}
		c.report(diag.Error, "HA1111", b.At(arg), o.Addr, fmt.Sprintf("%s is not an %s address", a.IP, want), fmt.Sprintf("Write it as %s.", other))
		return netip.Addr{}, netip.Prefix{}
	}
	return a.IP, a.Prefix
}

func (c *compiler) globs(n Node, b *eval.Block) {
	for _, g := range n.Match {
		if _, err := path.Match(g, ""); err != nil {
			c.report(diag.Error, "HA1101", b.At("match"), n.Address, fmt.Sprintf("%q is not a pattern", g), "Patterns have * and ? and [a-z]; each [ needs its ].")
		}
	}
}

func (c *compiler) unique(n Node, b *eval.Block, seen map[netip.Addr]diag.Related) {
	for arg, ip := range map[string]netip.Addr{"address": n.IP, "address6": n.IP6} {
		if !ip.IsValid() {
			continue
		}
		if first, taken := seen[ip]; taken {
			c.report(diag.Error, "HA1206", b.At(arg), n.Address, fmt.Sprintf("%s has the address %s, as another node", n.Address, ip),
				"Each machine needs its own: adverts come from it, and the higher one wins between equals. Correct one of them.", first)
			continue
		}
		seen[ip] = diag.Related{Range: b.At(arg), Message: fmt.Sprintf("%s has it here", n.Address)}
	}
}

func (c *compiler) readScripts() {
	for _, o := range c.e.All("script") {
		b := c.e.Block(o)
		if b == nil {
			continue
		}
		k := plan.DefaultCheck()
		k.Address, k.Name = o.Addr, o.Addr.Name()
		k.IntervalMs = eval.Or(b, "interval", k.IntervalMs)
		k.TimeoutMs = eval.Or(b, "timeout", k.IntervalMs)
		k.Fall = int(eval.Or(b, "fall", int64(k.Fall)))
		k.Rise = int(eval.Or(b, "rise", int64(k.Rise)))
		k.Script = &plan.Script{
			Command: eval.Or(b, "command", []string(nil)), User: eval.Or(b, "user", ""), Env: eval.Or(b, "env", map[string]string(nil)),
		}
		c.checks[o.Addr] = k
		c.weights[o.Addr] = int(eval.Or(b, "weight", int64(0)))
		c.outlasts(o, b, k)
	}
}

// outlasts is HA1303. A run that may outlive its interval is followed at once by the
// next, so that the death is noticed later than interval and fall let one hope.
func (c *compiler) outlasts(o *eval.Object, b *eval.Block, k plan.Check) {
	if k.TimeoutMs <= k.IntervalMs {
		return
	}
	hoped := plan.Check{IntervalMs: k.IntervalMs, TimeoutMs: k.IntervalMs, Fall: k.Fall}
	c.report(diag.Warning, "HA1303", b.At("timeout"), o.Addr, fmt.Sprintf("%s can outlast its interval", o.Addr),
		fmt.Sprintf("A run may take %s and one should start every %s: a death is noticed after up to %s, not %s. Write a timeout of at most %s, or a longer interval.",
			ms(k.TimeoutMs), ms(k.IntervalMs), ms(k.DetectMs()), ms(hoped.DetectMs()), ms(k.IntervalMs)))
}

// ms writes milliseconds for people.
func ms(n int64) string {
	if n%1000 == 0 {
		return fmt.Sprintf("%d s", n/1000)
	}
	if n < 1000 {
		return fmt.Sprintf("%d ms", n)
	}
	return fmt.Sprintf("%.1f s", float64(n)/1000)
}

// readNotifies decodes each once, so that mistakes show even where nobody uses it.
func (c *compiler) readNotifies() {
	var first *eval.Object // without nodes, what mentions self says that it is not known
	if len(c.res.Nodes) > 0 {
		first = c.byName[c.res.Nodes[0].Name]
	}
	for _, o := range c.e.All("notify") {
		c.e.BlockFor(o, first)
	}
}

func (c *compiler) notify(o *eval.Object, node *eval.Object) (plan.Notify, bool) {
	b := c.e.BlockFor(o, node)
	if b == nil {
		return plan.Notify{}, false
	}
	n := plan.Notify{Address: o.Addr, Src: c.src(o.Range), On: eval.Or(b, "on", []string(nil))}
	if x := b.One("exec"); x != nil {
		e := plan.DefaultExec()
		e.Command, e.User = eval.Or(x, "command", []string(nil)), eval.Or(x, "user", "")
		e.TimeoutMs = eval.Or(x, "timeout", e.TimeoutMs)
		n.Exec = &e
	}
	if x := b.One("email"); x != nil {
		e := plan.DefaultEmail()
		e.To, e.From = eval.Or(x, "to", []string(nil)), eval.Or(x, "from", "")
		e.Relay = eval.Or(x, "relay", "127.0.0.1:25")
		e.TimeoutMs = eval.Or(x, "timeout", e.TimeoutMs)
		n.Email = &e
	}
	return n, true
}

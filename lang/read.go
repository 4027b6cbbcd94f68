package lang

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

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
			Interface: eval.Or(b, "interface", ""), Netns: eval.Or(b, "netns", ""),
			SSH: eval.Or(b, "ssh", ""), Status: eval.Or(b, "status", ""), Speaks: eval.Or(b, "speaks", ""),
		}
		if n.Speaks == "hafile" {
			n.Speaks = ""
		}
		n.IP, n.Prefix = c.nodeAddress(o, b, "address", plan.IPv4)
		n.IP6, n.Prefix6 = c.nodeAddress(o, b, "address6", plan.IPv6)
		c.statusAddress(n, b)
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

func (c *compiler) statusAddress(n Node, b *eval.Block) {
	if n.Status == "" {
		return
	}
	if wrong := plan.StatusWrong(n.Status); wrong != "" {
		c.report(diag.Error, "HA1116", b.At("status"), n.Address, fmt.Sprintf("%q %s", n.Status, wrong),
			`Write status = "192.0.2.11:7112", or "[2001:db8::11]:7112".`)
	}
}

func (c *compiler) globs(n Node, b *eval.Block) {
	for _, g := range n.Match {
		if _, err := path.Match(g, ""); err != nil {
			c.report(diag.Error, "HA1101", b.At("match"), n.Address, fmt.Sprintf("%q is not a pattern", g), "Patterns have * and ? and [a-z]; each [ needs its ].")
		}
	}
}

func (c *compiler) unique(n Node, b *eval.Block, seen map[netip.Addr]diag.Related) {
	for i, ip := range []netip.Addr{n.IP, n.IP6} {
		if !ip.IsValid() {
			continue
		}
		arg := []string{"address", "address6"}[i]
		if first, taken := seen[ip]; taken {
			c.report(diag.Error, "HA1206", b.At(arg), n.Address, fmt.Sprintf("%s has the address %s, as another node", n.Address, ip),
				"Each machine needs its own: adverts come from it, and the higher one wins between equals. Correct one of them.", first)
			continue
		}
		seen[ip] = diag.Related{Range: b.At(arg), Message: fmt.Sprintf("%s has it here", n.Address)}
	}
}

// readChecks reads scripts and checks: they differ in what is asked, and nothing else.
func (c *compiler) readChecks() {
	for _, kind := range []string{"script", "check"} {
		for _, o := range c.e.All(kind) {
			b := c.e.Block(o)
			if b == nil {
				continue
			}
			k := plan.DefaultCheck()
			k.Address, k.Name = o.Addr, c.name(o)
			k.IntervalMs = eval.Or(b, "interval", k.IntervalMs)
			k.TimeoutMs = eval.Or(b, "timeout", k.IntervalMs)
			k.Fall = int(eval.Or(b, "fall", int64(k.Fall)))
			k.Rise = int(eval.Or(b, "rise", int64(k.Rise)))
			k.OnFail = eval.Or(b, "on_fail", k.OnFail)
			if kind == "script" {
				k.Script = &plan.Script{
					Command: eval.Or(b, "command", []string(nil)), User: eval.Or(b, "user", ""), Env: eval.Or(b, "env", map[string]string(nil)),
				}
				c.writable(o, b, "command", k.Script.Command)
				c.commandLine(o, b, k.Script.Command)
				c.account(o, b)
			} else {
				probe(&k, b)
				c.oneProbe(o, b, &k)
				c.processName(o, b.One("process"))
			}
			c.checks[o.Addr] = k
			c.weights[o.Addr] = int(eval.Or(b, "weight", int64(0)))
			c.outlasts(o, b, k)
		}
	}
}

// name is what programs and mails call a thing: its own name, with the call before it
// where it stands in a module.
func (c *compiler) name(o *eval.Object) string {
	name := o.Addr.Name()
	within := strings.TrimSuffix(string(o.Addr), "."+o.Addr.Kind()+"."+name)
	if within == string(o.Addr) {
		return name
	}
	return strings.ReplaceAll(within, "module.", "") + "." + name
}

// oneProbe is HA1118 where a check has none of its blocks, or two.
func (c *compiler) oneProbe(o *eval.Object, b *eval.Block, k *plan.Check) {
	kinds := k.Kinds()
	if len(kinds) == 1 {
		return
	}
	what := "asks nothing"
	if len(kinds) > 1 {
		what = "asks several things: " + strings.Join(kinds, ", ")
	}
	c.report(diag.Error, "HA1118", b.Range, o.Addr, fmt.Sprintf("%s %s", o.Addr, what),
		"A check has exactly one of http { }, tcp { }, process { }, file { }, ping { } and dns { }. Several probes are several checks, tracked each.")
}

// probe fills in what a check asks.
func probe(k *plan.Check, b *eval.Block) {
	if x := b.One("http"); x != nil {
		k.HTTP = &plan.HTTP{
			URL: eval.Or(x, "url", ""), Method: eval.Or(x, "method", "GET"), Contains: eval.Or(x, "contains", ""),
			Headers: eval.Or(x, "headers", map[string]string(nil)), ServerName: eval.Or(x, "server_name", ""),
			CAFile: eval.Or(x, "ca_file", ""), Insecure: eval.Or(x, "insecure", false),
		}
		for _, code := range eval.Or(x, "expect", []int64(nil)) {
			k.HTTP.Expect = append(k.HTTP.Expect, int(code))
		}
	}
	if x := b.One("tcp"); x != nil {
		k.TCP = &plan.TCP{Address: eval.Or(x, "address", ""), Send: eval.Or(x, "send", ""), Contains: eval.Or(x, "contains", "")}
	}
	if x := b.One("process"); x != nil {
		k.Process = &plan.Process{
			Name: eval.Or(x, "name", ""), Args: eval.Or(x, "args", []string(nil)),
			Min: int(eval.Or(x, "min", int64(1))), Max: int(eval.Or(x, "max", int64(0))),
		}
	}
	if x := b.One("file"); x != nil {
		k.File = &plan.File{
			Path: eval.Or(x, "path", ""), Absent: eval.Or(x, "absent", false), Contains: eval.Or(x, "contains", ""),
			MaxAgeMs: eval.Or(x, "max_age", int64(0)), Value: eval.Or(x, "value", false),
		}
	}
	if x := b.One("ping"); x != nil {
		a, _ := eval.Get[schema.AddressValue](x, "address")
		k.Ping = &plan.Ping{Address: a.IP, Interface: eval.Or(x, "interface", "")}
	}
	if x := b.One("dns"); x != nil {
		k.DNS = &plan.DNS{
			Server: eval.Or(x, "server", ""), Name: eval.Or(x, "name", ""), Type: eval.Or(x, "type", "A"),
			Expect: eval.Or(x, "expect", []string(nil)),
		}
	}
}

// shared are directories in which everybody may put a program in the place of another.
var shared = []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/home/", "/run/user/"}

// writable is HA2201, as far as a path alone tells; the node looks at the file.
func (c *compiler) writable(o *eval.Object, b *eval.Block, arg string, command []string) {
	if len(command) == 0 {
		return
	}
	for _, dir := range shared {
		if strings.HasPrefix(path.Clean(command[0]), dir) {
			c.report(diag.Warning, "HA2201", b.At(arg), o.Addr, fmt.Sprintf("%s stands where others than root can write", command[0]),
				fmt.Sprintf("Whoever can replace it decides who has the addresses. Install it outside of %s, owned by root, as in /etc/hafile.", strings.TrimSuffix(dir, "/")))
		}
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
		if b := c.e.BlockFor(o, first); b != nil {
			if x := b.One("exec"); x != nil {
				c.writable(o, x, "command", eval.Or(x, "command", []string(nil)))
				c.commandLine(o, x, eval.Or(x, "command", []string(nil)))
				c.account(o, x)
			}
			c.openSecrets(o, b.One("webhook"))
		}
	}
}

// openSecrets is HA2104 for what a webhook sends to be let in.
func (c *compiler) openSecrets(o *eval.Object, b *eval.Block) {
	cure := fmt.Sprintf("It would be in version control and in the plan. Write token = credential(%q), which is sent as Authorization: Bearer, and put the value into %s/%[1]s of each node, mode 0600.", "hook-"+o.Label, credentials)
	if t, ok := eval.Get[plan.Secret](b, "token"); ok && t.Inline() {
		if v, _ := b.Value("token"); !v.FromSecret {
			c.report(diag.Warning, "HA2104", v.Range, o.Addr, "the token stands in the file", cure)
		}
	}
	headers := eval.Or(b, "headers", map[string]string(nil))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if plan.SecretHeader(name) {
			c.report(diag.Warning, "HA2104", b.At("headers"), o.Addr, fmt.Sprintf("the header %s stands in the file", name), cure)
			return
		}
	}
}

func (c *compiler) notify(o *eval.Object, node *eval.Object) (plan.Notify, bool) {
	b := c.e.BlockFor(o, node)
	if b == nil {
		return plan.Notify{}, false
	}
	n := plan.Notify{Address: o.Addr, Src: c.src(o.Range), Via: c.via(o.Via), On: eval.Or(b, "on", []string(nil))}
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
	if x := b.One("webhook"); x != nil {
		w := plan.DefaultWebhook()
		w.URL, w.Token = eval.Or(x, "url", ""), eval.Or(x, "token", plan.Secret{})
		w.Headers, w.CAFile = eval.Or(x, "headers", map[string]string(nil)), eval.Or(x, "ca_file", "")
		w.TimeoutMs = eval.Or(x, "timeout", w.TimeoutMs)
		n.Webhook = &w
	}
	return n, true
}

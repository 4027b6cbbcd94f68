package plan

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// checkKinds are what the address of a check begins with: scripts and checks have a
// block, the rest is watched where it is tracked.
var checkKinds = []string{"script", "check", "interface", "route", "instance"}

func (v *verifier) check(c *Check) {
	if c.Instance == nil { // the instance has the address already
		v.address(c.Address, checkKinds, c.Src)
	}
	kinds := c.Kinds()
	switch {
	case len(kinds) == 0 && c.Address.Kind() == "script":
		v.add("HA1104", c.Address, "command", c.Src, "a script needs a command")
	case len(kinds) != 1:
		v.add("HA1118", c.Address, "http", c.Src, "a check has exactly one of http, tcp, process, file, ping and dns, got %d", len(kinds))
	}
	v.word(c.Address, "on_fail", c.OnFail, c.Src, OnFailHandOver, OnFailRelease)
	if !c.Watched() {
		v.bounds(c.Address, "interval", c.Src, c.IntervalMs, 10, 86400000, " ms")
		v.bounds(c.Address, "timeout", c.Src, c.TimeoutMs, 10, 86400000, " ms")
		v.bounds(c.Address, "fall", c.Src, int64(c.Fall), 1, 1000, "")
		v.bounds(c.Address, "rise", c.Src, int64(c.Rise), 1, 1000, "")
	}
	v.probe(c)
}

func (v *verifier) probe(c *Check) {
	if c.Script != nil {
		v.command(c.Address, c.Script.Command, c.Src)
	}
	if c.HTTP != nil {
		v.http(c)
	}
	if t := c.TCP; t != nil {
		v.endpoint(c, "tcp.address", t.Address)
	}
	if p := c.Process; p != nil {
		v.process(c, p)
	}
	if c.File != nil {
		v.file(c)
	}
	if p := c.Ping; p != nil {
		if !p.Address.IsValid() || p.Address.IsUnspecified() || p.Address.IsMulticast() {
			v.add("HA1116", c.Address, "ping.address", c.Src, "%s cannot be asked", p.Address)
			v.cure("Write the address of one machine.")
		}
		if p.Interface != "" {
			v.device(c.Address, "ping.interface", p.Interface, c.Src)
		}
	}
	if c.DNS != nil {
		v.dns(c)
	}
	if i := c.Interface; i != nil {
		v.device(c.Address, "interface", i.Name, c.Src)
	}
	if r := c.Route; r != nil && r.To != r.To.Masked() {
		v.add("HA1116", c.Address, "route", c.Src, "%s has bits beyond its prefix: write %s", r.To, r.To.Masked())
	}
	if i := c.Instance; i != nil && v.plan.Desired.Instance(i.Address) == nil {
		v.add("HA1003", c.Address, "instance", c.Src, "%s has no %s", v.plan.Node, i.Address)
		v.cure("Track an instance that has the same members.")
	}
}

func (v *verifier) http(c *Check) {
	h := c.HTTP
	v.url(c.Address, "http.url", h.URL, c.Src)
	v.word(c.Address, "http.method", h.Method, c.Src, "GET", "HEAD", "OPTIONS")
	for _, code := range h.Expect {
		v.bounds(c.Address, "http.expect", c.Src, int64(code), 100, 599, "")
	}
	if h.Method == "HEAD" && h.Contains != "" {
		v.add("HA1118", c.Address, "http.contains", c.Src, "needs an answer with a body, and HEAD has none")
		v.cure("Write method = \"GET\", or leave contains out.")
	}
	v.headers(c.Address, h.Headers, c.Src)
	if h.CAFile != "" && !filepath.IsAbs(h.CAFile) {
		v.add("HA1105", c.Address, "http.ca_file", c.Src, "%q must be an absolute path", h.CAFile)
		v.cure("Write the whole path, as it is on the node.")
	}
}

// endpoint takes no name: a check that waits for a resolver measures the resolver.
func (v *verifier) endpoint(c *Check, path, s string) {
	if a, err := netip.ParseAddrPort(s); err != nil || a.Port() == 0 {
		v.add("HA1116", c.Address, path, c.Src, "%q is not ADDRESS:PORT", s)
		v.cure("Write an address and a port, \"127.0.0.1:443\" or \"[::1]:443\": a name would test the resolver too.")
	}
}

func (v *verifier) process(c *Check, p *Process) {
	if p.Name == "" || strings.ContainsAny(p.Name, "/\x00") {
		v.add("HA1118", c.Address, "process.name", c.Src, "%q is not the name of a program, without its directory", p.Name)
		v.cure("Write name = %q.", filepath.Base(p.Name))
	}
	v.bounds(c.Address, "process.min", c.Src, int64(p.Min), 0, 65535, "")
	v.bounds(c.Address, "process.max", c.Src, int64(p.Max), 0, 65535, "")
	if p.Max != 0 && p.Max < p.Min {
		v.add("HA1118", c.Address, "process.max", c.Src, "is below min: the check would always fail")
		v.cure("Write max = %d or more, or leave it out.", p.Min)
	}
}

func (v *verifier) file(c *Check) {
	f := c.File
	if !filepath.IsAbs(f.Path) {
		v.add("HA1105", c.Address, "file.path", c.Src, "%q must be an absolute path", f.Path)
		v.cure("Write the whole path, as it is on the node: path = %q.", "/"+f.Path)
	}
	v.bounds(c.Address, "file.max_age", c.Src, f.MaxAgeMs, 0, 366*86400000, " ms")
	if f.Absent && (f.Contains != "" || f.MaxAgeMs != 0 || f.Value) {
		v.add("HA1118", c.Address, "file.absent", c.Src, "stands alone: a file that is not there holds nothing")
		v.cure("Leave absent out, or the other conditions.")
	}
	if f.Value && (f.Contains != "" || f.MaxAgeMs != 0) {
		v.add("HA1118", c.Address, "file.value", c.Src, "stands alone: the number is all that counts")
		v.cure("Leave value out, or the other conditions.")
	}
}

func (v *verifier) dns(c *Check) {
	v.endpoint(c, "dns.server", c.DNS.Server)
	if c.DNS.Name == "" || len(c.DNS.Name) > 253 || strings.ContainsAny(c.DNS.Name, " \t\n") {
		v.add("HA1118", c.Address, "dns.name", c.Src, "%q is not a name", c.DNS.Name)
	}
	v.word(c.Address, "dns.type", c.DNS.Type, c.Src, "A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
}

func (v *verifier) url(a Addr, path, s string, src Src) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		v.add("HA1119", a, path, src, "is not an address of http:// or https://")
		v.cure("Write it whole, such as \"http://127.0.0.1:8080/health\".")
	case u.User != nil:
		v.add("HA1119", a, path, src, "holds a password: it would be shown with the plan")
		v.cure("Leave it out of the address: a webhook has token = credential(\"NAME\").")
	}
}

// headers refuses what would end a header early.
func (v *verifier) headers(a Addr, headers map[string]string, src Src) {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, ": \t\r\n") || strings.ContainsAny(headers[name], "\r\n") {
			v.add("HA1119", a, "headers", src, "%q is not a header", headerName(name))
			v.cure("A name has letters, digits and dashes, and a value is one line.")
		}
	}
}

// headerName is what stands before a colon: who writes a whole header as a name writes
// its value, too.
func headerName(s string) string {
	name, _, _ := strings.Cut(s, ":")
	return name
}

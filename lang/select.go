package lang

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"hafile/lang/diag"
)

// HostFacts is what a machine knows of itself.
type HostFacts struct {
	Name      string       // its host name
	Addresses []netip.Addr // on its interfaces
}

// SelectNode says which node a machine is: the one that was named (-node, else
// $HAFILE_NODE), else exactly one whose match or name fits the host name, else exactly
// one whose address is on a local interface. It never guesses: none or several is an
// error that lists every candidate and why it fits or not.
func (r *Result) SelectNode(explicit string, host HostFacts) (string, *diag.Diagnostic) {
	if explicit != "" {
		return r.named(explicit)
	}
	byName := r.nodesThat(func(n Node) bool { return n.fitsName(host.Name) })
	if len(byName) == 1 {
		return byName[0], nil
	}
	byAddress := r.nodesThat(func(n Node) bool { return n.fitsAddress(host.Addresses) })
	if len(byName) == 0 && len(byAddress) == 1 {
		return byAddress[0], nil
	}
	summary := "no node fits this machine"
	if len(byName)+len(byAddress) > 0 {
		summary = "several nodes fit this machine"
	}
	lines := []string{fmt.Sprintf("The host name is %q.", host.Name)}
	for _, n := range r.Nodes {
		lines = append(lines, "  "+n.describe(host))
	}
	if len(r.Nodes) == 0 {
		lines = append(lines, "  The files declare no node.")
	}
	lines = append(lines, "Say which one with -node NAME, or write the host name in the node's match.")
	return "", &diag.Diagnostic{Severity: diag.Error, Code: "HA1017", Summary: summary, Detail: strings.Join(lines, "\n")}
}

func (r *Result) named(name string) (string, *diag.Diagnostic) {
	var names []string
	for _, n := range r.Nodes {
		if n.Name == name {
			return name, nil
		}
		names = append(names, n.Name)
	}
	detail := fmt.Sprintf("Declared are %s.", strings.Join(names, ", "))
	if near := diag.Nearest(name, names); near != "" {
		detail = fmt.Sprintf("Did you mean %q? %s", near, detail)
	}
	if len(names) == 0 {
		detail = "The files declare no node: write node \"" + name + "\" { address = \"...\" }."
	}
	return "", &diag.Diagnostic{Severity: diag.Error, Code: "HA1017", Summary: fmt.Sprintf("there is no node %q", name), Detail: detail}
}

func (r *Result) nodesThat(fits func(Node) bool) []string {
	var names []string
	for _, n := range r.Nodes {
		if fits(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// fitsName compares without case, as DNS does; a name also fits the first label of a
// fully qualified host name.
func (n Node) fitsName(host string) bool {
	if host == "" {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	short, _, _ := strings.Cut(host, ".")
	name := strings.ToLower(n.Name)
	if name == host || name == short {
		return true
	}
	return slices.ContainsFunc(n.Match, func(glob string) bool {
		ok, err := path.Match(strings.ToLower(glob), host)
		return err == nil && ok
	})
}

func (n Node) fitsAddress(local []netip.Addr) bool {
	return n.IP.IsValid() && slices.Contains(local, n.IP) || n.IP6.IsValid() && slices.Contains(local, n.IP6)
}

func (n Node) describe(host HostFacts) string {
	var why []string
	switch {
	case n.fitsName(host.Name):
		why = append(why, "fits the host name")
	case len(n.Match) > 0:
		why = append(why, fmt.Sprintf("neither its name nor match %q fits the host name", n.Match))
	default:
		why = append(why, "its name is not the host name and it has no match")
	}
	switch {
	case n.fitsAddress(host.Addresses):
		why = append(why, fmt.Sprintf("its address %s is on this machine", n.IP))
	case n.IP.IsValid():
		why = append(why, fmt.Sprintf("its address %s is not on this machine", n.IP))
	default:
		why = append(why, "it has no address")
	}
	return fmt.Sprintf("%-12s %s", n.Name, strings.Join(why, "; "))
}

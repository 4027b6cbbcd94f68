package keepalived

import (
	"bytes"
	"fmt"
	"slices"
)

// vrrpBlocks are the blocks that keepalived's checkers skip.
var vrrpBlocks = []string{
	"vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process", "track_group", "static_ipaddress", "static_routes",
	"static_rules", "garp_group", "linkbeat_interfaces", "interface_up_down_delays",
}

// hasLVS reports whether the machine's file has a part that keepalived keeps.
func (m *machine) hasLVS() bool {
	return slices.ContainsFunc(m.root.body, func(d *directive) bool {
		return d.key() == "virtual_server" || d.key() == "virtual_server_group"
	})
}

// lvs is what remains of the machine's file for keepalived -C: everything but the blocks of
// VRRP, line by line as it stands, with the files that it includes in their place.
func (m *machine) lvs() []byte {
	drop := map[place]bool{}
	keep := map[place]bool{}
	includes := map[place]bool{}
	for _, d := range m.root.body {
		gone := slices.Contains(vrrpBlocks, d.key()) && d.via == 0
		for n := d.n; n <= d.end; n++ {
			at := place{d.src.name, n}
			if drop[at] = drop[at] || gone; !gone {
				keep[at] = true
			}
		}
		if d.kind == isInclude {
			includes[place{d.src.name, d.n}] = true
		}
	}
	var out bytes.Buffer
	next := 1 // the next source in the order of reading
	var write func(s *source)
	write = func(s *source) {
		blank := false
		for n := 1; n <= len(s.start); n++ {
			at, line := place{s.name, n}, s.text(n)
			switch {
			case includes[at]:
				fmt.Fprintf(&out, "# %s\n", line)
				for next < len(m.sources) && m.sources[next].from == at {
					next++
					write(m.sources[next-1])
				}
			case drop[at] && !keep[at], line == "" && (blank || n == len(s.start)):
				continue
			default:
				out.WriteString(line + "\n")
			}
			blank = line == ""
		}
	}
	write(m.src)
	return out.Bytes()
}

// Rest is what keepalived goes on doing on a node, as a file for keepalived -C.
type Rest struct {
	Node string
	Src  []byte
}

// rests are the files of all machines that have a part for keepalived.
func rests(machines []*machine) (out []Rest) {
	for _, m := range machines {
		if m.hasLVS() {
			out = append(out, Rest{m.label, m.lvs()})
		}
	}
	return out
}

// coupled judges what ties LVS to VRRP, which falls apart when hafile takes one half.
func coupled(block *directive) {
	block.walk(func(d *directive) {
		if d.key() == "ha_suspend" {
			d.warn("HA4012", 0, "ha_suspend looks at addresses that hafile moves", "keepalived -C still sees which addresses are on the host, and no VRRP state besides. Try it before you rely on it.")
			d.say(Unsupported, "HA4012", "lost: keepalived -C knows no VRRP state")
		}
	})
}

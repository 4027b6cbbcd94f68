package plan

import (
	"fmt"
	"net/netip"
)

// MainTable is the routing table that is meant where none is written.
const MainTable = 254

// Route is there while the instance is active.
type Route struct {
	To   netip.Prefix `json:"to"` // 0.0.0.0/0 or ::/0 is the default route
	From netip.Prefix `json:"from,omitzero"`
	// Type is "blackhole", "unreachable", "prohibit" or "throw"; empty: unicast.
	Type      string     `json:"type,omitempty"`
	Via       netip.Addr `json:"via,omitzero"`
	Interface string     `json:"interface,omitempty"`
	Source    netip.Addr `json:"source,omitzero"`
	Table     uint32     `json:"table,omitempty"` // 0: MainTable
	Metric    uint32     `json:"metric,omitempty"`
	Scope     string     `json:"scope,omitempty"`
	MTU       uint32     `json:"mtu,omitempty"`
	OnLink    bool       `json:"onlink,omitempty"`
	// NextHops share the traffic; Via and Interface are empty then.
	NextHops []NextHop `json:"nexthops,omitempty"`
	Src      Src       `json:"src,omitzero"`
}

// NextHop is one way of several.
type NextHop struct {
	Via       netip.Addr `json:"via,omitzero"`
	Interface string     `json:"interface,omitempty"`
	Weight    int        `json:"weight,omitempty"` // 1..256; 0: 1
	OnLink    bool       `json:"onlink,omitempty"`
}

// Key is what tells one route of an instance from another, as the kernel does it.
func (r Route) Key() string {
	key := r.To.String()
	if r.From.IsValid() {
		key += " from " + r.From.String()
	}
	if r.Table != 0 && r.Table != MainTable {
		key += fmt.Sprintf(" table %d", r.Table)
	}
	if r.Metric != 0 {
		key += fmt.Sprintf(" metric %d", r.Metric)
	}
	return key
}

// Key of a way is where it leads.
func (n NextHop) Key() string {
	if n.Via.IsValid() && n.Interface != "" {
		return n.Via.String() + " on " + n.Interface
	}
	if n.Via.IsValid() {
		return n.Via.String()
	}
	return n.Interface
}

// Rule chooses a routing table while the instance is active.
type Rule struct {
	Priority uint32       `json:"priority"` // from 1; lower is asked first, and 32766 is the main table
	Not      bool         `json:"not,omitempty"`
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	IIF      string       `json:"iif,omitempty"`
	OIF      string       `json:"oif,omitempty"`
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"` // of Mark; 0: all of it
	// Action is "blackhole", "unreachable" or "prohibit"; empty: look into Table.
	Action string `json:"action,omitempty"`
	Table  uint32 `json:"table,omitempty"`
	// SuppressPrefix: what Table finds counts only if its prefix is longer; -1..128, nil:
	// whatever it finds.
	SuppressPrefix *int `json:"suppress_prefix,omitempty"`
	Src            Src  `json:"src,omitzero"`
}

// Key is what tells one rule of an instance from another.
func (r Rule) Key() string {
	key := fmt.Sprint(r.Priority)
	if r.From.IsValid() {
		key += " from " + r.From.String()
	}
	if r.To.IsValid() {
		key += " to " + r.To.String()
	}
	return key
}

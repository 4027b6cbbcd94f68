package node

import (
	"net/netip"
	"time"

	"hafile/lang/plan"
	"hafile/runtime/kernel"
	"hafile/runtime/vrrp"
	"hafile/runtime/vrrp/wire"
)

// Resolved is a verified plan together with what only the host knows.
type Resolved struct {
	Plan *plan.Plan
	// Hosts has an entry for every instance of the plan.
	Hosts map[plan.Addr]Host
	// Former has the identities that instances keep beside their own, the latest first.
	Former map[plan.Addr][]Former
}

// Host is what the host adds to one instance.
type Host struct {
	// Source is the address that adverts come from: the plan's, or the first of the
	// family on the interface. The zero address keeps the router in fault.
	Source   netip.Addr
	Password wire.Password // zero without authentication
	// Sequence counts when the router is new: the numbers of its adverts with AH are above
	// it, and so above those of a process before this one.
	Sequence uint32
	// Signing is nil without signatures.
	Signing *vrrp.Signing

	// Holding and Fresh count when the router is new: a process before this one left
	// the addresses installed, and its last advert is younger than any peer's down
	// interval.
	Holding, Fresh bool
}

var authTypes = map[string]wire.AuthType{plan.AuthPass: wire.AuthPass, plan.AuthAH: wire.AuthAH}

// specOf is what package vrrp is told.
func specOf(p *plan.Plan, i *plan.Instance, h Host, formers []Former, at *places) vrrp.Spec {
	s := vrrp.Spec{
		Segment: at.number(PlaceOf(i)), Version: i.Version, VRID: i.VRID, Source: h.Source, Priority: i.Priority,
		Interval: ms(i.AdvertMs), DownAdverts: i.DownAdverts,
		Preempt: i.Preempt, PreemptDelay: ms(i.PreemptDelayMs), StartDelay: ms(i.StartDelayMs),
		Rival: rival(p.Node, i, p.Desired.Tracks(i)), Former: facesOf(formers, at), Grouped: p.Desired.GroupOf(i.Address) != nil,
	}
	s.Signing = h.Signing
	if i.Auth != nil {
		s.Auth, s.Password, s.Sequence = authTypes[i.Auth.Type], h.Password, h.Sequence
	}
	if i.Checksum == "rfc9568" {
		s.Checksum = wire.MessageOnly
	}
	for _, v := range i.VIPs {
		if !v.Unadvertised {
			s.Addresses = append(s.Addresses, v.Address.Addr())
		}
	}
	return s
}

// Spec is the router that this machine runs for an instance, for whoever compares it
// with what is heard before the plan is committed.
func (r *Resolved) Spec(i *plan.Instance) vrrp.Spec {
	return specOf(r.Plan, i, r.Hosts[i.Address], r.Former[i.Address], &places{})
}

// rival is the highest priority that another member can have: its checks may add to what
// it is configured with, and what they say there is not known here.
func rival(self string, i *plan.Instance, track []plan.Track) uint8 {
	highest := uint8(0)
	for _, m := range i.Members {
		if m.Node != self {
			highest = max(highest, plan.Best(m.Priority, track))
		}
	}
	return highest
}

// addressesOf is what the kernel should have while the instance is active.
func addressesOf(i *plan.Instance) []kernel.Address {
	out := make([]kernel.Address, len(i.VIPs))
	for k, v := range i.VIPs {
		out[k] = AddressOf(i, v)
	}
	return out
}

// AddressOf is one of an instance's VIPs as the kernel should have it.
func AddressOf(i *plan.Instance, v plan.VIP) kernel.Address {
	if i.VirtualMAC && v.Interface == "" {
		return addressOn(virtualName(i), v)
	}
	return addressOn(i.DeviceOf(v), v)
}

func addressOn(device string, v plan.VIP) kernel.Address {
	a := kernel.Address{Interface: device, Prefix: v.Address, Label: v.Label, Scope: v.Scope}
	if v.InstallPrefix != 0 {
		a.Prefix = netip.PrefixFrom(v.Address.Addr(), v.InstallPrefix)
	}
	return a
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

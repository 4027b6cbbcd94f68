package diff

import (
	"fmt"
	"net/netip"
	"strings"

	"hafile/lang/plan"
)

// readded is an edit that the kernel cannot make in place: each address is deleted and
// added within microseconds behind a stand-in, and announced.
func readded(reason, text string) func(*edit, leaf) Impact {
	return func(e *edit, _ leaf) Impact {
		return e.onActive(Impact{Class: Stays, Reason: reason, Text: text})
	}
}

// vipReadded is the same for one address.
func vipReadded(e *edit, l leaf) Impact {
	i := readded(ReasonVIPReadded, "deleted and added within microseconds, announced")(e, l)
	return e.only(i, l)
}

// only narrows an impact to the address that a leaf is about.
func (e *edit) only(i Impact, l leaf) Impact {
	if address, err := netip.ParsePrefix(l.key); err == nil && len(i.VIPs) > 0 {
		i.VIPs = []netip.Prefix{address}
	}
	return i
}

// unadvertised: a backup that lists other addresses than the active announces warns, and
// some programs drop such adverts (RFC 3768, 7.1).
func unadvertised(e *edit, l leaf) Impact {
	i := e.onActive(Impact{Class: Stays, Reason: ReasonUnadvertised, Text: "answers as before, members compare lists", Pairwise: len(e.others()) > 0})
	return e.only(i, l)
}

// accept: what clients send to the address itself is taken, or no longer (RFC 9568, 6.1).
func accept(e *edit, _ leaf) Impact {
	if e.after.Accept {
		return e.onActive(Impact{Class: Stays, Reason: ReasonAccept, Text: "the node itself answers on the addresses"})
	}
	return e.onActive(Impact{Class: Outage, Reason: ReasonAccept, Text: "the node itself no longer answers on the addresses, it only forwards"})
}

// peers: adverts that a peer drops leave it alone with the addresses.
func peers(e *edit, _ leaf) Impact {
	if len(e.others()) == 0 {
		return e.onActive(Impact{Class: Stays, Reason: ReasonPeers})
	}
	i := Impact{Class: Stays, Reason: ReasonPeers, VIPs: e.vips(), Pairwise: true, Text: "each member must take what the others send"}
	if !e.holds() {
		i.Class, i.VIPs = None, nil
	}
	return i
}

// memberAddress is where unicast adverts go; with multicast it only names the member.
func memberAddress(e *edit, l leaf) Impact {
	if e.after.Transport != plan.Unicast || l.key == e.differ.after.Node {
		return Impact{Class: None, Reason: ReasonMember}
	}
	i := peers(e, l)
	if l.removed() {
		i.Class, i.VIPs = Outage, e.vips()
		i.Text = l.key + " no longer hears this node and turns active"
	}
	return i
}

// activeKey: whoever lacks the new key drops what is signed with it.
func activeKey(e *edit, l leaf) Impact {
	if e.before.Auth == nil || e.after.Auth == nil || e.before.Auth.Type != e.after.Auth.Type {
		return Impact{Class: None, Reason: ReasonAuth} // said by auth.type
	}
	if len(e.others()) == 0 {
		return Impact{Class: None, Reason: ReasonKey}
	}
	return Impact{
		Class: None, Reason: ReasonKey, Pairwise: true,
		Text: fmt.Sprintf("%s must have the key before it is used", e.peers()),
	}
}

// hmacKey: three sweeps, add the key everywhere, sign with it, drop the old one.
func hmacKey(e *edit, l leaf) Impact {
	before, after := e.before.Auth, e.after.Auth
	if before == nil || after == nil || before.Type != after.Type {
		return Impact{Class: None, Reason: ReasonAuth}
	}
	switch inUse := l.key == fmt.Sprint(before.ActiveKey); {
	case l.added():
		return Impact{Class: None, Reason: ReasonKey, Pairwise: true}
	case inUse && !l.removed():
		return e.dialect(ReasonKey, "adverts signed with another key are dropped")
	case inUse && after.ActiveKey == before.ActiveKey:
		return e.dialect(ReasonKey, "the key that signs is gone")
	}
	return Impact{Class: None, Reason: ReasonKey, Pairwise: true, Text: "whoever still signs with it is no longer heard"}
}

// hmacMode: a member without the trailer drops what is signed, and one that enforces it
// drops what is not.
func hmacMode(e *edit, l leaf) Impact {
	if e.before.Auth == nil || e.after.Auth == nil || e.before.Auth.Type != e.after.Auth.Type {
		return Impact{Class: None, Reason: ReasonAuth}
	}
	order := []string{plan.HMACReceiveOnly, plan.HMACPermissive, plan.HMACEnforce}
	step := indexOf(order, e.after.Auth.Mode) - indexOf(order, e.before.Auth.Mode)
	if step == 1 || step == -1 || len(e.others()) == 0 {
		return e.onActive(Impact{
			Class: Stays, Reason: ReasonAuth, Pairwise: len(e.others()) > 0,
			Text: "one step of receive_only, permissive, enforce: all members make it before the next",
		})
	}
	i := e.dialect(ReasonAuth, "adverts with other authentication are dropped")
	i.Safer = "make one step at a time on all members: " + strings.Join(order, ", ")
	return i
}

func indexOf(words []string, w string) int {
	for i := range words {
		if words[i] == w {
			return i
		}
	}
	return -1
}

// route: the addresses stay where they are; what clients reach through them may not.
func route(e *edit, _ leaf) Impact {
	return e.onActive(Impact{Class: Stays, Reason: ReasonRoute, Text: "routes and rules change at once"})
}

// grouping: members of a group follow one another. Where they are active on different
// nodes today, one of them moves.
func grouping(e *edit, _ leaf) Impact {
	i := Impact{Class: Stays, Reason: ReasonGroup, Pairwise: true, Text: "all of its instances are active here"}
	if e.group == nil || e.group.together {
		if e.group != nil && !e.group.holds {
			return Impact{Class: None, Reason: ReasonStaysBackup, Pairwise: true}
		}
		return i
	}
	i.Class, i.Text = Moves, "its instances are active on different nodes, and follow one another"
	i.VIPs = e.group.vips
	return i
}

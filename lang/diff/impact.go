package diff

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hafile/lang/plan"
)

// edit is one instance before and after, in its present role. Before is nil for a new
// one, after for one that goes, and both are for a sync group. It is nil for a check or
// notify.
type edit struct {
	*differ
	before, after *plan.Instance
	role          string
	group         *groupNow
}

// groupNow is where the instances of a sync group are.
type groupNow struct {
	holds    bool // one of them at least is active here
	together bool // all are active here, or none
	vips     []netip.Prefix
	edits    []*edit // of those that are there before and after
}

func (e *edit) holds() bool { return holds(e.role) }

// others are the members with which this node must agree: those of either plan.
func (e *edit) others() []plan.Member {
	var all []plan.Member
	for _, in := range []*plan.Instance{e.after, e.before} {
		if in == nil {
			continue
		}
		for _, m := range others(in, e.differ.after.Node) {
			if !slices.ContainsFunc(all, func(o plan.Member) bool { return o.Node == m.Node }) {
				all = append(all, m)
			}
		}
	}
	return all
}

// peers names the other members in a sentence.
func (e *edit) peers() string {
	var names []string
	for _, m := range e.others() {
		names = append(names, m.Node)
	}
	if len(names) > 2 {
		return "the other members"
	}
	return strings.Join(names, " and ")
}

// vips are the addresses that the instance has before and after.
func (e *edit) vips() []netip.Prefix {
	var kept []netip.Prefix
	for _, v := range e.after.VIPs {
		if _, had := vipOf(e.before, v.Address); had {
			kept = append(kept, v.Address)
		}
	}
	return kept
}

func vipOf(in *plan.Instance, address netip.Prefix) (plan.VIP, bool) {
	for _, v := range in.VIPs {
		if v.Address == address {
			return v, true
		}
	}
	return plan.VIP{}, false
}

// once drops the row of this node in the member list where it only repeats what the
// instance says of itself.
func (e *edit) once(ls []leaf) []leaf {
	own := slices.ContainsFunc(ls, func(l leaf) bool { return l.row == "Instance.Priority" })
	return slices.DeleteFunc(ls, func(l leaf) bool {
		return own && l.row == "Member.Priority" && l.key == e.differ.after.Node && !l.added() && !l.removed()
	})
}

// whole is the impact of a change as far as it does not lie in its fields.
func (d *differ) whole(c *Change, e *edit) Impact {
	switch {
	case e != nil && e.group != nil && c.Action == Add:
		return grouping(e, leaf{})
	case e != nil && e.group != nil && c.Action == Remove:
		return Impact{Class: None, Reason: ReasonGroup, Text: "its instances go their own ways"}
	case c.Action == Add && e != nil:
		return Impact{Class: None, Reason: ReasonInstanceAdded}
	case c.Action == Remove && e != nil:
		return e.removed()
	case c.Action == Add:
		return Impact{Class: None, Reason: ReasonCheckAdded}
	case c.Action == Remove:
		return Impact{Class: None, Reason: ReasonCheckRemoved}
	case c.Action == Rename:
		return Impact{Class: None, Reason: ReasonName}
	}
	return Impact{Class: None}
}

// removed: the others lose a candidate; what happens to the addresses is said of each.
func (e *edit) removed() Impact {
	i := Impact{Class: None, Reason: ReasonInstanceRemoved}
	if len(e.others()) > 0 {
		i.Class = Weakens
		i.Text = e.differ.after.Node + " no longer stands by for " + e.peers()
		for _, v := range e.before.VIPs {
			i.VIPs = append(i.VIPs, v.Address)
		}
	}
	return i
}

// harmless edits are seen by no client, in whatever role.
func harmless(reason string) func(*edit, leaf) Impact {
	return func(*edit, leaf) Impact { return Impact{Class: None, Reason: reason} }
}

// onActive is an edit that only an active node shows to anybody.
func (e *edit) onActive(i Impact) Impact {
	if !e.holds() {
		return Impact{Class: None, Reason: ReasonStaysBackup, Pairwise: i.Pairwise}
	}
	i.VIPs = e.vips()
	return i
}

// sourceAddress: backups that hear another source of equal priority do not care; two
// actives of equal priority do (RFC 9568, 6.4.3).
func sourceAddress(e *edit, l leaf) Impact {
	if e.after.Transport == plan.Unicast {
		return wireIdentity(e, l) // peers know one another by it
	}
	return e.onActive(Impact{Class: Stays, Reason: ReasonSource, Text: "decides ties only"})
}

// checksum: version 2 has one form (RFC 3768, 5.3.8).
func checksum(e *edit, _ leaf) Impact {
	if e.before.Version == 2 && e.after.Version == 2 {
		return Impact{Class: None, Reason: ReasonChecksum}
	}
	return e.onActive(Impact{
		Class: Stays, Reason: ReasonChecksum, Pairwise: len(e.others()) > 0,
		Text: "hafile accepts both forms; another program on " + orElse(e.peers(), "the segment") + " may not",
	})
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// wireIdentity: whoever listens sees one virtual router vanish and another one appear.
func wireIdentity(e *edit, _ leaf) Impact {
	if e.sweeps() {
		return e.swept(ReasonWireIdentity)
	}
	if o := e.exchange(); o != nil {
		if i, fits := e.exchanged(o); fits {
			return i
		}
	}
	i := Impact{Class: Outage, Reason: ReasonWireIdentity, VIPs: e.vips()}
	alone := millis(downInterval(e.after, e.after.Priority))
	switch {
	case len(e.others()) > 0:
		i.Pairwise = true
		i.Text = fmt.Sprintf("pairwise: another virtual router on the wire. Until %s has it too, both are active from %s later",
			e.peers(), Seconds(alone))
		return i
	case !e.holds():
		return Impact{Class: None, Reason: ReasonStaysBackup}
	}
	i.Gap = Gap{TypMs: alone, MaxMs: alone}
	i.Text = fmt.Sprintf("another virtual router on the wire: it listens for %s before it is active", Seconds(alone))
	return i
}

// advertInterval: a version 3 backup learns the interval from the active (RFC 9568,
// 6.4.2); a version 2 one drops adverts with another (RFC 3768, 7.1).
func advertInterval(e *edit, _ leaf) Impact {
	if e.after.Version == 3 {
		return e.onActive(Impact{
			Class: Stays, Reason: ReasonInterval,
			Text: "backups learn the interval; a longer one is announced before it is kept",
		})
	}
	if e.sweeps() {
		return e.swept(ReasonInterval)
	}
	return e.dialect(ReasonInterval, "VRRPv2 drops adverts with another interval")
}

// authentication: adverts with another password are dropped (RFC 2338, 5.3.6).
func authentication(e *edit, _ leaf) Impact {
	if quiet(e.before.Auth) && quiet(e.after.Auth) {
		return e.onActive(Impact{Class: Stays, Reason: ReasonAuth, Text: "nothing is signed; what others sign is verified, or no longer"})
	}
	if e.sweeps() {
		return e.swept(ReasonAuth)
	}
	return e.dialect(ReasonAuth, "adverts with other authentication are dropped")
}

// quiet: adverts leave as without authentication, and such are taken.
func quiet(a *plan.Auth) bool {
	return a == nil || a.Type == plan.AuthHMAC && a.Mode == plan.HMACReceiveOnly
}

// dialect is an edit after which members that do not have it yet drop each other's
// adverts. The backup counts its own interval, whichever of the two is in force there.
func (e *edit) dialect(reason, why string) Impact {
	if len(e.others()) == 0 {
		i := e.onActive(Impact{Class: Stays, Reason: reason})
		i.Text = ""
		return i
	}
	self, peer := e.differ.after.Node, e.peers()
	backup, first, second := e.backupPriority(), self, peer
	if !e.holds() {
		first, second = peer, self
	}
	// The active first: the backup still counts the old interval. The backup first: the new one.
	old, now := millis(downInterval(e.before, backup)), millis(downInterval(e.after, backup))
	text := fmt.Sprintf("pairwise: %s. If only %s applies, both are active from %s later until %s applies", why, first, Seconds(old), second)
	if now != old {
		text += fmt.Sprintf(" (%s if %s is first)", Seconds(now), second)
	}
	return Impact{
		Class: Outage, Reason: reason, VIPs: e.vips(), Pairwise: true, Text: text,
		Safer: fmt.Sprintf("apply on %s and %s within %s of each other, before anybody is timed out", first, second, Seconds(min(old, now))),
	}
}

// backupPriority is the priority of the member that would time out the active one.
func (e *edit) backupPriority() uint8 {
	if e.holds() {
		best, _ := highest(e.after, e.differ.after.Node)
		return max(best.Priority, 1)
	}
	return e.before.Priority
}

// member: fewer members are fewer machines that can take over.
func member(e *edit, l leaf) Impact {
	if l.added() {
		return Impact{Class: None, Reason: ReasonMemberAdded}
	}
	i := Impact{Class: Weakens, Reason: ReasonMemberRemoved, VIPs: e.vips(), Text: l.key + " no longer stands by"}
	if len(others(e.after, e.differ.after.Node)) == 0 {
		i.Text += "; nobody else is left to take over"
	}
	return i
}

// tracked: whatever watches less lets more failures pass.
func tracked(e *edit, l leaf) Impact {
	if e.group != nil {
		return e.group.tracked(l)
	}
	election := e.election()
	switch {
	case l.removed():
		return worse(Impact{
			Class: Weakens, Reason: ReasonTracksLess, VIPs: e.vips(),
			Text: l.key + " no longer moves the addresses",
		}, election)
	case election.Class.Rank() >= Weakens.Rank():
		return election
	}
	return Impact{Class: None, Reason: ReasonTracksMore}
}

// vip is an address that an instance gains or loses.
func vip(e *edit, l leaf) Impact {
	address, err := netip.ParsePrefix(l.key)
	if err != nil {
		return Impact{Class: None, Reason: ReasonOrder} // twice in one list: Verify refuses it
	}
	if i, is := e.transfer(l, address); is {
		return i
	}
	if l.added() {
		return e.vipAdded(address)
	}
	return e.vipRemoved(address)
}

func (e *edit) vipAdded(address netip.Prefix) Impact {
	i := Impact{Class: Gains, VIPs: []netip.Prefix{address}, Reason: ReasonVIPAdded, Pairwise: len(e.others()) > 0}
	switch {
	case e.before == nil:
		i.Reason, i.Pairwise = ReasonInstanceAdded, false
	case e.holds():
		i.Text = "up at once, gratuitous ARPs"
	default:
		return Impact{Class: None, Reason: ReasonStaysBackup, Pairwise: i.Pairwise}
	}
	return i
}

// picky is a member that drops adverts with another list of addresses than its own:
// keepalived did before 2.3.3, and of others nobody knows. Empty: none does.
func (e *edit) picky() string {
	for _, m := range e.others() {
		if m.Speaks == "keepalived-2.2" || m.Speaks == "other" {
			return fmt.Sprintf("%s (%s)", m.Node, m.Speaks)
		}
	}
	return ""
}

func (e *edit) vipRemoved(address netip.Prefix) Impact {
	i := Impact{Class: Drops, VIPs: []netip.Prefix{address}, Reason: ReasonVIPRemoved, Pairwise: len(e.others()) > 0}
	if e.after == nil {
		i.Reason, i.Pairwise = ReasonInstanceRemoved, false
	}
	if !e.holds() {
		return Impact{Class: None, Reason: ReasonStaysBackup, Pairwise: i.Pairwise}
	}
	i.Text = "from every node that applies this"
	i.Safer = fmt.Sprintf("-allow=release:%s if it is really to disappear", address)
	return i
}

// transfer is a VIP that goes from one instance of this node to another. Where the node
// holds both, the address never leaves the kernel.
func (e *edit) transfer(l leaf, address netip.Prefix) (Impact, bool) {
	own := e.after
	if l.removed() {
		own = e.before
	}
	v, _ := vipOf(own, address)
	other, found := e.home(own.DeviceOf(v), address, l.removed())
	if !found {
		return Impact{}, false
	}
	from, to := e.roleOf(other), e.role
	name := other.at()
	if l.removed() {
		from, to = to, from
	}
	i := Impact{Reason: ReasonVIPTransferred, VIPs: []netip.Prefix{address}, Pairwise: len(e.others()) > 0}
	switch {
	case holds(from) && holds(to):
		i.Class, i.Text = Stays, between(l, name)+", never leaves the kernel"
		if e.repaced(other, l.removed()) {
			i.Text += ", announced at its new pace"
		}
	case holds(from):
		i.Class, i.Text = Outage, between(l, name)+"; the instance that gets it is not active here"
	case holds(to):
		i.Class, i.Text = Outage, between(l, name)+"; another node answers for it too until it applies this"
	case i.Pairwise && (l.added() && e.before == nil || l.removed() && other.before == nil):
		i.Class = Outage
		i.Text = between(l, name) + ", a virtual router that nobody else has yet: it turns active beside the one that is"
	default:
		i = Impact{Class: None, Reason: ReasonVIPTransferred, Pairwise: i.Pairwise}
	}
	if i.Class.Rank() < Outage.Rank() && e.partsFrom(other) {
		i.Class, i.VIPs = Outage, []netip.Prefix{address}
		i.Text = between(l, name) + ", and only one of the two moves: who takes over does not know of it yet"
	}
	return i, true
}

// partsFrom reports whether the election makes this instance's addresses go to another
// node than those of the other one.
func (e *edit) partsFrom(other pair[plan.Instance]) bool {
	to, moves := e.destination()
	o := &edit{differ: e.differ, before: other.before, after: other.after, role: e.roleOf(other)}
	otherTo, otherMoves := o.destination()
	return moves != otherMoves || to != otherTo
}

// destination is the node to which the addresses go, if they do.
func (e *edit) destination() (node string, moves bool) {
	if e.before == nil || e.after == nil || e.election().Class != Moves {
		return "", false
	}
	if !e.holds() {
		return e.differ.after.Node, true
	}
	b, a := e.stands()
	rival, _, _ := e.overtaken(b, a)
	return rival.Node, true
}

// repaced reports whether the other instance of a transfer announces in another way.
func (e *edit) repaced(other pair[plan.Instance], gives bool) bool {
	if gives {
		return e.before.Announce != other.after.Announce
	}
	return e.after.Announce != other.before.Announce
}

func between(l leaf, other plan.Addr) string {
	if l.removed() {
		return fmt.Sprintf("goes to %s", other)
	}
	return fmt.Sprintf("comes from %s", other)
}

// home is the other instance that has an address in the plan after, or had it before.
func (e *edit) home(device string, address netip.Prefix, after bool) (pair[plan.Instance], bool) {
	for _, p := range e.instances {
		had, has := p.before, p.after
		if after {
			had, has = has, had
		}
		// It must have the address on one side only, or nothing is going anywhere.
		if had == nil || p.before == e.before && p.after == e.after {
			continue
		}
		v, there := vipOf(had, address)
		if !there || had.DeviceOf(v) != device {
			continue
		}
		if has != nil {
			if _, both := vipOf(has, address); both {
				continue
			}
		}
		return p, true
	}
	return pair[plan.Instance]{}, false
}

// vipInterface: the address is added on one segment and deleted on another.
func vipInterface(e *edit, l leaf) Impact {
	address, err := netip.ParsePrefix(l.key)
	if err != nil || e.before == nil || e.after == nil {
		return Impact{Class: None, Reason: ReasonVIPInterface}
	}
	was, had := vipOf(e.before, address)
	is, has := vipOf(e.after, address)
	if !had || !has || e.before.DeviceOf(was) == e.after.DeviceOf(is) {
		return Impact{Class: None, Reason: ReasonVIPInterface}
	}
	i := e.onActive(Impact{
		Class: Outage, Reason: ReasonVIPInterface,
		Text: fmt.Sprintf("answers on %s, no longer on %s", e.after.DeviceOf(is), e.before.DeviceOf(was)),
	})
	if i.Class == Outage {
		i.VIPs = []netip.Prefix{address}
	}
	return i
}

// within writes a wait of the protocol for people.
func within(d time.Duration) string { return "within " + Seconds(millis(d)) }

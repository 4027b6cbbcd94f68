package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hafile/lang/diff"
	"hafile/lang/planfile"
	"hafile/lang/story"
	"hafile/runtime/lab"
	"hafile/runtime/lab/netns"
)

var (
	editsN      = flag.Int("edits", 0, "how many random edits TestRandomEdits makes; 0: each kind once, and one in two sweeps")
	editsBeside = flag.Int("edits.keepalived", 0, "how many of them are made on a pair of keepalived too")
	editsSeed   = flag.Uint64("edits.seed", 1, "of the random edits")
	editsTable  = flag.String("edits.table", "", "write what they cost, kind by kind, to `FILE`")
)

// TestRandomEdits edits a pair of machines with fifty addresses again and again, while a
// client asks each address for an echo every millisecond. Of an address that the edit is
// not about nothing is lost and the kernel hears nothing; it is announced at least every
// one and a half intervals; and its other machine never becomes active. The long form
// makes the same edits on a pair of keepalived, by SIGHUP (docs/safe-edits.md):
//
//	go test ./cmd/hafile -run TestRandomEdits -edits 1000 -edits.keepalived 200 -timeout 3h -v
func TestRandomEdits(t *testing.T) {
	s := &editor{r: rand.New(rand.NewPCG(*editsSeed, 0)), estate: newEstate()}
	n := *editsN
	if n == 0 {
		s.queue = slices.Concat(simple, []kind{several, sweeps[s.r.IntN(len(sweeps))]})
		n = len(s.queue)
	}
	pairs := []*pair{newPair(t, s.estate, "hafile", time.Millisecond)}
	if *editsBeside > 0 {
		netns.Needs(t, "keepalived", "keepalived")
		pairs = append(pairs, newPair(t, s.estate, "keepalived", time.Millisecond, "a", "b"))
	}
	failed := false
	for i := range n {
		before := s.estate
		k := s.next()
		order, edited := s.order(), pairs
		if i >= *editsBeside || pairs[1].lost {
			edited = pairs[:1]
		}
		if i > 0 && i == *editsBeside {
			pairs[1].close()
		}
		var all sync.WaitGroup
		for _, p := range edited {
			all.Go(func() { p.costs.add(k.name, p.make(k, before, s.estate, order)) })
		}
		all.Wait()
		if t.Failed() && !failed {
			t.Logf("edit %d of seed %d, %q on %v:\n%s", i+1, *editsSeed, k.name, order, difference(before, s.estate))
		}
		if failed = t.Failed(); failed && (*editsN == 0 || pairs[0].lost) {
			t.FailNow()
		}
		if *editsN > 0 && (i+1)%25 == 0 {
			t.Logf("%d edits; hafile: %s", i+1, pairs[0].costs.sum())
			report(t, pairs)
		}
	}
	t.Logf("\n%s", report(t, pairs))
}

// report is the table, and in a few words what it sums up to; it is kept in a file too.
func report(t *testing.T, pairs []*pair) string {
	text := renderTable(pairs) + "\n"
	for _, p := range pairs {
		text += fmt.Sprintf("- %s: %s; the client stood still for %s.\n", p.name, p.costs.sum(), p.l.StoodStill().Round(time.Millisecond))
	}
	if *editsTable != "" {
		must(t, os.WriteFile(*editsTable, []byte(text), 0o644))
	}
	return text
}

// editor makes one edit after the other: each kind once, in a random order, then anew.
// Those in two sweeps, which take ten times as long, come every other time.
type editor struct {
	r      *rand.Rand
	estate *estate
	queue  []kind
	rounds int
}

func (s *editor) next() *kind {
	for {
		if len(s.queue) == 0 {
			s.queue = append(slices.Clone(simple), several)
			if s.rounds++; s.rounds%2 == 1 {
				s.queue = kinds()
			}
			s.r.Shuffle(len(s.queue), func(i, k int) { s.queue[i], s.queue[k] = s.queue[k], s.queue[i] })
		}
		k := s.queue[0]
		s.queue = s.queue[1:]
		after := s.estate.clone()
		if k.edit(s.r, after) {
			s.estate = after
			return &k
		}
	}
}

func (s *editor) order() []string {
	if s.r.IntN(2) == 0 {
		return []string{"a", "b"}
	}
	return []string{"b", "a"}
}

// difference is what an edit has changed in the files.
func difference(before, after *estate) string {
	was, is := strings.Split(before.hcl(), "\n"), strings.Split(after.hcl(), "\n")
	var b strings.Builder
	for i, line := range is {
		if i >= len(was) || was[i] != line {
			fmt.Fprintf(&b, "%d: %s\n", i+1, line)
		}
	}
	return b.String()
}

// patience is more than the client has.
const patience = 400 * time.Millisecond

// pair are two machines that are edited.
type pair struct {
	t          *testing.T
	name       string
	l          *lab.Lab
	keepalived []string // the machines that run it
	dir        string
	vips       []netip.Addr
	announced  map[netip.Addr]advertOf
	heard      map[string]time.Time // the last advert of each machine
	canary     *canary
	costs      tally
	lost       bool // it is not what the files say, and cannot be edited further
	close      func()
}

// advertOf is the last advert of an address, and how soon the next one is due at most.
type advertOf struct {
	at   time.Time
	vrid int
	due  time.Duration
}

// canary notes when this machine does not run what does not run in real time. A daemon's
// loop does, and stands still all the same when its garbage collector waits for a thread.
type canary struct {
	mu    sync.Mutex
	stood []stall
}

type stall struct {
	until time.Time
	long  time.Duration
}

func newCanary(t *testing.T) *canary {
	const nap = 10 * time.Millisecond
	c := &canary{}
	go func() {
		for last := time.Now(); t.Context().Err() == nil; {
			time.Sleep(nap)
			now := time.Now()
			if long := now.Sub(last) - nap; long > 2*nap {
				c.mu.Lock()
				c.stood = append(c.stood, stall{now, long})
				c.mu.Unlock()
			}
			last = now
		}
	}()
	return c
}

// late is for how long it stood between two moments.
func (c *canary) late(from, to time.Time) (sum time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stood {
		if s.until.After(from) && s.until.Before(to.Add(s.long)) {
			sum += s.long
		}
	}
	return sum
}

// newPair brings two machines up and waits until they have settled.
func newPair(t *testing.T, e *estate, name string, every time.Duration, keepalived ...string) *pair {
	t.Helper()
	netns.Skip(t)
	p := &pair{t: t, name: name, keepalived: keepalived, vips: e.all(), dir: group{}.files(t), announced: map[netip.Addr]advertOf{}, heard: map[string]time.Time{}, canary: newCanary(t)}
	must(t, os.WriteFile(filepath.Join(p.dir, "etc/ha/ok.sh"), []byte("#!/bin/sh\nexit 0\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(p.dir, "etc/ha/after.sh"), []byte("#!/bin/sh\n[ $(date +%s%3N) -gt $1 ]\n"), 0o755))
	p.write(e)
	o := lab.Options{
		VIPs: p.vips, Outside: netip.MustParsePrefix("10.77.0.50/24"), Self: hafile(t), Web: "builtin", Echo: every, Dir: p.dir, Base: p.dir,
		Command: func(node, dir, socket string) []string {
			return []string{"apply", "-auto-approve", "-max-impact=drops", "-no-wait", "-node=" + node, "-socket=" + socket, dir}
		},
		Budgets: func(string) []diff.Budget { return nil },
		Relays:  []string{"10.77.0.50:25"},
		Tell:    func(lab.Moment) {},
	}
	for _, node := range []string{"a", "b"} {
		own := []netip.Prefix{netip.PrefixFrom(groupAddr[node], 24), netip.PrefixFrom(thirdAddr[node], 24)}
		n := lab.Node{Name: node, Interfaces: []string{"eth0", "eth1"}, Addresses: own, Etc: filepath.Join(p.dir, "etc")}
		if slices.Contains(keepalived, node) {
			n.Keepalived = e.conf(node)
		}
		o.Nodes = append(o.Nodes, n)
	}
	l, err := lab.Up(t.Context(), o)
	p.l = l
	if l != nil {
		p.close = sync.OnceFunc(func() {
			if t.Failed() {
				for _, node := range []string{"a", "b"} {
					t.Logf("log of %s of the %s pair:\n%s", node, name, l.Log(node))
				}
			}
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		t.Cleanup(p.close)
	}
	must(t, err)
	for _, node := range []string{"a", "b"} {
		// With two interfaces on one segment each answers ARP for its own addresses only.
		arp := "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore && ip address add " + secondAddr[node].String() + "/32 dev eth1"
		if out, err := l.Run(t.Context(), node, "/bin/sh", "-c", arp); err != nil {
			t.Fatalf("%s: %v\n%s", node, err, out)
		}
	}
	p.want(e)
	var both sync.WaitGroup
	for _, node := range []string{"a", "b"} {
		both.Go(func() {
			if _, err := p.edit(e, node); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	must(t, p.homes(e, 20*time.Second))
	time.Sleep(patience) // what was asked before there was an owner has been given up
	p.sent()
	return p
}

// want asks for the addresses that somebody should have.
func (p *pair) want(e *estate) {
	p.l.Want(slices.Collect(maps.Keys(e.whereabouts())))
}

func (p *pair) write(e *estate) {
	must(p.t, os.WriteFile(filepath.Join(p.dir, "group.ha.hcl"), []byte(e.hcl()), 0o644))
}

// homes waits until every address is where it belongs, and nowhere else.
func (p *pair) homes(e *estate, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		var wrong []string
		for vip, home := range e.whereabouts() {
			if owners := p.l.Owners(vip); !slices.Equal(owners, []string{home.node}) {
				wrong = append(wrong, fmt.Sprintf("%s is held by %v, not by %s", vip, owners, home.node))
			}
		}
		for _, vip := range e.spare {
			if owners := p.l.Owners(vip); len(owners) > 0 {
				wrong = append(wrong, fmt.Sprintf("%s is held by %v", vip, owners))
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			slices.Sort(wrong)
			return errors.New(strings.Join(wrong, "\n"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// verdict is what an edit did.
type verdict struct {
	asked, lost int           // of addresses that it is not about
	gap         time.Duration // the longest time without an answer
	deleted     int           // RTM_DELADDR
	added       int           // RTM_NEWADDR
	advert      float64       // the longest time without an advert, in intervals
	silent      string        // of which address
	starved     int           // longer ones, while this machine did not run its programs
	roles       int           // addresses for which the other machine spoke
	goodbyes    int
	predicted   int // the rank of the worst that a plan said
	happened    map[netip.Addr]diff.Class
	homeless    string // what was not where it belongs afterwards
	skipped     bool
}

// make edits both machines and says what came of it.
func (p *pair) make(k *kind, before, after *estate, order []string) verdict {
	if k.hafileOnly && len(p.keepalived) == 2 {
		return verdict{skipped: true}
	}
	p.want(before)
	p.l.SeenOf()
	began := time.Now()
	v := verdict{}
	interval, down := pace(before, after)
	p.write(after)
	for i, node := range order {
		if i > 0 && k.twoSweeps {
			time.Sleep(down + interval/2)
		}
		changes, err := p.edit(after, node)
		if err != nil {
			p.lost = true
			if v.homeless = err.Error(); len(p.keepalived) == 0 {
				p.t.Errorf("%s on %s: %v", k.name, node, err)
			}
			return v
		}
		v.predicted = max(v.predicted, worst(changes))
	}
	if k.twoSweeps {
		p.retire(after, interval)
	}
	time.Sleep(patience)
	if err := p.homes(after, 8*time.Second); err != nil {
		v.homeless = err.Error()
	}
	p.measure(&v, before, after, began)
	p.judge(k, &v, began)
	if v.homeless != "" {
		p.restart(after)
	}
	return v
}

// worst is the rank of the worst that changes do to an address.
func worst(changes []diff.Change) int {
	rank := 0
	for _, class := range diff.PerVIP(changes) {
		rank = max(rank, class.Rank())
	}
	return rank
}

// edit gives one machine the files, and says what hafile plan said of it.
func (p *pair) edit(e *estate, node string) ([]diff.Change, error) {
	if slices.Contains(p.keepalived, node) {
		return nil, p.l.Rewrite(p.t.Context(), node, e.conf(node))
	}
	saved := filepath.Join(p.dir, node+".plan.json")
	if err := p.hafile("plan", node, "-node="+node, "-out="+saved, "-max-impact=drops", p.dir); err != nil {
		return nil, err
	}
	f, err := os.Open(saved)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := planfile.Read(f)
	if err != nil {
		return nil, err
	}
	args := []string{"-max-impact=drops", "-no-wait"} // who waits here sees more
	for _, u := range e.units {                       // keepalived speaks as before until it has its file
		args = append(args, "-allow=dialect:instance."+u.label)
	}
	return doc.Changes, p.hafile("apply", node, append(args, saved)...)
}

// hafile runs a command with a machine's daemon.
func (p *pair) hafile(command, node string, args ...string) error {
	var out bytes.Buffer
	args = append([]string{command, "-socket=" + filepath.Join(p.l.Files(), node, "run", "hafile.sock")}, args...)
	if code := run(context.Background(), args, streams{strings.NewReader(""), &out, &out}); code != exitOK {
		return fmt.Errorf("hafile %s: exit %d\n%s", strings.Join(args, " "), code, out.String())
	}
	return nil
}

// retire is the second sweep; keepalived has none. Backups hear their active, and of the
// backups a person knows.
func (p *pair) retire(e *estate, interval time.Duration) {
	time.Sleep(2 * interval)
	for _, node := range []string{"a", "b"} {
		if slices.Contains(p.keepalived, node) {
			continue
		}
		if err := p.hafile("apply", node, "-retire", "-allow=retire:"+other(node), "-allow=retire:c"); err != nil {
			p.t.Errorf("%s: retire on %s: %v", p.name, node, err)
			p.lost = true
		}
	}
}

// restart ends what an edit has left behind: addresses that nobody has, or that are where
// they were not. Nothing of it is counted. Everybody preempts meanwhile.
func (p *pair) restart(e *estate) {
	home := e.clone()
	for i := range home.units {
		home.units[i].preempt, home.units[i].preemptDelay = true, 0
	}
	for _, node := range p.keepalived {
		_ = p.l.Do(p.t.Context(), story.Event{Kind: story.Stop, On: node})
	}
	for _, node := range p.keepalived {
		p.l.Replace(node, home.conf(node))
		must(p.t, p.l.Do(p.t.Context(), story.Event{Kind: story.Start, On: node}))
	}
	if err := p.homes(e, 30*time.Second); err != nil {
		p.t.Logf("%s: also after a restart: %v", p.name, err)
		p.lost = true
	}
	for _, node := range p.keepalived {
		must(p.t, p.l.Rewrite(p.t.Context(), node, e.conf(node)))
	}
	time.Sleep(patience)
	p.sent()
	clear(p.announced)
}

// measure looks at everything that was seen since the edit began.
func (p *pair) measure(v *verdict, before, after *estate, began time.Time) {
	was, is := before.whereabouts(), after.whereabouts()
	v.happened = map[netip.Addr]diff.Class{}
	for vip, seen := range p.l.SeenOf() {
		if p.still(vip, was, is) {
			v.happened[vip] = p.happened(vip, was[vip].node, seen.Lost.New)
			v.asked, v.lost, v.gap = v.asked+seen.Lost.Asked, v.lost+seen.Lost.New, max(v.gap, seen.Gap)
		}
	}
	for _, ev := range p.l.AddressEvents(began) {
		switch {
		case !p.still(ev.VIP, was, is) || was[ev.VIP].iface != is[ev.VIP].iface:
		case ev.Added:
			v.added++
		default:
			v.deleted++
		}
	}
	p.listen(v, was, is)
}

// happened is the class of what an address went through.
func (p *pair) happened(vip netip.Addr, home string, lost int) diff.Class {
	switch owners := p.l.Owners(vip); {
	case lost > 0 || len(owners) != 1:
		return diff.Outage
	case owners[0] != home:
		return diff.Moves
	}
	return diff.None
}

// still reports whether an edit is not about an address: it is there before and after.
// What goes to another interface with its instance must be answered for all the same.
func (p *pair) still(vip netip.Addr, was, is map[netip.Addr]vipHome) bool {
	_, before := was[vip]
	_, after := is[vip]
	return before && after
}

// listen goes through the adverts.
func (p *pair) listen(v *verdict, was, is map[netip.Addr]vipHome) {
	strangers := map[netip.Addr]bool{}
	taken := map[int]bool{}
	for _, home := range was {
		taken[home.vrid] = true
	}
	gap := func(vip netip.Addr, at time.Time, vrid int) {
		last, known := p.announced[vip]
		// What goes to another virtual router is announced at that one's times.
		if known && p.still(vip, was, is) && (vrid == last.vrid || !taken[vrid]) {
			due := max(last.due, was[vip].interval, is[vip].interval)
			silence := float64(at.Sub(last.at)) / float64(due)
			switch {
			case silence > 1.5 && 2*p.canary.late(last.at, at) > at.Sub(last.at)-due:
				v.starved++ // nobody was to run: the daemons' own threads neither
			case silence > v.advert:
				v.advert, v.silent = silence, fmt.Sprintf("%s from %s to %s", vip, last.at.Format("15:04:05.000"), at.Format("15:04:05.000"))
			}
		}
	}
	for _, a := range p.sent() {
		from := nodeOf(a.From)
		if a.Priority == 0 {
			v.goodbyes++
			continue
		}
		for _, vip := range a.VIPs {
			if home, known := is[vip]; known && home.node != from && was[vip].node != from {
				strangers[vip] = true
				continue
			}
			gap(vip, a.At, int(a.VRID))
			p.announced[vip] = advertOf{a.At, int(a.VRID), max(was[vip].interval, is[vip].interval)}
		}
	}
	// As of the last thing heard: on a busy machine the ear is behind.
	for vip := range is {
		gap(vip, slices.MaxFunc(slices.Collect(maps.Values(p.heard)), time.Time.Compare), p.announced[vip].vrid)
	}
	for vip := range p.announced {
		if _, is := is[vip]; !is {
			delete(p.announced, vip)
		}
	}
	v.roles = len(strangers)
}

// lately says what has left the machines.
func (p *pair) lately() {
	for _, node := range []string{"a", "b"} {
		for _, a := range p.l.Sent(node, time.Now().Add(-15*time.Second)) {
			p.t.Logf("%s %s: %s VRRPv%d VRID %d priority %d, %d addresses, last %s", a.At.Format("15:04:05.000"), node, a.From, a.Version, a.VRID, a.Priority, len(a.VIPs), a.VIPs[len(a.VIPs)-1])
		}
	}
}

// sent are the adverts that have left the machines since the last call.
func (p *pair) sent() []lab.Advert {
	var all []lab.Advert
	for _, node := range []string{"a", "b"} {
		news := p.l.Sent(node, p.heard[node])
		if len(news) > 0 {
			p.heard[node] = news[len(news)-1].At
		}
		all = append(all, news...)
	}
	slices.SortStableFunc(all, func(x, y lab.Advert) int { return x.At.Compare(y.At) })
	return all
}

func nodeOf(a netip.Addr) string {
	for _, of := range []map[string]netip.Addr{groupAddr, secondAddr, thirdAddr} {
		for node, address := range of {
			if address == a {
				return node
			}
		}
	}
	return a.String()
}

// describe says when the first requests were lost that an edit is not about.
func (p *pair) describe(began time.Time, v *verdict) {
	const few = 20
	losses := slices.DeleteFunc(p.l.Losses(began), func(l lab.Loss) bool { return v.happened[l.VIP] == "" })
	for _, loss := range losses[:min(few, len(losses))] {
		p.t.Logf("lost: %s, asked %s after the edit began", loss.VIP, loss.Asked.Sub(began).Round(time.Millisecond))
	}
}

// judge holds hafile to its word.
func (p *pair) judge(k *kind, v *verdict, began time.Time) {
	if len(p.keepalived) > 0 {
		return
	}
	bad := func(format string, args ...any) {
		p.t.Errorf("%s: %s", k.name, fmt.Sprintf(format, args...))
	}
	if v.lost > 0 {
		p.describe(began, v)
		bad("lost %d of %d probes, %s without an answer", v.lost, v.asked, v.gap)
	}
	if v.deleted > 0 || v.added > 0 {
		bad("%d RTM_DELADDR and %d RTM_NEWADDR of addresses that it is not about", v.deleted, v.added)
	}
	if v.advert > 1.5 {
		bad("no advert for %.2f intervals, of %s", v.advert, v.silent)
		p.lately()
	}
	if v.roles > 0 || v.goodbyes > 0 {
		bad("the other machine spoke for %d addresses, %d goodbyes", v.roles, v.goodbyes)
	}
	if v.homeless != "" {
		p.lost = true
		bad("%s", v.homeless)
	}
}

// tally is what all edits of each kind did.
type tally struct{ rows map[string]*row }

type row struct {
	edits, skipped, homeless int
	verdict
}

func (t *tally) add(name string, v verdict) {
	if t.rows == nil {
		t.rows = map[string]*row{}
	}
	r := t.rows[name]
	if r == nil {
		r = &row{}
		t.rows[name] = r
	}
	if v.skipped {
		r.skipped++
		return
	}
	r.edits++
	r.merge(&v)
}

func (r *row) merge(v *verdict) {
	r.asked, r.lost, r.deleted, r.added = r.asked+v.asked, r.lost+v.lost, r.deleted+v.deleted, r.added+v.added
	r.roles, r.goodbyes, r.starved = r.roles+v.roles, r.goodbyes+v.goodbyes, r.starved+v.starved
	r.gap, r.advert = max(r.gap, v.gap), max(r.advert, v.advert)
	if v.homeless != "" {
		r.homeless++
	}
}

// sum is the whole of it in words.
func (t *tally) sum() string {
	var all row
	for _, r := range t.rows {
		all.edits, all.homeless = all.edits+r.edits, all.homeless+r.homeless
		v := r.verdict
		v.homeless = ""
		all.merge(&v)
	}
	return fmt.Sprintf("%d edits, %d probes, %d lost, longest wait %s, %d RTM_DELADDR, %d RTM_NEWADDR, longest silence %.2f intervals (and %d longer ones while this machine ran nothing), %d changes of role, %d edits that ended wrong",
		all.edits, all.asked, all.lost, all.gap.Round(time.Millisecond), all.deleted, all.added, all.advert, all.starved, all.roles, all.homeless)
}

// renderTable is the table of docs/safe-edits.md.
func renderTable(pairs []*pair) string {
	var b strings.Builder
	b.WriteString("| edit |")
	for _, p := range pairs {
		fmt.Fprintf(&b, " %s: edits | lost | events | silence | roles |", p.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", 5*len(pairs)) + "\n")
	for _, k := range kinds() {
		if pairs[0].costs.rows[k.name] == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s |", k.name)
		for _, p := range pairs {
			fmt.Fprintf(&b, " %s |", p.costs.rows[k.name])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *row) String() string {
	if r == nil || r.edits == 0 {
		return "– | | | |"
	}
	wrong := ""
	if r.homeless > 0 {
		wrong = fmt.Sprintf(", %d for good", r.homeless)
	}
	return fmt.Sprintf("%d | %d%s | %d/%d | %.1f | %d", r.edits, r.lost, wrong, r.deleted, r.added, r.advert, r.roles)
}

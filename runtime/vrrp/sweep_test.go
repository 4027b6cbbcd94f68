package vrrp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// identities are the edits that make another virtual router of one on the wire.
var identities = [][]string{
	{"vrid=52"}, {"vrid=53", "interval=3s"}, {"version=2"}, {"version=2", "password=1111"}, {"version=2", "password=2222"},
	{"version=2", "interval=5s"}, {"version=2", "interval=1s", "vrid=54"}, {"interval=100ms", "vrid=55"},
	{"version=2", "password=1111", "interval=2s"}, {"version=3"},
}

// sweeper is a group whose members take edits of their identity one after the other.
type sweeper struct {
	*stage
	active string
	behind bool            // some member lacks the last edit
	missed map[string]bool // the advert before this one was lost, by stream
}

// TestSweepsNeverMoveTheAddresses: while edits of the wire identity go through a group, in
// whatever order, several of them at once, with single adverts lost, the active stays
// active and all others stay backups; so an address has an owner at every instant, and one
// only. Former identities are retired, in any order, when all members have the last edit.
// Dead members are replaced at any point of it, by one.
func TestSweepsNeverMoveTheAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := begun(t)
		edits := rapid.SliceOfN(rapid.SampledFrom(identities), 1, 3).Draw(t, "edits")
		for i, edit := range edits {
			for _, name := range rapid.Permutation(s.names).Draw(t, "order") {
				if i < len(edits)-1 && rapid.IntRange(0, 3).Draw(t, "left out") == 0 {
					s.behind = true // it gets this edit with the next
					continue
				}
				s.line(name + " sweep version=3 interval=1s vrid=51 plain " + strings.Join(edit, " "))
				s.line("run " + anyTime(t))
				s.same(t)
			}
			if !s.behind && rapid.Bool().Draw(t, "retired before the next edit") {
				s.retire(t)
			}
			s.behind = false
		}
		if rapid.Bool().Draw(t, "the active dies") {
			s.dies(t)
		}
		s.retire(t)
		s.line("run 20s")
		s.same(t)
	})
}

// begun is a group with one active; each member has another priority.
func begun(t *rapid.T) *sweeper {
	s := &sweeper{stage: newStage(t), missed: map[string]bool{}}
	preempt := rapid.Bool().Draw(t, "preempt")
	for i, name := range []string{"a", "b", "c"}[:rapid.IntRange(2, 3).Draw(t, "members")] {
		s.line(fmt.Sprintf("router %s priority=%d source=192.0.2.%d preempt=%t rival=150", name, 150-20*i, i+1, preempt))
	}
	s.active = "a"
	if !preempt {
		s.active = rapid.SampledFrom(s.names).Draw(t, "active")
	}
	s.line(s.active + " start")
	s.line("run 5s")
	for _, name := range s.names {
		if name != s.active {
			s.line(name + " start")
		}
	}
	s.line("run 5s")
	s.out.Reset()
	s.same(t)
	coin := rapid.IntRange(0, 3)
	s.lost = func(f flight, to string) bool {
		stream := fmt.Sprintf("%s %s %x", f.from, to, f.packet[20:28])
		s.missed[stream] = !s.missed[stream] && coin.Draw(t, "lost") == 0
		return s.missed[stream]
	}
	return s
}

func anyTime(t *rapid.T) string {
	return (time.Duration(rapid.IntRange(0, 12000).Draw(t, "ms")) * time.Millisecond).String()
}

// same: nobody has another role.
func (s *sweeper) same(t *rapid.T) {
	for _, name := range s.names {
		want := Backup
		if name == s.active {
			want = Active
		}
		r := s.actors[name].router
		if !s.actors[name].dead && (r.Role() != want || r.Counters().Goodbyes > 0) || strings.Contains(s.out.String(), "->") {
			t.Fatalf("%s is %s, %d goodbyes\n%s", name, r.Role(), r.Counters().Goodbyes, s.out.String())
		}
	}
}

func (s *sweeper) retire(t *rapid.T) {
	for _, name := range rapid.Permutation(s.names).Draw(t, "retired") {
		s.line(name + " retire")
		s.line("run " + anyTime(t))
		s.same(t)
	}
}

// dies: one of the others replaces the active, and only one. Which of them is first is
// up to what each has heard last.
func (s *sweeper) dies(t *rapid.T) {
	s.line("kill " + s.active)
	s.actors[s.active].cut = true
	s.lost = nil
	s.line("run 25s")
	var left []string
	for _, name := range s.names {
		if a := s.actors[name]; !a.dead && a.router.Role() == Active {
			left = append(left, name)
		}
	}
	if len(left) != 1 {
		t.Fatalf("%v are active\n%s", left, s.out.String())
	}
	s.active = left[0]
	s.out.Reset()
	s.same(t)
}

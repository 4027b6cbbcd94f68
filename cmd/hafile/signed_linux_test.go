package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/control"
)

// signedBy is the auth block of a pair that has these keys and signs with the active one.
func signedBy(mode string, active int, keys ...int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  auth {\n    type = \"hmac\"\n    mode = %q\n    active_key = %d\n", mode, active)
	for _, id := range keys {
		fmt.Fprintf(&b, "    key {\n      id = %d\n      secret = credential(\"key%d\")\n    }\n", id, id)
	}
	b.WriteString("  }\n")
	return b.String()
}

// TestSignedPair goes from no signatures to enforced ones and to another key while clients
// ask, without a lost connection; then its active is killed and goes on with numbers that
// its peer takes, and a member with another key is not heard.
func TestSignedPair(t *testing.T) {
	g := group{version: 3, interval: 200 * time.Millisecond, plain: true, a: member{priority: 150}, b: member{priority: 100}}
	s := &signedPair{sweeper{t: t, l: g.up(t), group: g, order: []string{"b", "a"}}}
	for _, step := range []struct{ what, auth string }{
		{"verify", signedBy("receive_only", 1, 1)},
		{"sign", signedBy("permissive", 1, 1)},
		{"enforce", signedBy("enforce", 1, 1)},
		{"add a key", signedBy("enforce", 1, 1, 2)},
		{"sign with it", signedBy("enforce", 2, 1, 2)},
		{"drop the old one", signedBy("enforce", 2, 2)},
	} {
		s.step(step.what, step.auth)
	}
	before := s.counters("b")
	must(t, s.l.Do(t.Context(), story.Event{Kind: story.Kill, On: "a"}))
	must(t, s.l.Do(t.Context(), story.Event{Kind: story.Start, On: "a"}))
	time.Sleep(g.down(100) + noise/2)
	if err := s.l.AwaitOwner(t.Context(), g.vip(), "a", g.down(150)+noise); err != nil {
		t.Fatal(err)
	}
	after := s.counters("b")
	for name, n := range after {
		if strings.HasPrefix(name, "dropped_") && n != before[name] {
			t.Errorf("after the crash b has %s %d", name, n)
		}
	}
	if after["accepted"] <= before["accepted"] {
		t.Error("after the crash b takes nothing of a's")
	}

	// b alone goes back to the old key: neither hears the other, and both count it.
	s.group.signed = signedBy("enforce", 1, 1)
	s.apply("another key", "b", "outage")
	time.Sleep(g.down(100) + noise/2)
	if n := s.counters("b")["dropped_unknown_key"]; n == 0 {
		t.Error("b took what is signed with a key that it does not have")
	}
	if n := s.counters("a")["dropped_unknown_key"]; n == 0 {
		t.Error("a took what is signed with a key that it does not have")
	}
}

type signedPair struct{ sweeper }

func (s *signedPair) apply(what, node, most string) {
	s.t.Helper()
	dir := s.t.TempDir()
	must(s.t, os.WriteFile(filepath.Join(dir, "group.ha.hcl"), []byte(s.group.hcl()), 0o644))
	s.hafile(what, node, "apply", "-auto-approve", "-max-impact="+most, "-no-wait", "-node="+node, dir)
}

// step applies one edit on both members, and no address may move.
func (s *signedPair) step(what, auth string) {
	s.t.Helper()
	s.group.signed = auth
	s.l.Seen()
	began := time.Now()
	for _, name := range s.order {
		s.apply(what, name, "stays")
	}
	time.Sleep(4 * s.group.interval)
	if gap, lost := s.l.Seen(); lost.New > 0 {
		s.t.Errorf("%s: lost %d new connections of %d, %s without an answer", what, lost.New, lost.Asked, gap)
	}
	for _, a := range s.l.Adverts(began) {
		if a.Priority == 0 || a.From == groupAddr["b"] {
			s.t.Errorf("%s: %s sent priority %d", what, a.From, a.Priority)
		}
	}
	for reason, n := range s.counters("b") {
		if strings.HasPrefix(reason, "dropped_") && n > 0 {
			s.t.Errorf("%s: b has %s %d", what, reason, n)
		}
	}
}

func (s *signedPair) counters(node string) map[string]uint64 {
	s.t.Helper()
	var st control.Status
	must(s.t, json.Unmarshal([]byte(s.hafile("status", node, "status", "-json")), &st))
	return st.Instances[0].Counters
}

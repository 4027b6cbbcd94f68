package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
	"hafile/runtime/lab/netns"
)

// TestShadowPredictsKeepalived: beside keepalived on the standby it says backup, and
// active after the other machine has died, as keepalived does. Beside a keepalived that
// holds an address which its plan would not have here, it disagrees. It sends nothing, and
// leaves no file.
func TestShadowPredictsKeepalived(t *testing.T) {
	netns.Needs(t, "keepalived", "keepalived")
	g := group{version: 3, interval: 300 * time.Millisecond, a: member{150, true}, b: member{100, true}, plain: true}
	l := g.up(t)
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(150)+noise))
	time.Sleep(2 * g.interval)

	right := watch(t, l, "b", "b", l.Base)
	right.until(t, "web would be backup")
	time.Sleep(3 * g.interval)
	began := time.Now()
	must(t, l.Do(t.Context(), story.Event{Kind: story.Kill, On: "a"}))
	must(t, l.AwaitHolder(t.Context(), groupVIP, "b", g.down(100)+noise))
	right.until(t, "web would be active")
	time.Sleep(4*g.interval + noise) // longer than a disagreement may last
	if code, said := right.end(t); code != 0 || strings.Contains(said, "disagreement") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	// The plan of a better b, which would not have yielded to a: b holds nothing after a's
	// return, and the plan would.
	g.b.priority = 200
	better := t.TempDir()
	must(t, os.WriteFile(filepath.Join(better, "group.ha.hcl"), []byte(g.hcl()), 0o644))
	must(t, l.Do(t.Context(), story.Event{Kind: story.Start, On: "a"}))
	must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(150)+2*noise))
	wrong := watch(t, l, "b", "b", better)
	wrong.until(t, "disagreement: the addresses are not here, and hafile would be active")
	if code, said := wrong.end(t); code != exitDiffers {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	for _, a := range l.Adverts(began) { // the shadow's would have priority 200
		if a.From == groupAddr["b"] && a.Priority > 100 {
			t.Errorf("an advert of the shadow: %+v", a)
		}
	}
	if holder := l.AwaitOwner(t.Context(), groupVIP, "a", noise); holder != nil {
		t.Errorf("the shadow touched an address: %v", holder)
	}
	for _, dir := range []string{"state", "run"} {
		if left, _ := filepath.Glob(filepath.Join(l.Files(), "b", dir, "*hafile*")); len(left) != 0 {
			t.Errorf("files are left: %v", left)
		}
	}
}

// watched is a shadow that runs on a machine.
type watched struct {
	log, pid string
	done     chan error
	run      func(context.Context, ...string) ([]byte, error)
}

func watch(t *testing.T, l interface {
	Run(context.Context, string, ...string) ([]byte, error)
	Files() string
}, machine, node, dir string) *watched {
	t.Helper()
	at := filepath.Join(l.Files(), machine, "log")
	w := &watched{log: filepath.Join(at, filepath.Base(dir)+"-shadow.log"), pid: filepath.Join(at, "shadow.pid"), done: make(chan error, 1)}
	w.run = func(ctx context.Context, argv ...string) ([]byte, error) { return l.Run(ctx, machine, argv...) }
	command := fmt.Sprintf("echo $$ > %s; exec %s run -shadow -node %s -state-dir /nowhere -run-dir /nowhere %s > %s 2>&1", w.pid, hafile(t), node, dir, w.log)
	go func() {
		_, err := w.run(context.Background(), "/bin/sh", "-c", command)
		w.done <- err
	}()
	return w
}

func (w *watched) said() string {
	raw, _ := os.ReadFile(w.log)
	return string(raw)
}

func (w *watched) until(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !strings.Contains(w.said(), what); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not said: %s\n%s", what, w.said())
		}
	}
}

// end stops it as a person does, and returns its exit code.
func (w *watched) end(t *testing.T) (code int, said string) {
	t.Helper()
	if out, err := w.run(t.Context(), "/bin/sh", "-c", "kill -INT $(cat "+w.pid+")"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err := <-w.done
	if exited, ok := err.(interface{ ExitCode() int }); ok {
		code = exited.ExitCode()
	}
	t.Logf("%s", w.said())
	return code, w.said()
}

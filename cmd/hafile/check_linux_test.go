package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hafile/lang/story"
)

// TestAProbeMovesTheVIP: the web server of the active machine dies, the check that hafile
// makes itself says so, the other machine takes the address within what the plan promises,
// and gives it back when the server is there again.
func TestAProbeMovesTheVIP(t *testing.T) {
	for name, block := range map[string]string{
		"http": `http { url = "http://127.0.0.1/" }`,
		"tcp":  `tcp { address = "127.0.0.1:80" }`,
	} {
		t.Run(name, func(t *testing.T) {
			g := group{version: 3, interval: 200 * time.Millisecond, a: member{priority: 150}, b: member{priority: 100}, plain: true, check: block}
			l := g.up(t)
			must(t, l.AwaitOwner(t.Context(), groupVIP, "a", g.down(g.a.priority)+noise))
			const detect = 550 * time.Millisecond // an interval, one more, and a timeout
			must(t, l.Do(t.Context(), story.Event{Kind: story.Fail, On: "a", What: "check.web"}))
			must(t, l.AwaitHolder(t.Context(), groupVIP, "b", detect+g.down(g.b.priority)+noise))
			out, err := l.Run(t.Context(), "a", hafile(t), "status", "-json", "-socket="+filepath.Join(l.Files(), "a", "run", "hafile.sock"))
			if err != nil || !strings.Contains(string(out), "connection refused") {
				t.Errorf("the status does not say what the check found: %v\n%s", err, out)
			}
			must(t, l.Do(t.Context(), story.Event{Kind: story.Recover, On: "a", What: "check.web"}))
			must(t, l.AwaitOwner(t.Context(), groupVIP, "a", detect+g.down(g.a.priority)+2*g.interval+noise))
		})
	}
}

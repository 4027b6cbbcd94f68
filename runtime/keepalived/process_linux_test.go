package keepalived

import (
	"os"
	"testing"
)

func TestStatOfAProcess(t *testing.T) {
	tail := " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for _, tt := range []struct {
		line string
		want stat
	}{
		{"17 (keepalived) S" + tail, stat{"keepalived", 'S', 1, 4711}},
		{"17 (keepalived_vrrp) T" + tail, stat{"keepalived_vrrp", 'T', 1, 4711}},
		{"17 (a) S 9 (b) Z" + tail, stat{"a) S 9 (b", 'Z', 1, 4711}},
	} {
		if got, err := parseStat(tt.line); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.line, got, err)
		}
	}
	for _, line := range []string{"", "17", "17 (x", "17 (x) S 1 2", ") ("} {
		if got, err := parseStat(line); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func FuzzStat(f *testing.F) {
	f.Add("17 (keepalived) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20")
	f.Fuzz(func(t *testing.T, line string) { _, _ = parseStat(line) })
}

func TestTheUnitIsTheLastServiceOfTheGroup(t *testing.T) {
	for cgroups, want := range map[string]string{
		"0::/system.slice/keepalived.service\n":                            "keepalived.service",
		"12:pids:/user.slice\n1:name=systemd:/system.slice/ka@1.service\n": "ka@1.service",
		"0::/user.slice/user-0.slice/session-1.scope\n":                    "",
		"": "",
	} {
		if got := unitOf(cgroups); got != want {
			t.Errorf("%q: %q", cgroups, got)
		}
	}
}

func TestAnotherProcessIsNoKeepalived(t *testing.T) {
	if _, err := Open(os.Getpid(), os.Getpid()); err == nil {
		t.Error("this test is taken for keepalived")
	}
	d := &Daemon{Parent: Process{os.Getpid(), 1}} // the number is used again
	if err := d.Verify(); err == nil || d.Alive() {
		t.Error("a process with another start is taken for it")
	}
	if err := d.End(); err != nil { // would end this test
		t.Error(err)
	}
}

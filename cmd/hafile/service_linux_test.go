package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A killed service must not be started again by whoever watches it, and afterwards not at
// the next boot; a takeover that fails leaves nothing behind.
func TestTheServiceOfKeepalivedIsHeldAndRetired(t *testing.T) {
	bin, units, said := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "said")
	script := "#!/bin/sh\necho \"$@ $(cat " + units + "/keepalived.service.d/*.conf 2>/dev/null | tr '\\n' ' ')\" >> " + said + "\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	s, err := holdService(t.Context(), units, "keepalived.service")
	must(t, err)
	must(t, s.retire(t.Context()))
	s, err = holdService(t.Context(), units, "keepalived.service")
	must(t, err)
	must(t, s.giveBack(t.Context()))
	got, _ := os.ReadFile(said)
	want := []string{
		"daemon-reload [Service] Restart=no", "stop keepalived.service [Service] Restart=no", "disable keepalived.service [Service] Restart=no", "daemon-reload",
		"daemon-reload [Service] Restart=no", "daemon-reload",
	}
	var lines []string
	for line := range strings.Lines(string(got)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("systemctl was told:\n%s", got)
	}
	if left, _ := os.ReadDir(units); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	none, err := holdService(t.Context(), filepath.Join(units, "missing"), "keepalived.service")
	if err != nil || none.retire(t.Context()) != nil || none.giveBack(t.Context()) != nil {
		t.Errorf("without systemd: %v", err)
	}
}

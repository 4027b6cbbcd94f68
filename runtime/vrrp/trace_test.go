package vrrp

import (
	"net/netip"
	"strings"
	"testing"

	"hafile/runtime/vrrp/wire"
)

func TestTracesAreReadableAndHoldNoPassword(t *testing.T) {
	spec := standard()
	spec.Version, spec.Auth, spec.Password = 2, wire.AuthPass, wire.NewPassword("s3cr3t")
	r := New(spec)
	a, from := r.Message(100), netip.MustParseAddr("192.0.2.9")
	events := []Event{
		{Kind: Start}, {Kind: Start, Holding: true, Fresh: true}, {Kind: Tick},
		{Kind: Heard, Advert: &a, From: from}, {Kind: Rejected, Advert: &a, From: from, Reason: wire.BadTTL},
		{Kind: Priority, Priority: 96}, {Kind: Failing, Failing: "nginx"}, {Kind: Failing},
		{Kind: Link, Link: "eth0 is down"}, {Kind: Installed}, {Kind: Refused, Refusal: "file exists"},
		{Kind: Frozen}, {Kind: Stop},
	}
	var got []string
	for _, ev := range events {
		got = append(got, ev.String())
	}
	got = append(got, r.String())
	want := `start
start holding fresh
tick
192.0.2.9: v2 vrid 51 priority 100 every 1s PASS 192.0.2.100
192.0.2.9: bad_ttl
priority 96
failing nginx
failing nothing
link eth0 is down
installed
refused: file exists
frozen
stop
vrid 51 waiting priority 100`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}

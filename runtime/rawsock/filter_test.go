package rawsock

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"hafile/runtime/vrrp/wire"
)

func packet(vrid uint8) []byte {
	return wire.Append(nil, wire.Header{Source: netip.MustParseAddr("10.0.0.2")}, &wire.Advert{
		Version: 3, VRID: vrid, Priority: 100, Interval: time.Second,
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.100")},
	})
}

// vm runs a filter without a kernel. Its random numbers are fixed: the sampling is tried
// with a real socket.
func vm(t testing.TB, ids []uint8) *bpf.VM {
	t.Helper()
	return vmAt(t, behindIPv4, ids)
}

func vmAt(t testing.TB, where layout, ids []uint8) *bpf.VM {
	t.Helper()
	raw, err := filter(where, setOf(ids), false)
	if err != nil {
		t.Fatal(err)
	}
	program, whole := bpf.Disassemble(raw)
	if !whole {
		t.Fatal("the program does not disassemble")
	}
	m, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFilterKnowsEverySet: for no id, one, some and all, exactly those are delivered,
// behind IP options too.
func TestFilterKnowsEverySet(t *testing.T) {
	all := make([]uint8, 255)
	for i := range all {
		all[i] = uint8(i + 1)
	}
	for _, ids := range [][]uint8{nil, {1}, {255}, {7, 9}, {1, 128, 255}, all[:254], all} {
		m := vm(t, ids)
		for vrid := 1; vrid <= 255; vrid++ {
			p := packet(uint8(vrid))
			withOptions := slices.Insert(slices.Clone(p), 20, 1, 1, 1, 1)
			withOptions[0] = 4<<4 | 6
			for _, p := range [][]byte{p, withOptions} {
				n, err := m.Run(p)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := n >= len(p), slices.Contains(ids, uint8(vrid)); got != want {
					t.Fatalf("%v: VRID %d delivered: %v", ids, vrid, got)
				}
			}
		}
	}
}

// TestFilterKnowsEveryLayout: the id is found behind an authentication header, and where
// there is no IP header. What others protect with AH is not for us.
func TestFilterKnowsEveryLayout(t *testing.T) {
	key := wire.NewAHKey(wire.NewPassword("ahpass12"))
	authenticated := func(vrid uint8) []byte {
		return wire.Append(nil, wire.Header{Source: netip.MustParseAddr("10.0.0.2"), ID: 1}, &wire.Advert{
			Version: 2, VRID: vrid, Priority: 100, Interval: time.Second, Auth: wire.AuthAH, AH: wire.AH{Sequence: 1, Key: key},
			Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.100")},
		})
	}
	message := func(vrid uint8) []byte {
		return wire.AppendMessage(nil, wire.Header{Source: netip.MustParseAddr("fe80::2")}, &wire.Advert{
			Version: 3, VRID: vrid, Priority: 100, Interval: time.Second,
			Addresses: []netip.Addr{netip.MustParseAddr("fe80::100")},
		})
	}
	foreign := authenticated(7)
	foreign[20] = 6 // TCP
	for _, c := range []struct {
		name   string
		where  layout
		packet []byte
		want   bool
	}{
		{"AH, ours", behindAH, authenticated(7), true},
		{"AH, another's", behindAH, authenticated(8), false},
		{"AH around TCP", behindAH, foreign, false},
		{"AH, too short for an id", behindAH, authenticated(7)[:45], true},
		{"IPv6, ours", atStart, message(7), true},
		{"IPv6, another's", atStart, message(8), false},
		{"IPv6, too short for an id", atStart, message(8)[:1], true},
	} {
		n, err := vmAt(t, c.where, []uint8{7}).Run(c.packet)
		if err != nil || n >= len(c.packet) != c.want {
			t.Errorf("%s: delivered %d bytes of %d, %v", c.name, n, len(c.packet), err)
		}
	}
}

// TestFilterDeliversWhatIsTooShort: it must be counted, not lost.
func TestFilterDeliversWhatIsTooShort(t *testing.T) {
	n, err := vm(t, []uint8{7}).Run(packet(7)[:21])
	if err != nil || n == 0 {
		t.Errorf("delivered %d bytes, %v", n, err)
	}
}

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
	raw, err := filter(setOf(ids), false)
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

// TestFilterDeliversWhatIsTooShort: it must be counted, not lost.
func TestFilterDeliversWhatIsTooShort(t *testing.T) {
	n, err := vm(t, []uint8{7}).Run(packet(7)[:21])
	if err != nil || n == 0 {
		t.Errorf("delivered %d bytes, %v", n, err)
	}
}

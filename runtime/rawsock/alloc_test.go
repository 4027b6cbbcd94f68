//go:build linux && !race

// The race detector makes sync.Pool forget at random, and package ipv4 keeps its buffers
// in one.

package rawsock

import "testing"

// TestThePathAllocatesNothing: received, and sent in a batch.
func TestThePathAllocatesNothing(t *testing.T) {
	a, b := cable(t)
	tx, rx := a.open(t), b.open(t, 7)
	m := message(7, 100)
	send := func() {
		for range 8 {
			tx.Queue(m, source)
		}
		tx.Flush()
	}
	if n := testing.AllocsPerRun(100, send); n != 0 {
		t.Errorf("sending: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { rx.Next() }); n != 0 {
		t.Errorf("receiving: %v allocations", n)
	}
	for ok := true; ok; {
		_, _, _, ok = rx.Next()
	}
	if n := testing.AllocsPerRun(100, func() { rx.Next() }); n != 0 {
		t.Errorf("finding nothing: %v allocations", n)
	}
}

package netlink

import "testing"

func FuzzParseRoute(f *testing.F) {
	f.Add([]byte{2, 16, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 8, 0, 0})
	f.Add([]byte{10, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := parseRoute(b); err == nil && w.To != w.To.Masked() {
			t.Errorf("%v", w)
		}
	})
}

package netns

import (
	"os/exec"
	"sync"
)

// TB is what the helpers for tests need of a *testing.T.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// unavailable is why namespaces cannot be made here, nil if they can. One attempt
// decides for the process: it is a matter of privileges, which do not come and go.
var unavailable = sync.OnceValue(func() error {
	n, err := New()
	if err != nil {
		return err
	}
	return n.Close()
})

// Skip skips the test, saying why, where namespaces cannot be made.
func Skip(t TB) {
	t.Helper()
	if err := unavailable(); err != nil {
		t.Skipf("needs CAP_SYS_ADMIN and CAP_NET_ADMIN: %v", err)
	}
}

// NewT is [New] for a test, which it skips where namespaces cannot be made. The
// namespace is closed with the test.
func NewT(t TB) *NS {
	t.Helper()
	Skip(t)
	n, err := New()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// SegmentT is [NewSegment] for a test.
func SegmentT(t TB) *Segment {
	t.Helper()
	Skip(t)
	s, err := NewSegment()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// NodeT is a namespace with one port on a segment.
func NodeT(t TB, s *Segment, p Port) *NS {
	t.Helper()
	n := NewT(t)
	if err := s.Connect(n, p); err != nil {
		t.Fatalf("%v", err)
	}
	return n
}

// Needs skips the test where a program is not installed, saying which package of Debian
// has it, and returns where it is.
func Needs(t TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s: apt-get install %s", program, pkg)
	}
	return path
}

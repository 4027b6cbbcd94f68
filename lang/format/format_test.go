package format

import (
	"bytes"
	"testing"
)

func TestFormat(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"alignment", "node \"a\" {\naddress=\"10.0.0.1\"\n  match = []\n}", "node \"a\" {\n  address = \"10.0.0.1\"\n  match   = []\n}\n"},
		{"comments stay", "# lead\na = 1 # tail\n", "# lead\na = 1 # tail\n"},
		{"blank lines stay", "a {\n\n}\n\n\nb {}\n", "a {\n\n}\n\n\nb {}\n"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ds := Format([]byte(tt.src), "x.ha.hcl")
			if ds.HasErrors() || string(got) != tt.want {
				t.Errorf("%q, %v", got, ds)
			}
		})
	}
}

func TestBrokenFileIsLeftAlone(t *testing.T) {
	src := []byte("a   = \nb {")
	got, ds := Format(src, "x.ha.hcl")
	if !ds.HasErrors() || !bytes.Equal(got, src) {
		t.Errorf("%q, %v", got, ds)
	}
}

func TestJSONIsLeftAlone(t *testing.T) {
	src := []byte(`{"node":   {}}`)
	got, ds := Format(src, "x.ha.json")
	if ds.HasErrors() || !bytes.Equal(got, src) {
		t.Errorf("%q, %v", got, ds)
	}
}

// TestWhatTheLayoutWouldChangeIsLeftAlone: found by FuzzFormat.
func TestWhatTheLayoutWouldChangeIsLeftAlone(t *testing.T) {
	src := []byte("A=I8888.8 .0\n")
	got, ds := Format(src, "x.ha.hcl")
	if ds.HasErrors() || !bytes.Equal(got, src) {
		t.Errorf("%q, %v", got, ds)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("a {\n  b = [1,\n2]\n}\n"))
	f.Add([]byte("a = <<EOT\n  x ${y}\nEOT\n"))
	f.Add([]byte("a = 1\r\nb=2\r\n"))
	f.Add([]byte("\ufeffa = 1"))
	f.Fuzz(func(t *testing.T, src []byte) {
		once, ds := Format(src, "x.ha.hcl")
		if ds.HasErrors() {
			return
		}
		twice, ds := Format(once, "x.ha.hcl")
		if ds.HasErrors() {
			t.Fatalf("the result does not parse: %v\n%q", ds, once)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("not idempotent:\n%q\n%q", once, twice)
		}
	})
}

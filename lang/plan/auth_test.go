package plan

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	for secret, want := range map[string]int{
		strings.Repeat("k", 32): 32, strings.Repeat("k", 64): 64, strings.Repeat("k", 31): 0, strings.Repeat("k", 65): 0, "": 0,
		"hex:" + strings.Repeat("0f", 32): 32, "hex:" + strings.Repeat("0f", 64): 64, "hex:" + strings.Repeat("0f", 31): 0,
		"hex:" + strings.Repeat("0g", 32): 0, "hex:" + strings.Repeat("0", 65): 0,
	} {
		if key, err := KeyBytes(secret); len(key) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d bytes, %v", secret, len(key), err)
		}
	}
}

// No secret makes it panic, none is shown by an error, and a key says itself again.
func FuzzKeyBytes(f *testing.F) {
	f.Add("hex:" + strings.Repeat("2a", 40))
	f.Add(strings.Repeat("1", 32))
	f.Fuzz(func(t *testing.T, secret string) {
		key, err := KeyBytes(secret)
		switch {
		case err != nil && len(secret) > 8 && strings.Contains(err.Error(), secret):
			t.Errorf("shown: %v", err)
		case err != nil:
			return
		case len(key) < KeyMin || len(key) > KeyMax:
			t.Errorf("%d bytes", len(key))
		}
		again, err := KeyBytes("hex:" + hex.EncodeToString(key))
		if err != nil || string(again) != string(key) {
			t.Errorf("another key: %v", err)
		}
	})
}

package wire

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Password is the clear text of version 2, padded with zeros. No verb of fmt and no
// encoder shows it.
type Password [8]byte

// NewPassword cuts what is longer than 8 bytes, as keepalived does.
func NewPassword(secret string) Password {
	var p Password
	copy(p[:], secret)
	return p
}

// Equal compares in constant time.
func (p Password) Equal(other Password) bool {
	return subtle.ConstantTimeCompare(p[:], other[:]) == 1
}

const hidden = "(hidden)"

func hide(w io.Writer) { _, _ = io.WriteString(w, hidden) }

// Format writes a placeholder whatever the verb.
func (Password) Format(s fmt.State, _ rune) { hide(s) }

// MarshalText writes a placeholder; encoding/json and log/slog ask it.
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }

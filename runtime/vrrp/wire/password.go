package wire

import (
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

const hidden = "(hidden)"

// Format writes a placeholder whatever the verb.
func (Password) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// MarshalText writes a placeholder; encoding/json and log/slog ask it.
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }

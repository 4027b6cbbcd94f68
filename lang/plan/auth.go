package plan

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The types of authentication.
const (
	AuthPass = "pass" // VRRPv2, in clear (RFC 2338, 5.3.6)
	AuthAH   = "ah"   // VRRPv2 over IPv4, HMAC-MD5-96 (RFC 2402)
	AuthHMAC = "hmac" // the trailer of keepalived 2.4 and later, any version and family
)

// Modes of the trailer: who signs, and who takes what is not signed. A router without it
// drops what is signed, so that a group goes through them in this order, one by one.
const (
	HMACReceiveOnly = "receive_only" // signs nothing, takes everything
	HMACPermissive  = "permissive"   // signs, takes everything
	HMACEnforce     = "enforce"      // signs, takes what is signed
)

// What a replayed advert is told by.
const (
	ReplayTime      = "time"      // by the sender's clock, within the window
	ReplayMonotonic = "monotonic" // by the sequence alone
)

// Auth is how adverts are told from a stranger's.
type Auth struct {
	Type     string `json:"type"`
	Password Secret `json:"password,omitzero"` // of "pass" and "ah"; 8 bytes count

	// The rest is of "hmac". Keys are taken from the peers; ActiveKey signs.
	Keys       []AuthKey `json:"keys,omitempty"`
	ActiveKey  uint8     `json:"active_key,omitempty"`
	Mode       string    `json:"mode,omitempty"`
	AntiReplay string    `json:"anti_replay,omitempty"`
	// WindowMs is how far a sender's clock may be off, 1000..300000; 0: three adverts,
	// at least 5 s.
	WindowMs int64 `json:"window_ms,omitempty"`
}

// The bounds of a key in bytes.
const (
	KeyMin = 32
	KeyMax = 64
)

// KeyBytes is what a secret is as a key: its bytes as they are, or behind "hex:" those that
// it writes in hexadecimal. An error says what the secret has, and shows nothing of it.
func KeyBytes(secret string) ([]byte, error) {
	key := []byte(secret)
	if digits, is := strings.CutPrefix(secret, "hex:"); is {
		var err error
		if key, err = hex.DecodeString(digits); err != nil {
			return nil, errors.New("has something else than pairs of hexadecimal digits behind hex")
		}
	}
	if len(key) < KeyMin || len(key) > KeyMax {
		return nil, fmt.Errorf("has %d bytes: %d to %d are needed", len(key), KeyMin, KeyMax)
	}
	return key, nil
}

// AuthKey is one key of the trailer: 32 to 64 bytes, told apart by a number 1..255.
type AuthKey struct {
	ID  uint8  `json:"id"`
	Key Secret `json:"key"`
	Src Src    `json:"src,omitzero"`
}

// secrets are the ones that the auth block holds.
func (a *Auth) secrets() []*Secret {
	all := []*Secret{&a.Password}
	for i := range a.Keys {
		all = append(all, &a.Keys[i].Key)
	}
	return all
}

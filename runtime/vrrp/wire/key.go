package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
)

// KeyMin and KeyMax bound the length of a signing key in bytes.
const (
	KeyMin = 32
	KeyMax = 64
)

// Key is one secret of a [Ring]. It belongs to one goroutine.
type Key struct {
	id uint8
	keyed
}

// NewKey takes 32 to 64 bytes and an id of 1..255.
func NewKey(id uint8, secret []byte) (*Key, error) {
	switch {
	case id == 0:
		return nil, errors.New("key id 0")
	case len(secret) < KeyMin || len(secret) > KeyMax:
		return nil, fmt.Errorf("key %d has %d bytes, not %d to %d", id, len(secret), KeyMin, KeyMax)
	}
	return &Key{id, newKeyed(sha256.New, secret)}, nil
}

// ID of the key on the wire.
func (k *Key) ID() uint8 { return k.id }

// Format writes a placeholder whatever the verb.
func (Key) Format(s fmt.State, _ rune) { hide(s) }

// MarshalText writes a placeholder; encoding/json and log/slog ask it.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Ring is the keys that a router accepts, and the one that it signs with. It belongs to
// one goroutine.
type Ring struct {
	keys   []*Key
	active *Key
}

// NewRing refuses a second key with the same id, and an active one that is not there.
func NewRing(active uint8, keys ...*Key) (*Ring, error) {
	r := &Ring{keys: slices.Clone(keys)}
	for i, k := range keys {
		if r.key(k.id) != keys[i] {
			return nil, fmt.Errorf("two keys have the id %d", k.id)
		}
	}
	if r.active = r.key(active); r.active == nil {
		return nil, fmt.Errorf("there is no key %d", active)
	}
	return r, nil
}

// Active is the key to sign with.
func (r *Ring) Active() *Key { return r.active }

// Has reports whether a key with this id is in the ring.
func (r *Ring) Has(id uint8) bool { return r.key(id) != nil }

func (r *Ring) key(id uint8) *Key {
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// Verify says whether a signed advert was signed with a key of the ring: OK, UnknownKey
// or BadSignature. It reads the packet that a was parsed from, which must not have
// changed since. Whether its sequence number is new is for [Replay] to say.
func (r *Ring) Verify(a *Advert) Reason {
	k := r.key(a.Trailer.ID)
	switch {
	case k == nil:
		return UnknownKey
	case !k.verify(&a.Trailer):
		return BadSignature
	}
	return OK
}

// Format writes a placeholder whatever the verb.
func (Ring) Format(s fmt.State, _ rune) { hide(s) }

// MarshalText writes a placeholder; encoding/json and log/slog ask it.
func (Ring) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// keyed is an HMAC with room to work in, so that using it allocates nothing. The hash
// keeps the states that the key leads to, not the key.
type keyed struct {
	hash    hash.Hash
	scratch [64]byte
	out     [sha256.Size]byte
}

func newKeyed(h func() hash.Hash, secret []byte) keyed { return keyed{hash: hmac.New(h, secret)} }

func (k *keyed) sum(parts ...[]byte) []byte {
	k.hash.Reset()
	for _, p := range parts {
		_, _ = k.hash.Write(p)
	}
	return k.hash.Sum(k.out[:0])
}

package wire

// Reason says why a packet was dropped.
type Reason uint8

const (
	OK Reason = iota

	// Found in the packet alone, in the order of the checks.
	BadHeader          // no IPv4 header, a fragment, or less than it promises
	UnsupportedFamily  // IPv6 where IPv4 is read
	UnsupportedAH      // IP protocol 51 around VRRP
	WrongProtocol      // neither
	BadAH              // not as keepalived fills it in, or around something else
	BadTTL             // not 255, or out of a peer's bounds
	WrongDestination   // not the multicast group, or not unicast
	Truncated          // shorter than its count of addresses, or without authentication data
	UnsupportedVersion // neither 2 nor 3
	BadType            // not an advertisement
	NoAddress          // count 0 (RFC 9568, 7.1)
	BadLength          // longer than its count of addresses
	BadChecksum        // in no form that is accepted
	BadVRID            // 0
	BadInterval        // 0 (RFC 9568, 5.2.7)
	NotLinkLocal       // the first IPv6 address (RFC 9568, 5.2.9)
	UnsupportedTrailer // signed by HMAC, as keepalived 2.4 does
	UnsupportedAuth    // version 2, neither none nor PASS; AH without its header
	MalformedTrailer   // not the one type there is, key 0, or reserved bits

	// Found by who knows the routers.
	UnknownVRID      // no router on this interface has it
	UnknownPeer      // unicast from an address that is no peer of that router
	OwnSource        // sent from an address of this router
	VersionMismatch  // 2 against 3
	AuthTypeMismatch // none against PASS
	AuthFailed       // another password
	IntervalMismatch // version 2 with another interval

	// Found by a key.
	Unsigned     // where a signature is demanded
	Stale        // signed too far from our clock
	UnknownKey   // signed with a key that is not in the ring
	BadSignature // not signed with the key that it names
	Replayed     // signed, and not newer than the last one of its sender

	Reasons // how many there are
)

var reasonNames = [Reasons]string{
	OK:                 "ok",
	BadHeader:          "bad_header",
	UnsupportedFamily:  "unsupported_family",
	UnsupportedAH:      "unsupported_ah",
	WrongProtocol:      "wrong_protocol",
	BadAH:              "bad_ah",
	BadTTL:             "bad_ttl",
	WrongDestination:   "wrong_destination",
	Truncated:          "truncated",
	UnsupportedVersion: "unsupported_version",
	BadType:            "bad_type",
	NoAddress:          "no_address",
	BadLength:          "bad_length",
	BadChecksum:        "bad_checksum",
	BadVRID:            "bad_vrid",
	BadInterval:        "bad_interval",
	NotLinkLocal:       "not_link_local",
	UnsupportedTrailer: "unsupported_trailer",
	UnsupportedAuth:    "unsupported_auth",
	MalformedTrailer:   "malformed_trailer",
	UnknownVRID:        "unknown_vrid",
	UnknownPeer:        "unknown_peer",
	OwnSource:          "own_source",
	VersionMismatch:    "version_mismatch",
	AuthTypeMismatch:   "auth_type_mismatch",
	AuthFailed:         "auth_failed",
	IntervalMismatch:   "interval_mismatch",
	Unsigned:           "unsigned",
	Stale:              "stale",
	UnknownKey:         "unknown_key",
	BadSignature:       "bad_signature",
	Replayed:           "replayed",
}

// String is the label of the counter; it never changes.
func (r Reason) String() string { return reasonNames[r] }

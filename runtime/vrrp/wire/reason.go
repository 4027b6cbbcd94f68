package wire

// Reason says why a packet was dropped.
type Reason uint8

const (
	OK Reason = iota

	// Found in the packet alone, in the order of the checks.
	BadHeader          // no IPv4 header, a fragment, or less than it promises
	UnsupportedFamily  // IPv6
	UnsupportedAH      // IP protocol 51 around VRRP
	WrongProtocol      // neither
	BadTTL             // not 255
	WrongDestination   // not the multicast group
	Truncated          // shorter than its count of addresses, or without authentication data
	UnsupportedVersion // neither 2 nor 3
	BadType            // not an advertisement
	NoAddress          // count 0 (RFC 9568, 7.1)
	BadLength          // longer than its count of addresses
	BadChecksum        // in neither form
	BadVRID            // 0
	BadInterval        // 0 (RFC 9568, 5.2.7)
	UnsupportedTrailer // signed by HMAC, as keepalived 2.4 does
	UnsupportedAuth    // version 2, neither none nor PASS
	UnknownVRID        // no router on this interface has it
	OwnSource          // sent from an address of this router
	VersionMismatch    // 2 against 3
	AuthTypeMismatch   // none against PASS
	AuthFailed         // another password
	IntervalMismatch   // version 2 with another interval
	Reasons            // how many there are
)

var reasonNames = [Reasons]string{
	OK:                 "ok",
	BadHeader:          "bad_header",
	UnsupportedFamily:  "unsupported_family",
	UnsupportedAH:      "unsupported_ah",
	WrongProtocol:      "wrong_protocol",
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
	UnsupportedTrailer: "unsupported_trailer",
	UnsupportedAuth:    "unsupported_auth",
	UnknownVRID:        "unknown_vrid",
	OwnSource:          "own_source",
	VersionMismatch:    "version_mismatch",
	AuthTypeMismatch:   "auth_type_mismatch",
	AuthFailed:         "auth_failed",
	IntervalMismatch:   "interval_mismatch",
}

// String is the label of the counter; it never changes.
func (r Reason) String() string { return reasonNames[r] }

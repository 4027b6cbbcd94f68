package schema

import (
	"net/netip"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// AddressValue is an address as it was written.
type AddressValue struct {
	IP netip.Addr
	// Prefix is the segment; not valid where no prefix was written.
	Prefix netip.Prefix
}

// Reference names another thing.
type Reference struct {
	To    plan.Addr
	Range diag.Range
}

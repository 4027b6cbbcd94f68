// Package kernel is the host's network as values: which addresses should be there, which
// are, and what to do about the difference; and the same for what is there because of
// them (see [Thing]): routes and rules, the macvlan of a virtual MAC, the filter of
// addresses that take no packets. It has no socket and no clock. [Ledger]
// decides, and acts through a [Host]: the real one is package netlink, the one for
// tests and simulations is [Fake], which prints itself as ip(8) commands.
//
// Three rules hold whatever happens.
//
// Adds go before deletes. The kernel drops every secondary address of a subnet with its
// primary, so deleting first could take a neighbour down for a moment; and an address
// that moves between two routers must not be missed in between.
//
// Strangers' addresses and things are never deleted or changed. Ours is what the record of an
// earlier process lists, what carries our tag, and what we have added.
//
// What is read back counts, not what a command answered: the kernel answers 0 to some
// replacements that it does not make, and an address can be gone again a moment later.
package kernel

// Package netlink owns this host's addresses as far as hafile has a say in them, and what
// goes with them. It is the only part of the daemon that speaks netlink. The caller says what should be there
// ([Owner.Want]); the owner makes it so by the rules of package kernel, and tells what is
// really there.
//
// One goroutine owns two sockets. On one it sends commands and waits for their answers.
// What arrives on the other, the kernel's events, is only a hint that something has
// changed: it makes the owner look at everything and compare. So a lost event, an
// overflowing buffer and a message of somebody else cost one look and can do no harm. A
// look at 200 addresses takes about 0.2 ms; a storm of events makes one look in 5 ms.
// Without any event there is one look every 30 s. Routes, rules and nftables are listened
// to and looked at only while something of them is wanted or was ours: a router with a
// full table must not have the owner look for each of its changes.
//
// Sockets belong to the network namespace of the thread that calls [Open].
package netlink

// Package node decides for this machine: all its virtual routers, the priorities that
// checks give them, the swap of one plan for another, and which addresses the kernel
// should have. Like package vrrp it has no clock, no socket, no goroutine and no chance
// in it; whoever owns it calls one method at a time.
//
// Every method takes the present instant and appends what is to be done to out, in the
// order in which it must happen:
//
//	Send          adverts first: a lesser active falls silent before anything else
//	Silence       addresses that must not be announced any more
//	Want          the whole wanted kernel state, at most once a call, only if it changed
//	Transitioned  changes of role
//	Announce      addresses to announce, all of them up
//
// A router's state is kept under its plan.WireKey, so that a rename costs nothing. The
// wanted state is the union over the routers that have claimed: what two of them want
// never leaves the set while an address moves from one to the other, and an address
// wanted before and after a change is no operation for the kernel.
//
// An address is announced when the kernel has reported it and not before. The owner of
// the kernel state therefore reports after every Want, also when it had nothing to do.
//
// A router that left the plan stays until it is gone: it says goodbye and holds its
// addresses for a successor as package vrrp describes.
//
// An instance whose wire identity changes keeps its router, which has the former identity
// beside the new one until a plan leaves it out (former.go). On a former interface the
// addresses stay as well, and nothing depends on them: it may be gone already.
//
// A panic in one router stops that router only: it says goodbye, gives up its addresses
// and is in fault until the next plan is committed.
package node

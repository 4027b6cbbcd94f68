// Package vrrp decides for one virtual router: what was heard and which deadlines have
// passed go in, what to send and whether to hold the addresses comes out. It has no
// socket, no clock, no goroutine and no chance in it; the same events give the same
// effects.
//
// The words are those of RFC 9568. keepalived and the older RFCs say MASTER for active;
// here that word appears only where programs of others read it.
//
//	                 start delay over
//	      waiting ─────────────────────▶ backup ◀─────────────────────────┐
//	         │ priority 255, or            │ ▲                            │
//	         │ adopted     nothing heard   │ │ a better advert            │
//	         │         for a down interval ▼ │                            │
//	         └──────────────────────────▶ active ◀── nobody came ──┐      │
//	                                       │                       │      │
//	                     stop, or an offer ▼                       │      │
//	                                     leaving ──────────────────┘      │
//	                                       │ a successor's advert ────────┘ (offer)
//	                                       ▼ (stop)
//	                                     waiting
//
//	any role ── link, kernel or check fails, a stranger speaks another dialect ──▶ fault
//	fault ── all is well again ──▶ backup, or active with priority 255
//
// Four things go beyond the RFC, each because clients lose packets without it:
//
// Leaving. A router that leaves on purpose sends priority 0 and goes on holding its
// addresses until its successor's first advert, three intervals and the largest skew at
// the most. RFC 9568, 6.4.3 would have it release them at once, and then nobody answers
// for the successor's skew.
//
// Offer. An active whose effective priority falls below what another member can have, or
// whose check fails, does not wait to be timed out: it leaves as above, and resumes if
// nobody better comes. With a failed check it then sends priority 1, so that any fit
// member takes over.
//
// Grace. A router that gives way to a better advert keeps its addresses for some
// milliseconds more: the new active announces itself only after its first advert.
//
// Last word. A router that gives way to a better advert sends one more of its own. The
// winner may have been cut off or asleep and not know that hosts have learned another
// address; hearing a lesser active it announces itself again.
//
// Sweeps. An edit of what the wire sees (VRID, version, interface, and in version 2 the
// interval and the password) takes two of them through the group. In the first a router
// keeps the face that it had beside the new one: it sends as both, at the pace of the
// faster, and silence ends with an advert as either. Members may take it in any order, for
// those with and those without it hear each other all the time. The second leaves the old
// face out, when every member has the new one. Neither is a goodbye.
//
// What always holds (each has a test):
//   - adverts with priority above 0 leave only while active;
//   - a backup becomes active only by its own deadline, never by what it hears;
//   - a packet that fails a check changes nothing but a counter, and, before the first
//     claim, may put the router into fault, naming who speaks otherwise and not as this
//     router too;
//   - a new Spec never moves a running deadline to a later instant and never says goodbye;
//   - only active and leaving hold the addresses for good; any other role for the grace,
//     or, after a start that found them in place, until somebody else is heard;
//   - claim and yield take turns, and nothing is announced before the kernel has it;
//   - a tick at the deadline moves the deadline, and no running role is without one.
//
// Step and Deadline do not allocate, except for the words of a change of role.
package vrrp

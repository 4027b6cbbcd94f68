// Package engine is the loop that owns a node: one goroutine on a thread of its own, in
// real time where that is allowed. It waits for the next deadline, for packets and for
// messages, steps the node and hands its effects on. Nothing in it blocks but the wait,
// and nothing in it allocates while nothing changes.
//
// One turn, in this order:
//
//  1. if the loop stood still for long, the node hears so before anything else;
//  2. everything that was received is stepped;
//  3. messages of other goroutines (a plan, the state of a check, what the kernel has);
//  4. what arrived meanwhile, if a deadline has passed: a frozen backup that looks at its
//     timers before its packets takes over from a healthy active;
//  5. deadlines. They are re-armed from the deadline and not from now.
//
// Effects go out in the order in which the node lists them; adverts that are due together
// leave in one batch.
//
// Everything else that takes time (netlink, files, programs, DNS, TLS) belongs to other
// goroutines. They post messages under a mutex that the loop only ever tries to take: a
// thread in real time never waits for one that is not.
//
// GOMAXPROCS is the program's business: set it above the number of goroutines that can
// use a whole CPU (max(NumCPU, 4) + 2), or the loop finds no processor when its wait
// returns.
package engine

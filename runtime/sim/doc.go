// Package sim runs whole groups of machines on a simulated network, kernel and clock. The
// nodes in it are the real ones of package node, their addresses go through the real
// ledger of package kernel, their packets through the codec, their checks through
// package hysteresis. What `hafile test` plays ([Play]) it plays here.
//
// There is no clock, no goroutine and no chance from outside: a [World] has a queue of
// events and a time that only [World.Run] moves, every stream of chance has its own seed,
// and what is walked is sorted. The same seed and the same calls give the same run, and
// the same line of trace for everything that happens.
//
// What is modelled
//
//   - Network: per direction between two machines loss, delay, jitter (packets overtake
//     each other), duplication, a flipped bit, a cut. An interface name is a segment.
//   - Loop: as package engine's: it wakes up late by chance, tells the node of a stall,
//     takes what has arrived before what was asked for, and that before its deadlines.
//   - Clock: monotonic, with a rate error and an origin of its own for each boot.
//   - Process: killed (its addresses stay), stopped, frozen (packets wait, up to a
//     socket's buffer), started with or without the record of the one before it.
//   - Machine: loses its power (its addresses go, its plan stays), is suspended with its
//     clock.
//   - Kernel: package kernel's fake behind a delay; refusals, a stranger who removes
//     addresses, interfaces that go down or are made anew.
//   - Plans: a commit at any moment, with the checks' states before it as the daemon has it.
//
// What is not: two operations of one round of the ledger are at one moment, events of the
// kernel are never lost, a process never meets a full disk, a machine that is suspended
// knows it afterwards.
//
// The rules are numbered as in the design; each is a function of its number that
// returns what is wrong:
//
//	S1  addresses only where a router may hold them      S8   two actives that hear each other
//	S2  adverts only while active, three goodbyes         S9   a sync group is active as one
//	S3  one advert in an interval                         S10  an address has one router
//	S4  damage changes nothing                            S11  priorities stay in 1..254
//	S5  only the listed changes of role                   S12  strangers' addresses stay
//	S6  an apply releases nothing it need not             S13  a backup that has heard waits
//	S7  a restart removes nothing                         S16  a start listens first
//	D6  what is announced is up, and an active router's   S17  what is told is a chain
//
// S14 waits for signed adverts. S15 is about threads, which
// there are none of here: package engine tests it.
//
// The liveness rules are the bounds of [Bounds]: L1 a crash, L2 a departure, L3 a
// partition that heals, L4 all faults end, L5 preemption, L6 a stranger's removal, L9 a
// frozen active, L11 an interface made anew; [World.Settled] says what L4 asks for. L7 and
// L10 are package netlink's and the daemon's, L8 waits for leases.
//
// Two tests play seeds, some hundred of them unless told otherwise, with all rules watching:
// random faults and edits, then calm (RandomRuns); and one edit of a group at rest, whose
// plan must have foretold what happens to each address (Foretells). The long form:
//
//	go test ./runtime/sim -run 'RandomRuns|Foretells' -runs=10000 -from=5000000 -timeout 3h
//
// From 1,000,000 on seeds draw from a larger alphabet of edits. A seed that fails is played
// alone, with its trace, by -seed=N -v, and is kept in testdata/seeds or testdata/edits
// with a line that says what it found.
package sim

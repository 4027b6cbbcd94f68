// Package runtime is the daemon: a plan in, a quiet network out. It is the one place
// where the loop and the owners meet; none of them knows another.
//
//	          adverts                    kernel's word        checks        links
//	rawsock ───────────┐            ┌──────────────── kernel/netlink ─────────┐
//	                   ▼            ▼                                         │
//	control ──plan──▶ engine ◀── mailbox ◀── health (states of checks)        │
//	  ▲                │  one thread: Step, effects in order                  │
//	  │                ├──▶ rawsock        adverts, in one batch              │
//	  │                ├──▶ kernel/netlink the wanted addresses               │
//	  │                ├──▶ announce       what is up                         │
//	  │                └──▶ transitions ──▶ log, notify, events, run record   │
//	  └── status, events                                                     ─┘
//
// Who may block. Nothing on the engine's thread does: what reaches it is posted, what
// leaves it is queued. Netlink, programs, mail, disk and JSON have goroutines of their
// own. The callbacks of the owners of addresses and of checks only hand on. An apply runs
// on the goroutine of its request and holds two locks: applying for its whole length,
// committing for the moments in which the loop gets another plan.
//
// A packet: rawsock reads a frame and the codec makes an advert of it or counts why not;
// the node steps the router that it is for; the effects go out in order. An address that
// is claimed is wanted from the kernel's owner, whose report comes back as an event, and
// only then is the address announced.
//
// An edit (apply.go, prepare.go): where plans are signed, the signature, and nothing is
// read of the request that it is not about (signed.go); verify; does the plan fit what runs (planfile.Check); is
// its impact, computed with the roles of now, allowed; prepare, which may refuse and
// changes nothing; `next` is written; commit, in one turn of the loop; the kernel
// confirms; `next` becomes `current`; settle, which only watches. Before the commit a
// refusal leaves no trace; a kernel that refuses, or a disk that fails, gets the plan
// before committed again.
//
// A start (daemon.go, adopt.go): the stored plan runs. What a crashed process has left
// installed is taken over and never removed and added again; if nobody can have missed
// its adverts, the first thing to happen is another one. An interface that is missing is
// waited for. A stop (stop.go) says goodbye and answers until the successor does.
//
// A fault at any of these steps leaves the plan before or the new one, whole, and said.
// fault_test.go has every system call of an apply fail or be the daemon's last one; a part
// of them always, all of them, in three minutes, with
//
//	go test ./runtime -run FaultAtEveryCall -faults -v
//
// Secrets are resolved at apply and stored with the plan; a restart uses the stored ones.
// A name whose content has changed is an edit (secrets.go).
package runtime

// Package health runs the checks of a plan and tells whether each is up. It owns the
// runs, one in flight per check; it decides nothing about a virtual router.
//
// A check runs at once when it is new (spread over a short time, so that many do not
// fork together), and then every interval, counted from the start of the run before. A
// run is ended at its timeout by killing its process group; when that is later than the
// next start was due, the next run starts at once. fall and rise are the package
// hysteresis.
//
// A script is a program. Every other check is made in this process, with a deadline, a
// bound on what it reads, and nothing left running when it ends; no check follows a
// redirect, and none reads the environment. What it found is said in words that do not
// change from run to run, so that a log has one line for one failure.
//
// What the kernel or the node tells by itself is watched and not asked: its state is what
// Options.Look says, at once and again at every call of Look.
//
// A check's state belongs to what the check does, not to its name: a rename changes
// nothing, an edit starts the new program and keeps the state until the new results say
// otherwise, and only what was not there before starts unknown.
package health

import (
	"log/slog"
	"time"

	"hafile/lang/plan"
)

// Options of New.
type Options struct {
	// OnState hears of every change of a check's state, and of the state under the new
	// name of a renamed check. Calls come one at a time and in order, with a lock held:
	// it must neither block nor call into the package.
	OnState func(plan.Addr, plan.CheckState)
	// Parallel is how many runs may be in flight at once; 0 is ParallelRuns. A run that
	// has to wait starts late: it is not lost.
	Parallel int
	// Look says how a check stands that is watched. It is called with a lock held: it
	// must neither block nor call into the package. Nil: of nothing anything is known.
	Look func(*plan.Check) Sight
	Log  *slog.Logger // nil: slog.Default()

	probes func(*plan.Check) probe // tests' own; nil is probeOf
}

// ParallelRuns is the default of Options.Parallel. Each run in flight holds a thread.
const ParallelRuns = 32

// parallelAsks is how many checks that hafile makes itself may be under way at once; each
// holds a descriptor and at most some 100 KiB.
const parallelAsks = 256

// readMax bounds what a check reads of an answer or a file, in bytes: plan.HTTP.Contains
// and plan.File.Contains promise that much.
const readMax = 64 << 10

// spreadMax bounds the random delay before the first run of a new check.
const spreadMax = 200 * time.Millisecond

// Status of one check. Its fields are those of control.Check.
type Status struct {
	Address    plan.Addr
	State      string // unknown, up, down
	Since      time.Time
	Streak     int    // runs in a row with the last result
	LastExit   *int   // nil: no run has ended yet, or the last was not started; -1: killed
	LastOutput string // of a script; else what was found: "503 Service Unavailable"
	LastError  string // "timed out after 2s", "not started: …", "got 503, expected 200"
	LastRunMs  int64
	LastEnd    time.Time
}

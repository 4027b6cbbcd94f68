// Package program runs other people's programs, scripts of checks and hooks of
// notifies, and refuses those that somebody else could have replaced.
//
// A program runs as an account that is never root by accident, in a session and process
// group of its own, with a small environment that has nothing of the daemon's, in /,
// with /dev/null as its input. It has a deadline, at which its whole group is killed;
// its output is read as fast as it comes and only the last of it is kept, so that
// neither a flood nor a grandchild that holds the pipe can make the daemon wait.
//
// Run blocks until the program has ended and must not be called on the engine's thread:
// a child would inherit its real-time class.
package program

import "time"

// Code under which a refusal is told to people: the program is missing or unsafe.
const Code = "HA3104"

// DefaultAccount runs whatever names no user, if the account exists; FallbackAccount
// does otherwise.
const (
	DefaultAccount  = "hafile-script"
	FallbackAccount = "nobody"
)

// Path that programs get. The daemon's own would make a check behave differently by
// how the daemon was started.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// OutputMax is how many bytes of a program's output are kept, the last ones.
const OutputMax = 1024

// Spec is one program as the plan names it.
type Spec struct {
	Command []string          // an absolute path and its arguments
	User    string            // name or number; empty: the default account
	Env     map[string]string // added to the small environment
	Timeout time.Duration     // more than 0

	// Leftovers says what happens to processes that the program leaves in its group when
	// it ends before its deadline. A check is a question: they are killed. A hook may
	// start something and go, as keepalived's do: they stay.
	Leftovers Leftovers
}

// Leftovers of a program that has ended.
type Leftovers uint8

const (
	KillLeftovers Leftovers = iota
	KeepLeftovers
)

// Result of one run.
type Result struct {
	// Exit is the program's exit status, -1 if a signal ended it. It means nothing
	// unless Ran.
	Exit int
	Ran  bool
	// Err says why the run was no success, in words for an operator: "timed out after
	// 2s", "killed by SIGSEGV", "not started: …"; nil after an exit, whatever its status.
	Err      error
	TimedOut bool
	Output   string // the last OutputMax bytes, cleaned of control characters

	Started, Ended time.Time
}

// OK reports whether the program ran and exited with 0.
func (r *Result) OK() bool { return r.Ran && r.Err == nil && r.Exit == 0 }

// Package host reads facts of this machine: its name, its interfaces, who owns a
// program. It changes nothing, needs no privilege, and is what `plan`, `status` and
// `doctor` say of the machine they run on; the daemon has its own, exact sources.
//
// A plan can be made anywhere, so the package builds on every system. What only Linux
// can tell says so elsewhere.
package host

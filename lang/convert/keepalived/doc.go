// Package keepalived turns keepalived.conf files, one for each machine, into one hafile
// configuration and says what became of every directive.
//
// It owns the meaning of keepalived's files, version 2.4: what a line says, what
// keepalived makes of it (which is often not what it says), and what hafile has in its
// place. It reads no file, runs no program and looks up nothing on this machine: the
// same bytes give the same result everywhere.
//
// The road: lex.go cuts bytes into lines, comments and words; expand.go applies @id, $NAME,
// ~SEQ and ~LST; parse.go makes a tree of statements, each with its position. read.go and
// its neighbours (script, instance, identity, election, address, track, hook) turn one
// node's tree into settings as keepalived would hold them, and give verdicts. merge.go
// matches the instances of all nodes by what the wire sees; emit.go, mail.go and
// leftovers.go write HCL; output.go ties lines to statements and carries the comments;
// report.go collects the verdicts and text.go prints them. Nothing is dropped in silence:
// the counts of a report add up to the number of statements in the tree, and a keyword
// that nobody judges is a panic.
package keepalived

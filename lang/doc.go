// Package lang is the compiler: files of a directory in, one plan per node out. It is
// pure: no network, no root, no clock; the same files and inputs give the same plans,
// byte for byte, on any operating system. The daemon never imports it.
//
// The way of a file set:
//
//	load      module.Load: what would hurt the parser is refused, the rest is parsed;
//	          eval.Sniff reads required_version before anything else is judged
//	index     module.Index: every declaration by kind and name, duplicates refused;
//	          module.Tree: the same for the directories that module blocks call
//	evaluate  package eval: on demand, each thing once, from the tables of package
//	          schema; HCL and cty end there
//	expand    for_each makes objects; an instance is decoded again for a member only
//	          where it mentions self
//	build     build.go: each member's side of each instance, then each node's plan
//	judge     policies and preconditions, which the files bring along
//	prove     fleet.go: what only somebody can see who sees all members at once
//	verify    plan.Verify: the daemon's own rule book, with the positions of arguments
//
// A stage that finds errors ends the way where the next would only repeat them: after an
// unknown block name every reference to it would be "missing", and a proof about half a
// fleet proves nothing.
//
// Everything that the language can say compiles. What this release cannot carry out is
// Result.Unsupported (see plan.Unsupported): validate lets it pass, plan and apply do not.
//
// Who wants the plan of one node (Inputs.Node) gets that one, byte for byte as the fleet
// would give it, and what concerns it is proved: see narrow. Everything is evaluated all
// the same, because policies and the proofs of VRIDs and addresses ask for it.
//
// A fleet of n clusters takes n times as long: nothing is compared pair by pair, what the
// text alone says is read once for all calls of a module, and a root that is asked for
// with all of its names, such as node, is made once.
package lang

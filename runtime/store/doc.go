// Package store keeps what must outlive the daemon: the plan that it runs with the
// secrets that were resolved for it, the plans before that one, and a note of what it
// has installed in the kernel. It decides nothing about a plan.
//
// The state directory, all of it 0700 and 0600:
//
//	lock          held with flock(2) by the one daemon that may use the directory
//	lineage       made at the first start; a plan made for one lineage fits no other
//	current       the plan that runs
//	next          a plan about to be committed; a start ignores it
//	history/N     the last plans by serial, the current one among them
//
// Every file is one checksummed record (codec.go), written to a temporary name, synced,
// renamed, and its directory synced (disk.go). So a kill or a power cut at any byte
// leaves the plan before or the plan after, and a damaged file is seen as such. A start
// that finds `current` damaged takes the newest sound plan of the history and says so.
//
// The run directory, gone with the next boot:
//
//	owned         which addresses were installed as ours, and each router's role
//	stamp         when the last advert left, stored by the loop into a mapped page
package store

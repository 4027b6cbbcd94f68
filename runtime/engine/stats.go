package engine

import "time"

// Stats of the loop, never reset. How late deadlines were is in the node's snapshot.
type Stats struct {
	// Scheduling is how the loop's thread is scheduled: "SCHED_RR 10", or what it fell
	// back to and why.
	Scheduling string
	Wakeups    uint64
	// Stalls counts wake-ups that came too late by 5 ms or more.
	Stalls   uint64
	StallMax time.Duration
	// Suspended counts how often the machine slept.
	Suspended uint64
	// Unsent counts adverts for which there was no socket.
	Unsent uint64
	// EventsLost counts events that their reader was too slow for.
	EventsLost uint64
}

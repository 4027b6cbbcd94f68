//go:build linux

package engine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// roundRobin is above everything that is not in real time, and below what the kernel
// runs there for itself.
const roundRobin = 10

// prioritize puts the calling thread into real time, or as near to it as is allowed, and
// says where it is. Children do not inherit it. The kernel's own reserve (95 % of a
// second) stays: the loop blocks in every turn.
func prioritize() string {
	// The slack matters to waits with a timeout, which the loop has none of; it is here
	// for whoever adds one.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	attr := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR,
		Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: roundRobin,
	}
	err := unix.SchedSetAttr(0, &attr, 0)
	if err == nil {
		return fmt.Sprintf("SCHED_RR %d", roundRobin)
	}
	return prioritizeNicely(err)
}

// prioritizeNicely is for where real time is refused: without CAP_SYS_NICE, or in a
// control group that has no real time to give.
func prioritizeNicely(refused error) string {
	why := refused.Error()
	if refused == unix.EPERM && !canNice() {
		why = "no CAP_SYS_NICE"
	}
	for _, nice := range []int{-20, -10, -5} {
		if unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice) == nil {
			return fmt.Sprintf("nice %d (%s)", nice, why)
		}
	}
	return fmt.Sprintf("normal (%s)", why)
}

// canNice reports whether the thread has CAP_SYS_NICE.
func canNice() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_NICE) != 0
}

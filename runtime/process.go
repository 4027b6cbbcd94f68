package runtime

import (
	"context"
	"log/slog"
	"math"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// memoryLimit makes the collector work harder before the process grows beyond what a
// thousand instances need. GOMEMLIMIT has the last word.
const memoryLimit = 512 << 20

// tune gives the loop a processor whenever it wakes: a goroutine in a system call or in
// a computation holds one, and there are never more of those than processors less two.
func tune() {
	if want := max(goruntime.NumCPU(), 4) + 2; goruntime.GOMAXPROCS(0) < want {
		goruntime.GOMAXPROCS(want)
	}
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// tell says something to systemd, if it is there.
func tell(log *slog.Logger, state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("systemd was not told", "state", state, "error", err)
	}
}

// watchdog tells systemd that the loop turns, at half the time that it allows. alive
// returns when the loop has answered: a loop that hangs is not vouched for.
func watchdog(ctx context.Context, log *slog.Logger, alive func()) {
	allowed, err := sd.SdWatchdogEnabled(false)
	if err != nil || allowed == 0 {
		return
	}
	t := time.NewTicker(allowed / 2)
	defer t.Stop()
	for {
		alive()
		tell(log, sd.SdNotifyWatchdog)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

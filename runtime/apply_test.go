package runtime

import (
	"sync"
	"testing"
	"time"
)

// TestTidyingUpRefusesNobody: what the daemon does every now and then is no plan that is
// being applied; who comes meanwhile waits for a moment.
func TestTidyingUpRefusesNobody(t *testing.T) {
	d, stop := &daemon{}, make(chan struct{})
	var tidier sync.WaitGroup
	tidier.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.idle(func() { time.Sleep(100 * time.Microsecond) })
			}
		}
	})
	for range 200 {
		done, p := d.enter()
		if p != nil {
			t.Fatalf("refused: %s", p.Summary)
		}
		done()
	}
	close(stop)
	tidier.Wait()
}

package sim

import (
	"testing"
	"time"
)

// BenchmarkWorld is simulated life of a pair with all rules watching: packets, wake-ups
// and deadlines of adverts every 100 ms. The metric is what a second of CI buys.
func BenchmarkWorld(b *testing.B) {
	for name, rules := range map[string][]Rule{"rules": Safety, "bare": nil} {
		b.Run(name, func(b *testing.B) {
			f := pair()
			f.instances[0].common.AdvertMs = 100
			w := f.world(rough(1))
			w.Watch(rules...)
			bootAll(w)
			w.Run(5 * time.Second)
			before, begun := w.Steps(), w.now
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if v := w.Run(w.now + 100*time.Millisecond); v != nil {
					b.Fatal(v)
				}
			}
			b.ReportMetric(float64(w.Steps()-before)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric((w.now-begun).Seconds()/b.Elapsed().Seconds(), "simulated-s/s")
		})
	}
}

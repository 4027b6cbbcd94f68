package control

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.]+)$`)
	typeLine   = regexp.MustCompile(`^# TYPE ([a-z_]+) (gauge|counter)$`)
)

// scraped reads the text form: a family is declared once, before its samples, and no
// sample stands there twice.
func scraped(t *testing.T, text string) map[string]float64 {
	t.Helper()
	out, kinds, family := map[string]float64{}, map[string]string{}, ""
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if d := typeLine.FindStringSubmatch(l); d != nil {
			if family = d[1]; kinds[family] != "" || (d[2] == "counter") != strings.HasSuffix(family, "_total") {
				t.Errorf("declared twice, or named otherwise than counted: %s", l)
			}
			kinds[family] = d[2]
			continue
		}
		if strings.HasPrefix(l, "# HELP ") {
			continue
		}
		m := sampleLine.FindStringSubmatch(l)
		if m == nil || m[1] != family {
			t.Errorf("no sample of %s: %q", family, l)
			continue
		}
		key := m[1] + "{" + m[2] + "}"
		if _, twice := out[key]; twice {
			t.Errorf("twice: %s", key)
		}
		out[key], _ = strconv.ParseFloat(m[3], 64)
	}
	return out
}

// Over the socket, each number is the status's.
func TestMetricsAreTheStatus(t *testing.T) {
	r := serve(t)
	hc := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", r.socket) }}}
	defer hc.CloseIdleConnections()
	resp, err := hc.Get("http://hafile/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%v, %s, %q", err, resp.Status, resp.Header.Get("Content-Type"))
	}
	got, s := scraped(t, string(raw)), sampleStatus()
	want := map[string]float64{
		"hafile_plan_serial{}":               float64(s.Plan.Serial),
		"hafile_drained{}":                   0,
		"hafile_impact_mispredicted_total{}": float64(s.Predictions.Mispredicted),
		"hafile_adverts_late_total{}":        float64(s.Engine.AdvertsLate),
		"hafile_engine_wakeups_total{}":      float64(s.Engine.Wakeups),
	}
	for _, in := range s.Instances {
		for _, role := range roleWords {
			want[fmt.Sprintf(`hafile_instance_role{instance="%s",role="%s"}`, in.Address, role)] = truth(in.Role == role)
		}
		want[fmt.Sprintf(`hafile_instance_priority{instance="%s"}`, in.Address)] = float64(in.Priority.Effective)
		for _, v := range in.VIPs {
			want[fmt.Sprintf(`hafile_vip_present{instance="%s",vip="%s",interface="%s"}`, in.Address, v.Address, v.Interface)] = truth(v.Present)
		}
		for event, n := range in.Counters {
			want[fmt.Sprintf(`hafile_instance_events_total{instance="%s",event="%s"}`, in.Address, event)] = float64(n)
		}
	}
	for _, c := range s.Checks {
		want[fmt.Sprintf(`hafile_check_state{check="%s",state="%s"}`, c.Address, c.State)] = 1
	}
	for _, n := range s.Notifies {
		want[fmt.Sprintf(`hafile_notifications_total{notify="%s",result="sent"}`, n.Address)] = float64(n.Sent)
	}
	for key, value := range want {
		if now, has := got[key]; !has || now != value {
			t.Errorf("%s is %v (there: %v), the status says %v", key, now, has, value)
		}
	}
}

// What a program printed, a server answered or a stranger sent is in no label.
func TestMetricsHoldNothingThatSomebodyElseSaid(t *testing.T) {
	s := sampleStatus()
	const said = "hunter2"
	s.Checks = append(s.Checks, Check{Address: `script.a["x\"y"]`, State: "down", LastOutput: said, LastError: said})
	s.Notifies = append(s.Notifies, Notify{Address: "notify.n", LastError: said})
	s.Members = append(s.Members, Member{Node: "b", Unknown: said, Digest: said})
	s.Instances[0].Why = said
	s.Instances[0].Peers = append(s.Instances[0].Peers, Peer{Role: said})
	s.Predictions.Last = said
	s.Drain = &Drain{Reason: said, Since: time.Now()}
	var b bytes.Buffer
	WriteMetrics(&b, s)
	if strings.Contains(b.String(), said) {
		t.Error(b.String())
	}
	scraped(t, b.String())
}

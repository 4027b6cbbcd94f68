package control

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// getMetrics is GET /metrics: what of the status is a number, in the text form of
// Prometheus (version 0.0.4). The form is a page long; the usual library for it would
// add half of what the whole daemon takes in memory (5.6 MB beside 11).
func (s *Server) getMetrics(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	WriteMetrics(&b, s.backend.Status())
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lineWait))
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

var (
	roleWords  = []string{"waiting", "backup", "active", "leaving", "fault", "drained"}
	stateWords = []string{"unknown", "up", "down"}
)

// WriteMetrics writes a status. Labels are names of the plan, words of fixed lists and
// addresses of the plan, so that nobody on the network can make more of them; nothing that
// a program or a server has said is among them.
func WriteMetrics(w io.Writer, s *Status) {
	m := metrics{w}
	m.family("hafile_info", "gauge", "The daemon; always 1.")
	m.sample("hafile_info", 1, "node", s.Node, "version", s.HafileVersion)
	m.one("hafile_start_time_seconds", "gauge", "When the daemon was started.", seconds(s.Started))
	serial := 0
	if s.Plan != nil {
		serial = s.Plan.Serial
		m.one("hafile_plan_applied_time_seconds", "gauge", "When the running plan was applied.", seconds(s.Plan.Since))
	}
	m.one("hafile_plan_serial", "gauge", "The number of the running plan; 0: none.", float64(serial))
	m.one("hafile_plan_unconfirmed", "gauge", "1 while a plan waits for hafile confirm.", truth(s.ConfirmBy != nil))
	m.one("hafile_drained", "gauge", "1 while the node is drained.", truth(s.Drain != nil))
	m.one("hafile_plans_applied_total", "counter", "Plans since the start of the daemon.", float64(s.Predictions.Applied))
	m.one("hafile_impact_mispredicted_total", "counter", "Addresses to which something worse happened than the plan had said.", float64(s.Predictions.Mispredicted))
	m.one("hafile_engine_wakeups_total", "counter", "Turns of the loop.", float64(s.Engine.Wakeups))
	m.one("hafile_engine_lateness_max_seconds", "gauge", "The latest deadline so far.", s.Engine.LatenessMaxMs/1000)
	m.one("hafile_adverts_late_total", "counter", "Adverts late by more than a tenth of their interval.", float64(s.Engine.AdvertsLate))
	m.instances(s.Instances)
	m.family("hafile_check_state", "gauge", "1 for the state that a check has.")
	for _, c := range s.Checks {
		for _, state := range stateWords {
			m.sample("hafile_check_state", truth(c.State == state), "check", string(c.Address), "state", state)
		}
	}
	m.family("hafile_notifications_total", "counter", "Notifications by what became of them.")
	for _, n := range s.Notifies {
		for _, of := range []struct {
			result string
			count  uint64
		}{{"sent", n.Sent}, {"failed", n.Failed}, {"dropped", n.Dropped}} {
			m.sample("hafile_notifications_total", float64(of.count), "notify", string(n.Address), "result", of.result)
		}
	}
	m.family("hafile_member_known", "gauge", "1 if a member answers at its status address.")
	for _, o := range s.Members {
		m.sample("hafile_member_known", truth(o.Known), "member", o.Node)
	}
}

func (m metrics) instances(all []Instance) {
	m.family("hafile_instance_role", "gauge", "1 for the role that an instance has.")
	for _, in := range all {
		for _, role := range roleWords {
			m.sample("hafile_instance_role", truth(in.Role == role), "instance", string(in.Address), "role", role)
		}
	}
	m.family("hafile_instance_priority", "gauge", "The priority with the tracked checks counted in.")
	for _, in := range all {
		m.sample("hafile_instance_priority", float64(in.Priority.Effective), "instance", string(in.Address))
	}
	m.family("hafile_instance_role_since_seconds", "gauge", "Since when an instance has its role.")
	for _, in := range all {
		m.sample("hafile_instance_role_since_seconds", seconds(in.Since), "instance", string(in.Address))
	}
	m.family("hafile_vip_present", "gauge", "1 if the kernel has the address.")
	for _, in := range all {
		for _, v := range in.VIPs {
			m.sample("hafile_vip_present", truth(v.Present), "instance", string(in.Address), "vip", v.Address.String(), "interface", v.Interface)
		}
	}
	m.family("hafile_instance_events_total", "counter", "Adverts sent and accepted, goodbyes, changes of role, and dropped packets by reason.")
	for _, in := range all {
		for _, event := range slices.Sorted(maps.Keys(in.Counters)) {
			m.sample("hafile_instance_events_total", float64(in.Counters[event]), "instance", string(in.Address), "event", event)
		}
	}
}

// metrics are written one after another.
type metrics struct{ w io.Writer }

func (m metrics) family(name, kind, help string) {
	fmt.Fprintf(m.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (m metrics) one(name, kind, help string, value float64) {
	m.family(name, kind, help)
	m.sample(name, value)
}

// sample has its labels as name and value in turn.
func (m metrics) sample(name string, value float64, labels ...string) {
	var words []string
	for i := 0; i < len(labels); i += 2 {
		words = append(words, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	set := ""
	if len(words) > 0 {
		set = "{" + strings.Join(words, ",") + "}"
	}
	fmt.Fprintf(m.w, "%s%s %s\n", name, set, strconv.FormatFloat(value, 'f', -1, 64))
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds since 1970; 0 for a time that was not.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

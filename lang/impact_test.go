package lang

import (
	"slices"
	"strings"
	"testing"

	"hafile/lang/diff"
	"hafile/lang/plan"
	"hafile/lang/schema"
)

// TestEveryArgumentHasAnImpact: what can be edited is something whose edit is judged. The
// table of the language and the table of impacts are held together here, with a reason
// for each argument that reaches no plan under its own name.
func TestEveryArgumentHasAnImpact(t *testing.T) {
	typeOf := map[string][]string{
		"script": {"Script", "Check", "Track"}, "check": {"Check", "Track"}, "check.http": {"HTTP"}, "check.tcp": {"TCP"}, "check.process": {"Process"},
		"check.file": {"File"}, "check.ping": {"Ping"}, "check.dns": {"DNS"},
		"notify": {"Notify"}, "notify.exec": {"Exec"}, "notify.email": {"Email"}, "notify.webhook": {"Webhook"},
		"instance": {"Instance"}, "instance.auth": {"Auth"}, "instance.auth.key": {"AuthKey"}, "instance.member": {"Instance", "Member"},
		"instance.vip": {"VIP"}, "instance.route": {"Route"}, "instance.route.nexthop": {"NextHop"}, "instance.rule": {"Rule"},
		"instance.track": {"Track", "TrackedRoute"}, "instance.announce": {"Announce"}, "instance.guard": {"Guard"},
		"sync_group": {"Group"},
	}
	elsewhere := map[string]string{
		"instance.enabled":         "false is as if the block were not there",
		"instance.members":         "the members, each with its priority",
		"instance.segment":         "for the proofs over the fleet",
		"instance.max_failover":    "for the proofs over the fleet",
		"instance.auth.key.id":     "the key of a list",
		"instance.vip.address":     "the key of a list",
		"instance.vip.advertise":   "Unadvertised is its opposite",
		"instance.track.script":    "the key of a list",
		"instance.track.interface": "the key of a list",
		"instance.track.instance":  "the key of a list",
		"instance.track.route":     "the key of a list",
	}
	words := diff.Words()
	var walk func([]schema.Shown)
	walk = func(blocks []schema.Shown) {
		for _, b := range blocks {
			types, judged := typeOf[b.Path]
			for _, a := range b.Arguments {
				path := b.Path + "." + a.Name
				_, said := elsewhere[path]
				has := slices.ContainsFunc(types, func(typ string) bool { return slices.Contains(words[typ], a.Name) })
				switch {
				case judged && !has && !said:
					t.Errorf("%s: no field of %s is called so", path, strings.Join(types, " or "))
				case has && said:
					t.Errorf("%s has its row: take the exception out", path)
				}
			}
			walk(b.Blocks)
		}
	}
	walk(schema.NewDocument(plan.FormatVersion, plan.Language).Blocks)
}

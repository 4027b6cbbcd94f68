package diff

import (
	"testing"

	"hafile/lang/plan"
)

// double is a plan with two instances of one address each.
func double() *plan.Plan {
	p := seed("lb1")
	second := p.Clone().Desired.Instances[0]
	second.Address, second.Name, second.VRID = "instance.VI_2", "VI_2", 52
	second.VIPs = []plan.VIP{aVIP("172.29.88.250")}
	p.Desired.Instances = append(p.Desired.Instances, second)
	return p
}

// What two instances of a node exchange is more than a change of places where the network
// tells them apart, or where the election takes one of them away.
func TestInstancesThatChangePlaces(t *testing.T) {
	vrids := func(p *plan.Plan) {
		a, b := &p.Desired.Instances[0], &p.Desired.Instances[1]
		a.VRID, b.VRID = b.VRID, a.VRID
	}
	vips := func(p *plan.Plan) {
		a, b := &p.Desired.Instances[0], &p.Desired.Instances[1]
		a.VIPs, b.VIPs = b.VIPs, a.VIPs
	}
	word := func(p *plan.Plan) {
		p.Desired.Instances[1].Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "other"}}
	}
	worse := func(p *plan.Plan) { setPriority(p, 90) }
	low := func(p *plan.Plan) { p.Desired.Instances[0].Priority, p.Desired.Instances[1].Priority = 90, 90 }
	for _, tt := range []struct {
		name         string
		before, edit func(*plan.Plan)
		role         string
		want         Class
	}{
		{"VRIDs", nil, vrids, "active", Stays},
		{"VRIDs, on the backup", low, vrids, "backup", None},
		{"VRIDs, with different passwords", word, vrids, "active", Outage},
		{"VRIDs, with different passwords, on the backup", word, vrids, "backup", Outage},
		{"addresses", nil, vips, "active", Stays},
		{"addresses, and one instance goes to the other node", nil, func(p *plan.Plan) { vips(p); worse(p) }, "active", Outage},
		{"addresses, and one instance comes from the other node", worse, func(p *plan.Plan) { vips(p); setPriority(p, 120) }, "backup", Outage},
	} {
		before := double()
		if tt.before != nil {
			tt.before(before)
		}
		after := before.Clone()
		tt.edit(after)
		changes, summary := Plans(before, after, roles(tt.role))
		if summary.Worst != tt.want {
			t.Errorf("%s: %s, want %s\n%s", tt.name, summary.Worst, tt.want, describe(changes, summary))
		}
	}
}

// A check with a weight above 0 is down here. The other member may have more while its own
// is up: the addresses are offered to it, and it does not wait for a whole silence.
func TestAddressesAreOfferedToWhatAMemberCanHave(t *testing.T) {
	before, after := seed("lb1"), seed("lb1")
	vi(before).Track[0].Weight, vi(after).Track[0].Weight = 1, 10
	now := roles("active")
	now.Checks["script.chk_nginx"] = plan.CheckDown
	setPriority(before, 102)
	changes, summary := Plans(before, after, now)
	if summary.Worst != Moves || changes[0].Impact.Text != "to lb2 (100) within 0.6 s; gap: ARP update only, about 0 ms, 1 advert at worst" {
		t.Errorf("%s", describe(changes, summary))
	}
}

// One instance of a sync group fails: the other ones go with it, and the plan says so of
// their addresses, too.
func TestASyncGroupMovesAsOne(t *testing.T) {
	before := double()
	before.Desired.Groups = []plan.Group{{Address: "sync_group.all", Name: "all", Instances: []plan.Addr{"instance.VI_1", "instance.VI_2"}}}
	before.Desired.Instances[0].Track, before.Desired.Instances[1].Track = nil, nil
	after := before.Clone()
	after.Desired.Instances[0].Track = []plan.Track{{Check: "script.chk_nginx"}}
	now := roles("active")
	now.Checks["script.chk_nginx"] = plan.CheckDown
	changes, summary := Plans(before, after, now)
	if said := PerVIP(changes); said[aVIP("172.29.88.250").Address] != Moves || said[vi(after).VIPs[0].Address] != Moves {
		t.Errorf("%v\n%s", said, describe(changes, summary))
	}
}

// A check that a backup begins to track has not answered yet. When it succeeds it may lift
// the backup over the active, who has not the edit.
func TestANewCheckMayLiftABackup(t *testing.T) {
	before, after := seed("lb2"), seed("lb2")
	vi(before).Track, vi(after).Track[0].Weight = nil, 10
	now := roles("backup")
	delete(now.Checks, "script.chk_nginx")
	changes, summary := Plans(before, after, now)
	if summary.Worst != Moves {
		t.Errorf("%s", describe(changes, summary))
	}
}

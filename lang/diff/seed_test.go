package diff

import (
	"net/netip"
	"testing"

	"hafile/lang/plan"
)

// seed is the plan of one node of the nginx pair.
func seed(node string) *plan.Plan {
	in := plan.DefaultInstance()
	in.Address, in.Name, in.Src = "instance.VI_1", "VI_1", plan.Src{0, 54, 1, 54, 16}
	in.Interface, in.VRID, in.Version, in.AdvertMs = "eth0", 51, 2, 2000
	in.Priority, in.SourceAddress = 101, netip.MustParseAddr("172.29.88.224")
	if node == "lb2" {
		in.Priority, in.SourceAddress = 100, netip.MustParseAddr("172.29.88.225")
	}
	in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "vrrp-VI_1"}}
	in.Members = []plan.Member{
		{Node: "lb1", Address: netip.MustParseAddr("172.29.88.224"), Priority: 101},
		{Node: "lb2", Address: netip.MustParseAddr("172.29.88.225"), Priority: 100},
	}
	in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix("172.29.88.222/32"), Src: plan.Src{0, 79, 3, 79, 40}}}
	in.Track = []plan.Track{{Check: "script.chk_nginx", Weight: -5}}
	in.Notify = []plan.Addr{"notify.ops_mail"}
	check := plan.DefaultCheck()
	check.Address, check.Name, check.Src = "script.chk_nginx", "chk_nginx", plan.Src{0, 31, 1, 31, 20}
	check.Script = &plan.Script{Command: []string{"/etc/hafile/check_nginx.sh"}}
	check.IntervalMs, check.TimeoutMs = 2000, 2000
	mail := plan.DefaultEmail()
	mail.To = []string{"ops@example.net", "oncall@example.net"}
	mail.From, mail.Relay = "ha@"+node+".example.net", "127.0.0.1:25"
	return &plan.Plan{
		Language: plan.Language, Node: node,
		Sources: []plan.Source{{File: "nginx-pair.ha.hcl"}},
		Desired: plan.Desired{
			Instances: []plan.Instance{in},
			Checks:    []plan.Check{check},
			Notifies: []plan.Notify{{
				Address: "notify.ops_mail", Src: plan.Src{0, 41, 1, 41, 20},
				On: []string{"active", "backup", "fault"}, Email: &mail,
			}},
		},
	}
}

func TestSeedPlansAreValid(t *testing.T) {
	for _, node := range []string{"lb1", "lb2"} {
		for _, p := range plan.Verify(seed(node)) {
			t.Error(p)
		}
	}
}

package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hafile/lang/plan"
	"hafile/lang/story"
)

const theVIP = "172.29.88.222/32"

// nginxPair is what the example compiles to.
func nginxPair(change func(*plan.Plan)) map[string]*plan.Plan {
	plans := map[string]*plan.Plan{}
	for name, priority := range map[string]uint8{"lb1": 101, "lb2": 100} {
		c := plan.DefaultCheck()
		c.Address, c.Name = "script.chk_nginx", "chk_nginx"
		c.Script = &plan.Script{Command: []string{"/etc/keepalived/check_nginx.sh"}}
		c.IntervalMs, c.TimeoutMs, c.Fall, c.Rise = 2000, 2000, 3, 2
		m := plan.DefaultEmail()
		m.To, m.From, m.Relay = []string{"ops@example.com"}, "ha@example.com", "mail.example.com:25"
		in := plan.DefaultInstance()
		in.Address, in.Name, in.Interface, in.VRID = "instance.VI_1", "VI_1", "eth0", 51
		in.Version, in.AdvertMs, in.Priority = 2, 2000, priority
		in.Auth = &plan.Auth{Type: "pass", Password: plan.Secret{Credential: "vrrp-VI_1"}}
		in.Members = []plan.Member{
			{Node: "lb1", Address: netip.MustParseAddr("172.29.88.224"), Priority: 101},
			{Node: "lb2", Address: netip.MustParseAddr("172.29.88.225"), Priority: 100},
		}
		in.SourceAddress = map[string]netip.Addr{"lb1": in.Members[0].Address, "lb2": in.Members[1].Address}[name]
		in.VIPs = []plan.VIP{{Address: netip.MustParsePrefix(theVIP)}}
		in.Track = []plan.Track{{Check: c.Address, Weight: -5}}
		in.Notify = []plan.Addr{"notify.mail"}
		p := &plan.Plan{Language: plan.Language, Node: name, Desired: plan.Desired{
			Instances: []plan.Instance{in}, Checks: []plan.Check{c},
			Notifies: []plan.Notify{{Address: "notify.mail", On: []string{"active", "backup", "fault", "stop"}, Email: &m}},
		}}
		if change != nil {
			change(p)
		}
		p.Normalize()
		if problems := plan.Verify(p); len(problems) > 0 {
			panic(fmt.Sprint(problems))
		}
		plans[name] = p
	}
	return plans
}

func play(t *testing.T, until time.Duration, events ...story.Event) *story.Outcome {
	t.Helper()
	return playAs(t, &Player{Plans: nginxPair(nil)}, until, events...)
}

func playAs(t *testing.T, pl *Player, until time.Duration, events ...story.Event) *story.Outcome {
	t.Helper()
	var lines []string
	pl.Trace = func(l string) { lines = append(lines, l) }
	o, err := pl.Play(&story.Run{Events: events, Until: until})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(lines, "\n"))
		}
	})
	return o
}

// ownerAt plays a story that ends at a moment.
func ownerAt(t *testing.T, at time.Duration, events ...story.Event) string {
	t.Helper()
	return play(t, at, events...).Owner[theVIP]
}

func TestTheFirstOwnerIsThePreferredOne(t *testing.T) {
	o := play(t, 10*time.Second)
	if o.Owner[theVIP] != "lb1" || o.Unowned[theVIP] != 0 || o.Double[theVIP] != 0 || len(o.Transitions) != 0 {
		t.Errorf("%+v", o)
	}
}

// 8.0 s to notice, 0.6 s for the skew of lb2 after the offer. A weight above 0 is offered to
// what lb2 has while its own check is up, although it is configured with less than lb1.
func TestWhenNginxDiesTheAddressMovesWithin8Point6Seconds(t *testing.T) {
	for offset := range 20 {
		at := 10*time.Second + time.Duration(offset)*113*time.Millisecond
		dies := story.Event{At: at, Kind: story.Fail, What: "script.chk_nginx", On: "lb1"}
		weight := []int{-5, 10}[offset%2]
		pl := &Player{Plans: nginxPair(func(p *plan.Plan) { p.Desired.Instances[0].Track[0].Weight = weight })}
		o := playAs(t, pl, at+8650*time.Millisecond, dies)
		if o.Owner[theVIP] != "lb2" || o.Unowned[theVIP] != 0 {
			t.Fatalf("nginx dies at %s: %+v", at, o)
		}
		if first := o.Transitions[0]; first.To != "leaving" || first.At-at.Seconds() > 8.0 {
			t.Errorf("nginx dies at %s: %+v", at, first)
		}
	}
}

func TestWhenNginxComesBackSoDoesTheAddress(t *testing.T) {
	o := play(t, 40*time.Second,
		story.Event{At: 3 * time.Second, Kind: story.Fail, What: "script.chk_nginx", On: "lb1"},
		story.Event{At: 14 * time.Second, Kind: story.Recover, What: "script.chk_nginx", On: "lb1"})
	if o.Owner[theVIP] != "lb1" || o.Unowned[theVIP] != 0 {
		t.Errorf("%+v", o)
	}
	active := 0
	for _, m := range o.Mails {
		if m.Node == "lb2" && strings.HasPrefix(m.Subject, "[lb2] VI_1 is active") {
			active++
		}
	}
	if active != 1 {
		t.Errorf("mails: %+v", o.Mails)
	}
}

func TestAStopCostsNothing(t *testing.T) {
	o := play(t, 4*time.Second, story.Event{At: time.Second, Kind: story.Stop, On: "lb1"})
	if o.Owner[theVIP] != "lb2" || o.Unowned[theVIP] != 0 || o.Lost[theVIP].New != 0 {
		t.Errorf("%+v", o)
	}
}

// 3 × 2 s and the skew of 156/256 s.
func TestACutCostsADownInterval(t *testing.T) {
	o := play(t, 20*time.Second, story.Event{At: 5 * time.Second, Kind: story.Cut, On: "lb1"})
	if got := o.Unowned[theVIP]; o.Owner[theVIP] != "lb2" || got < 4.6 || got > 6.62 {
		t.Errorf("%+v", o)
	}
	if l := o.Lost[theVIP]; l.Asked != 20000 || l.New < 4600 || l.New > 6620 {
		t.Errorf("%+v", l)
	}
}

// A killed daemon leaves its address behind; the other one takes it after the silence.
func TestAKillLeavesTwoOwnersUntilTheStart(t *testing.T) {
	o := play(t, 30*time.Second,
		story.Event{At: 5 * time.Second, Kind: story.Kill, On: "lb1"},
		story.Event{At: 15 * time.Second, Kind: story.Start, On: "lb1"})
	if o.Owner[theVIP] != "lb1" || o.Unowned[theVIP] != 0 || o.Double[theVIP] < 3 || o.Double[theVIP] > 7 {
		t.Errorf("%+v", o)
	}
}

func TestAOneWayCutMakesTwoActives(t *testing.T) {
	cut := story.Event{At: time.Second, Kind: story.Cut, From: "lb1", To: "lb2"}
	heal := story.Event{At: 20 * time.Second, Kind: story.Heal, From: "lb1", To: "lb2"}
	if owner := ownerAt(t, 19*time.Second, cut); owner != "" {
		t.Errorf("%s owns it alone while lb2 cannot hear lb1", owner)
	}
	if owner := ownerAt(t, 23*time.Second, cut, heal); owner != "lb1" {
		t.Errorf("%q owns it after the cut has healed", owner)
	}
}

func TestAFreezeAndItsThaw(t *testing.T) {
	o := play(t, 20*time.Second,
		story.Event{At: 2 * time.Second, Kind: story.Freeze, On: "lb1"},
		story.Event{At: 12 * time.Second, Kind: story.Thaw, On: "lb1"})
	if o.Owner[theVIP] != "lb1" || o.Unowned[theVIP] != 0 {
		t.Errorf("%+v", o)
	}
}

func TestAnApplyOnEveryNodeMovesNothing(t *testing.T) {
	const second = "172.29.88.223/32"
	pl := &Player{Plans: nginxPair(nil), Apply: func(dir string) (map[string]*plan.Plan, error) {
		return nginxPair(func(p *plan.Plan) {
			if dir == "vip-added" {
				in := &p.Desired.Instances[0]
				in.VIPs = append(in.VIPs, plan.VIP{Address: netip.MustParsePrefix(second)})
			}
		}), nil
	}}
	var events []story.Event
	for i, dir := range []string{"vip-added", ".", "vip-added"} {
		events = append(events, story.Event{At: time.Duration(1+2*i) * time.Second, Kind: story.Apply, Dir: dir})
	}
	o := playAs(t, pl, 10*time.Second, events...)
	if o.Owner[theVIP] != "lb1" || o.Owner[second] != "lb1" || o.Unowned[theVIP] != 0 || o.Double[theVIP] != 0 || len(o.Transitions) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestStoriesThatCannotBePlayed(t *testing.T) {
	tests := map[string]story.Event{
		`there is no node "lb9"`:      {Kind: story.Stop, On: "lb9"},
		"lb1 has no script.x":         {Kind: story.Fail, What: "script.x", On: "lb1"},
		"there is nobody to read dir": {Kind: story.Apply, Dir: "dir"},
	}
	for want, e := range tests {
		_, err := (&Player{Plans: nginxPair(nil)}).Play(&story.Run{Events: []story.Event{e}, Until: time.Second})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

package health

import (
	"testing"
	"testing/synctest"

	"hafile/lang/plan"
)

func watchedCheck(name string) plan.Check {
	return plan.Check{Address: plan.Addr("interface." + name), Name: name, Interface: &plan.TrackedInterface{Name: name}}
}

func TestWhatIsWatchedHasAStateAtOnceAndFollowsEachLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := plan.CheckUp
		r := newRig(t, nil)
		r.opt.Look = func(c *plan.Check) Sight { return Sight{state, c.Interface.Name + " is " + string(state)} }
		checks := []plan.Check{watchedCheck("eth1")}
		if got := r.States(checks)["interface.eth1"]; got != plan.CheckUp {
			t.Errorf("before the plan it is %s", got)
		}
		r.Apply(checks)
		r.expect(t, "eth1 up")
		r.Look()
		r.expect(t)
		state = plan.CheckDown
		r.Look()
		r.expect(t, "eth1 down")
		if s := r.status(t, "eth1"); s.State != "down" || s.LastError != "eth1 is down" || s.LastEnd.IsZero() || s.Streak != 1 {
			t.Errorf("%+v", s)
		}
		r.Apply(checks)
		r.expect(t)
		r.Apply(nil)
		state = plan.CheckUp
		r.Look()
		r.expect(t)
	})
}

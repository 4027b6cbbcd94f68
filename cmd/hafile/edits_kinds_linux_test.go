package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is one way to edit an estate.
type kind struct {
	name string
	// twoSweeps: members know one another by what it changes. keepalived's are deaf to one
	// another between the first and the second.
	twoSweeps bool
	// hafileOnly: keepalived has no word for it, or does not take it while it runs.
	hafileOnly bool
	// lonely: it is no part of an edit of several things.
	lonely bool
	// edit changes the estate; false if there is nothing to be edited so.
	edit func(*rand.Rand, *estate) bool
}

// kinds are the edits that never drop an address. Each stands in the table of
// docs/safe-edits.md.
func kinds() []kind { return slices.Concat(simple, []kind{several}, sweeps) }

// simple edits need one plan of each machine, at whatever time.
var simple = []kind{
	{name: "a comment", edit: func(_ *rand.Rand, e *estate) bool { e.comment++; return true }},
	{name: "instance renamed, `moved`", edit: func(r *rand.Rand, e *estate) bool { return rename(r, e, true) }},
	{name: "instance renamed, without `moved`", edit: func(r *rand.Rand, e *estate) bool { return rename(r, e, false) }},
	{name: "`name` for hooks", edit: func(r *rand.Rand, e *estate) bool {
		anyOf(r, e).name = fmt.Sprintf("N_%d", r.IntN(1000))
		return true
	}},
	{name: "order of instances", edit: func(r *rand.Rand, e *estate) bool {
		r.Shuffle(len(e.units), func(i, k int) { e.units[i], e.units[k] = e.units[k], e.units[i] })
		return true
	}},

	{name: "VIP added", edit: addVIP},
	{name: "VIP removed", edit: removeVIP},
	{name: "VIPs reordered", edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		r.Shuffle(len(u.vips), func(i, k int) { u.vips[i], u.vips[k] = u.vips[k], u.vips[i] })
		return true
	}},
	{name: "VIP on another interface", lonely: true, edit: otherDevice},
	{name: "VIP to an instance later in the file", edit: func(r *rand.Rand, e *estate) bool { return handVIP(r, e, true) }},
	{name: "VIP to an instance earlier in the file", edit: func(r *rand.Rand, e *estate) bool { return handVIP(r, e, false) }},
	{name: "VIPs swapped between instances", edit: swapVIPs},
	{name: "VRIDs of two instances swapped", edit: swapVRIDs},

	{name: "`advert_int`, version 3", edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return u.version == 3 })
		if u != nil {
			u.interval = otherOf(r, u.interval, 800*time.Millisecond, 900*time.Millisecond, time.Second)
		}
		return u != nil
	}},
	{name: "`priority`", edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.high, u.low = otherOf(r, u.high, 150, 170, 200), otherOf(r, u.low, 80, 90, 100)
		return true
	}},
	{name: "`preempt`", edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.preempt = !u.preempt
		return true
	}},
	{name: "`preempt_delay`", edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.preemptDelay = otherOf(r, u.preemptDelay, 0, 5, 10)
		return true
	}},
	{name: "`announce`", edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.refresh = otherOf(r, u.refresh, 30, 60, 120)
		return true
	}},
	{name: "`start_delay`", hafileOnly: true, edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.startDelay = otherOf(r, u.startDelay, 0, 3, 7)
		return true
	}},
	{name: "`checksum`", hafileOnly: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return u.version == 3 })
		if u != nil {
			u.checksum = !u.checksum
		}
		return u != nil
	}},
	{name: "`source_address`, multicast", edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return !u.unicast && u.iface == "eth0" })
		if u != nil {
			u.source = !u.source
		}
		return u != nil
	}},
	{name: "member and unicast peer", edit: func(_ *rand.Rand, e *estate) bool { e.third = !e.third; return true }},
	{name: "`min_ttl`, unicast", hafileOnly: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return u.unicast })
		if u != nil {
			u.minTTL = otherOf(r, u.minTTL, 0, 250, 254)
		}
		return u != nil
	}},

	{name: "script added, and tracked", edit: func(r *rand.Rand, e *estate) bool {
		return addScript(r, e, fmt.Sprintf("/etc/ha/ok.sh %d", r.IntN(1000)))
	}},
	{name: "script added whose first run fails", lonely: true, edit: func(r *rand.Rand, e *estate) bool {
		return addScript(r, e, fmt.Sprintf("/etc/ha/after.sh %d", time.Now().Add(1200*time.Millisecond).UnixMilli()))
	}},
	{name: "script's command changed", edit: editScript},
	{name: "weight", edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return len(u.tracks) > 0 })
		if u != nil {
			t := &u.tracks[r.IntN(len(u.tracks))]
			t.weight = otherOf(r, t.weight, -5, -10, -20)
		}
		return u != nil
	}},
	{name: "script or check removed", edit: removeCheck},
	{name: "check of hafile's own added", hafileOnly: true, edit: addCheck},
	{name: "notify added", edit: addNotify},
	{name: "notify removed", edit: func(r *rand.Rand, e *estate) bool {
		if len(e.notifies) == 0 {
			return false
		}
		i := r.IntN(len(e.notifies))
		name := e.notifies[i].name
		e.notifies = slices.Delete(e.notifies, i, i+1)
		for k := range e.units {
			e.units[k].notify = slices.DeleteFunc(e.units[k].notify, func(n string) bool { return n == name })
		}
		return true
	}},
	{name: "`guard`, `lifecycle`", hafileOnly: true, edit: func(r *rand.Rand, e *estate) bool {
		u := anyOf(r, e)
		u.guard, u.prevent = !u.guard, r.IntN(2) == 0
		return true
	}},
}

// several are three of them in one plan.
var several = kind{name: "three of these at once", edit: func(r *rand.Rand, e *estate) bool {
	done := 0
	for _, i := range r.Perm(len(simple)) {
		if k := &simple[i]; !k.hafileOnly && !k.lonely && k.edit(r, e) {
			if done++; done == 3 {
				break
			}
		}
	}
	return true
}}

// sweeps are the edits of what members know one another by.
var sweeps = []kind{
	{name: "`router_id`", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, multicast)
		if u != nil {
			u.vrid = e.freeVRID(r)
		}
		return u != nil
	}},
	{name: "`version`", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, multicast)
		if u != nil {
			otherVersion(r, u)
		}
		return u != nil
	}},
	{name: "`interface`", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, multicast)
		if u != nil {
			otherInterface(u)
		}
		return u != nil
	}},
	{name: "password", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return multicast(u) && u.version == 2 })
		if u != nil {
			u.password = otherOf(r, u.password, "", "vrrp", "vrrp2")
		}
		return u != nil
	}},
	{name: "`advert_int`, version 2", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, func(u *unit) bool { return multicast(u) && u.version == 2 })
		if u != nil {
			u.interval = otherOf(r, u.interval, time.Second, 2*time.Second)
		}
		return u != nil
	}},
	{name: "`router_id`, `version` and `interface`", twoSweeps: true, edit: func(r *rand.Rand, e *estate) bool {
		u := pick(r, e, multicast)
		if u != nil {
			u.vrid = e.freeVRID(r)
			otherVersion(r, u)
			otherInterface(u)
		}
		return u != nil
	}},
}

func anyOf(r *rand.Rand, e *estate) *unit { return &e.units[r.IntN(len(e.units))] }

// pick is a unit of which something holds; nil if there is none.
func pick(r *rand.Rand, e *estate, is func(*unit) bool) *unit {
	for _, i := range r.Perm(len(e.units)) {
		if is(&e.units[i]) {
			return &e.units[i]
		}
	}
	return nil
}

func multicast(u *unit) bool { return !u.unicast }

func otherOf[T comparable](r *rand.Rand, is T, of ...T) T {
	of = slices.DeleteFunc(of, func(x T) bool { return x == is })
	return of[r.IntN(len(of))]
}

func (e *estate) freeVRID(r *rand.Rand) int {
	for {
		vrid := 51 + r.IntN(200)
		if !slices.ContainsFunc(e.units, func(u unit) bool { return u.vrid == vrid }) {
			return vrid
		}
	}
}

func rename(r *rand.Rand, e *estate, moved bool) bool {
	label := fmt.Sprintf("u%d", 100+r.IntN(900))
	if slices.ContainsFunc(e.units, func(u unit) bool { return u.label == label }) {
		return false
	}
	u := anyOf(r, e)
	if moved {
		e.moved = append(e.moved, [2]string{u.label, label})
	}
	u.label = label
	return true
}

func addVIP(r *rand.Rand, e *estate) bool {
	if len(e.spare) == 0 {
		return false
	}
	u := anyOf(r, e)
	i := r.IntN(len(e.spare))
	u.vips = slices.Insert(u.vips, r.IntN(len(u.vips)+1), vipAt{e.spare[i], u.iface})
	e.spare = slices.Delete(e.spare, i, i+1)
	return true
}

func removeVIP(r *rand.Rand, e *estate) bool {
	u := pick(r, e, func(u *unit) bool { return len(u.vips) > 5 && !u.prevent })
	if u == nil || len(e.spare) >= estateSpare {
		return false
	}
	i := r.IntN(len(u.vips))
	e.spare = append(e.spare, u.vips[i].addr)
	u.vips = slices.Delete(u.vips, i, i+1)
	return true
}

func otherDevice(r *rand.Rand, e *estate) bool {
	v := &anyOf(r, e).vips[0]
	v.iface = otherOf(r, v.iface, "eth0", "eth1")
	return true
}

// neighbours are two instances that the same machine is active for, in the order of the
// file, whose addresses may change places.
func neighbours(r *rand.Rand, e *estate, alike func(a, b *unit) bool) (first, second *unit) {
	for _, i := range r.Perm(len(e.units)) {
		for k := i + 1; k < len(e.units); k++ {
			if a, b := &e.units[i], &e.units[k]; a.home == b.home && a.iface == b.iface && alike(a, b) {
				return &e.units[i], &e.units[k]
			}
		}
	}
	return nil, nil
}

func anyTwo(_, _ *unit) bool { return true }

func handVIP(r *rand.Rand, e *estate, later bool) bool {
	from, to := neighbours(r, e, anyTwo)
	if from == nil {
		return false
	}
	if !later {
		from, to = to, from
	}
	if len(from.vips) <= 5 || len(to.vips) >= 18 {
		return false
	}
	i := r.IntN(len(from.vips))
	to.vips = append(to.vips, from.vips[i])
	from.vips = slices.Delete(from.vips, i, i+1)
	return true
}

func swapVIPs(r *rand.Rand, e *estate) bool {
	one, two := neighbours(r, e, anyTwo)
	if one == nil {
		return false
	}
	i, k := r.IntN(len(one.vips)), r.IntN(len(two.vips))
	one.vips[i], two.vips[k] = two.vips[k], one.vips[i]
	return true
}

func swapVRIDs(r *rand.Rand, e *estate) bool {
	one, two := neighbours(r, e, func(a, b *unit) bool {
		return a.version == b.version && a.unicast == b.unicast && a.password == b.password && (a.version == 3 || a.interval == b.interval)
	})
	if one == nil {
		return false
	}
	one.vrid, two.vrid = two.vrid, one.vrid
	return true
}

func otherVersion(r *rand.Rand, u *unit) {
	if u.version == 2 {
		u.version, u.interval, u.password = 3, time.Second, ""
		return
	}
	u.version, u.interval, u.password, u.checksum = 2, time.Second, []string{"", "vrrp"}[r.IntN(2)], false
}

// otherInterface takes along what was on the same one.
func otherInterface(u *unit) {
	to := map[string]string{"eth0": "eth1", "eth1": "eth0"}[u.iface]
	for i := range u.vips {
		if u.vips[i].iface == u.iface {
			u.vips[i].iface = to
		}
	}
	u.iface = to
}

func (e *estate) freeName(r *rand.Rand, prefix string) string {
	for {
		name := fmt.Sprintf("%s%d", prefix, r.IntN(10000))
		if !slices.ContainsFunc(slices.Concat(e.scripts, e.checks, e.notifies), func(p probe) bool { return p.name == name }) {
			return name
		}
	}
}

// script is a program in both languages.
func script(name, command string) probe {
	argv := `"` + strings.Join(strings.Fields(command), `", "`) + `"`
	return probe{
		name:       name,
		hcl:        fmt.Sprintf("  command = [%s]\n  interval = \"1s\"\n  fall = 3\n  rise = 2\n", argv),
		conf:       fmt.Sprintf("vrrp_script %s {\n  script \"%s\"\n  interval 1\n  fall 3\n  rise 2\n}", name, command),
		keepalived: true,
	}
}

func addScript(r *rand.Rand, e *estate, command string) bool {
	if len(e.scripts) >= 4 {
		return false
	}
	s := script(e.freeName(r, "s"), command)
	e.scripts = append(e.scripts, s)
	u := anyOf(r, e)
	u.tracks = append(u.tracks, trackOf{"script", s.name, []int{0, -10}[r.IntN(2)]})
	return true
}

func editScript(r *rand.Rand, e *estate) bool {
	if len(e.scripts) == 0 {
		return false
	}
	i := r.IntN(len(e.scripts))
	e.scripts[i] = script(e.scripts[i].name, fmt.Sprintf("/etc/ha/ok.sh %d", r.IntN(10000)))
	return true
}

func removeCheck(r *rand.Rand, e *estate) bool {
	list := &e.scripts
	if len(e.checks) > 0 && (len(e.scripts) == 0 || r.IntN(2) == 0) {
		list = &e.checks
	}
	if len(*list) == 0 {
		return false
	}
	i := r.IntN(len(*list))
	name := (*list)[i].name
	*list = slices.Delete(*list, i, i+1)
	for k := range e.units {
		e.units[k].tracks = slices.DeleteFunc(e.units[k].tracks, func(t trackOf) bool { return t.name == name })
	}
	return true
}

// addCheck adds a check that is good: the web server of the machine is there.
func addCheck(r *rand.Rand, e *estate) bool {
	if len(e.checks) >= 4 {
		return false
	}
	bodies := []string{
		"  http { url = \"http://127.0.0.1:80/\" }\n",
		"  tcp { address = \"127.0.0.1:80\" }\n",
		"  file { path = \"/etc/ha/ok.sh\" }\n",
		"  ping { address = \"127.0.0.1\" }\n",
	}
	c := probe{name: e.freeName(r, "c"), hcl: bodies[r.IntN(len(bodies))] + "  interval = \"1s\"\n"}
	e.checks = append(e.checks, c)
	u := anyOf(r, e)
	u.tracks = append(u.tracks, trackOf{"check", c.name, []int{0, -10}[r.IntN(2)]})
	return true
}

func addNotify(r *rand.Rand, e *estate) bool {
	if len(e.notifies) >= 4 {
		return false
	}
	bodies := []string{
		"  exec { command = [\"/etc/ha/ok.sh\"] }\n",
		"  email {\n    to = [\"ops@example.net\"]\n    from = \"ha@example.net\"\n    relay = \"10.77.0.50:25\"\n  }\n",
		"  webhook { url = \"http://127.0.0.1:80/\" }\n",
	}
	n := probe{name: e.freeName(r, "n"), hcl: "  on = [\"active\", \"fault\"]\n" + bodies[r.IntN(len(bodies))], keepalived: true}
	e.notifies = append(e.notifies, n)
	u := anyOf(r, e)
	u.notify = append(u.notify, n.name)
	return true
}

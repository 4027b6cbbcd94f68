package plan

// CheckState is what is known of a script or check.
type CheckState string

const (
	CheckUnknown CheckState = "unknown" // it has not answered yet
	CheckUp      CheckState = "up"
	CheckDown    CheckState = "down"
)

// OwnerPriority is the address owner's: no check moves it (RFC 9568, 5.2.4).
const OwnerPriority = 255

// PriorityPart is what one tracked check adds to the configured priority.
type PriorityPart struct {
	Check Addr
	Delta int
}

// Effective is the priority with which an instance stands for election while the checks
// it tracks are in the given states, and what it is made of. The arithmetic is
// keepalived's, so that a mixed pair agrees with itself: a weight below 0 counts while
// the check is down, one above 0 while it is up, a check that has not answered yet
// counts neither way, and the sum is held within 1..254. The owner's 255 takes part in
// no arithmetic.
//
// Reverse turns the sign of what is added, not when: keepalived adds 5 while a check with
// weight -5 reverse is down.
//
// failed reports that a check without weight is down: the instance should not have the
// addresses, whatever its priority. Parts lists what counts, in the order of track, and
// is nil when nothing does.
func Effective(base uint8, track []Track, state func(Addr) CheckState) (effective uint8, parts []PriorityPart, failed bool) {
	sum := int(base)
	for _, t := range track {
		s := state(t.Check)
		failed = failed || t.Fails(s)
		if base == OwnerPriority || !t.counts(s) {
			continue
		}
		sum += t.delta()
		parts = append(parts, PriorityPart{Check: t.Check, Delta: t.delta()})
	}
	if base == OwnerPriority {
		return OwnerPriority, nil, failed
	}
	return uint8(min(max(sum, 1), OwnerPriority-1)), parts, failed
}

// Best is the highest effective priority that the checks which a member tracks can give
// it: each that can add does.
func Best(base uint8, track []Track) uint8 {
	if base == OwnerPriority {
		return OwnerPriority
	}
	sum := int(base)
	for _, t := range track {
		sum += max(t.delta(), 0)
	}
	return uint8(min(max(sum, 1), OwnerPriority-1))
}

// counts reports whether the weight is part of the sum while the check is in state s.
func (t Track) counts(s CheckState) bool {
	return t.Weight < 0 && s == CheckDown || t.Weight > 0 && s == CheckUp
}

// delta is what the weight adds while it counts.
func (t Track) delta() int {
	if t.Reverse {
		return -t.Weight
	}
	return t.Weight
}

// Fails reports whether the addresses should not be here while the check is in state s.
func (t Track) Fails(s CheckState) bool {
	bad := CheckDown
	if t.Reverse {
		bad = CheckUp
	}
	return t.Weight == 0 && s == bad
}

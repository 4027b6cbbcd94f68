package vrrp

import "fmt"

// String is the event on one line, for traces.
func (e Event) String() string {
	switch e.Kind {
	case Start:
		return "start" + word(e.Holding, " holding") + word(e.Fresh, " fresh")
	case Tick:
		return "tick"
	case Heard:
		return fmt.Sprintf("%s: %s", e.From, e.Advert)
	case Rejected:
		return fmt.Sprintf("%s: %s", e.From, e.Reason)
	case Priority:
		return fmt.Sprintf("priority %d", e.Priority)
	case Failing:
		return "failing " + orNothing(e.Failing) + word(e.Release, ", nobody is better")
	case Link:
		return "link " + orNothing(e.Link)
	case Join:
		return "join"
	case Follow:
		return "follow " + orNothing(e.Away)
	case Installed:
		return "installed"
	case Refused:
		return "refused: " + e.Refusal
	case Frozen:
		return "frozen"
	case Stop:
		return "stop"
	}
	return fmt.Sprintf("event %d", e.Kind)
}

// String is the effect on one line, for traces.
func (e Effect) String() string {
	switch e.Kind {
	case Send:
		as := ""
		if e.Face > 0 {
			as = fmt.Sprintf(" as former %d", e.Face)
		}
		if e.Priority == 0 {
			return "goodbye" + as
		}
		return fmt.Sprintf("advert %d%s", e.Priority, as)
	case Claim:
		return "claim"
	case Yield:
		return "yield"
	case Announce:
		return "announce"
	case Change:
		return fmt.Sprintf("%s -> %s: %s", e.From, e.To, e.Why)
	}
	return fmt.Sprintf("effect %d", e.Kind)
}

func word(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func orNothing(what string) string {
	if what == "" {
		return "nothing"
	}
	return what
}

package node

import (
	"fmt"
	"strings"
)

// String is the effect on one line, for traces.
func (e Effect) String() string {
	switch e.Kind {
	case Send:
		return fmt.Sprintf("send %s from %s: %s", e.Interface, e.Source, &e.Advert)
	case Silence:
		return fmt.Sprintf("silence %s: %s", e.Interface, join(e.Addresses))
	case Want:
		if len(e.Beside) > 0 {
			return fmt.Sprintf("want %d: %s, with %s", e.Gen, join(e.Want), join(e.Beside))
		}
		return fmt.Sprintf("want %d: %s", e.Gen, join(e.Want))
	case Reserve:
		return fmt.Sprintf("reserve %s: %s", e.Key, e.UpTo)
	case Transitioned:
		return e.Transition.String()
	case Announce:
		return fmt.Sprintf("announce %s: %s", e.Interface, join(e.Addresses))
	}
	return fmt.Sprintf("effect %d", e.Kind)
}

// String is the transition on one line.
func (t Transition) String() string {
	if t.Group() {
		return fmt.Sprintf("%s %s -> %s: %s", t.Instance, t.From, t.To, t.Why)
	}
	text := fmt.Sprintf("%s (%s) %s -> %s at priority %d: %s", t.Instance, t.Name, t.From, t.To, t.Priority, t.Why)
	if t.Replaced {
		text += "; another router has the instance"
	}
	return text
}

func join[T fmt.Stringer](all []T) string {
	if len(all) == 0 {
		return "nothing"
	}
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

package planfile

import (
	"fmt"
	"slices"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Gate refuses what is above the highest class that is allowed. An empty max allows
// everything. What allow names is let through: "release:172.29.88.223/32" a VIP (the
// prefix may be left out), "release:instance.web" an instance that goes.
func Gate(changes []diff.Change, max diff.Class, allow []string) *Problem {
	if max == "" {
		return nil
	}
	if max.Rank() < 0 {
		return &Problem{
			Code: CodeImpact, Exit: ExitError,
			Summary: fmt.Sprintf("%q is no class of impact", max),
			Detail:  "use one of " + classes(),
		}
	}
	for i := range changes {
		if p := gate(&changes[i], max, allow); p != nil {
			return p
		}
	}
	return nil
}

func classes() string {
	var words []string
	for _, c := range diff.Classes {
		words = append(words, string(c))
	}
	return strings.Join(words, ", ")
}

func gate(c *diff.Change, max diff.Class, allow []string) *Problem {
	if slices.Contains(allow, "release:"+string(c.Address)) {
		return nil
	}
	if c.Impact.Class.Rank() <= max.Rank() {
		return nil
	}
	// One by one: a field that is allowed by name must not let another pass with it.
	found := false
	for k := range c.Fields {
		f := &c.Fields[k]
		if f.Impact == nil || f.Impact.Class.Rank() <= max.Rank() {
			continue
		}
		found = true
		if !released(f.Impact, allow) {
			return refuse(c.Address, f.Path, f.Impact, max)
		}
	}
	if found {
		return nil
	}
	return refuse(c.Address, "", &c.Impact, max)
}

// released reports whether a drop is allowed by naming each address that goes.
func released(i *diff.Impact, allow []string) bool {
	if i.Class != diff.Drops {
		return false
	}
	for _, v := range i.VIPs {
		if !slices.Contains(allow, "release:"+v.String()) && !slices.Contains(allow, "release:"+v.Addr().String()) {
			return false
		}
	}
	return len(i.VIPs) > 0
}

func refuse(a plan.Addr, path string, i *diff.Impact, max diff.Class) *Problem {
	what := string(a)
	if path != "" {
		what += " " + path
	}
	return &Problem{
		Code: CodeImpact, Exit: ExitRefused,
		Summary: fmt.Sprintf("refused, -max-impact=%s allows nothing beyond %q", max, max),
		Detail:  fmt.Sprintf("%s: %s %s; allow that class if it is meant", what, i.Class, i.Text),
	}
}

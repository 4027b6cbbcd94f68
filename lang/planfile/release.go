package planfile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// Held refuses to take away an address that the running plan protects with
// prevent_release. The running plan counts: to delete the protection together with the
// address is no way round it. An address that another instance of the node takes over is
// not taken away. What allow names goes, as with [Gate].
func Held(running, desired *plan.Plan, allow []string) *Problem {
	if running == nil {
		return nil
	}
	stays := map[netip.Addr]bool{}
	for i := range desired.Desired.Instances {
		for _, v := range desired.Desired.Instances[i].VIPs {
			stays[v.Address.Addr()] = true
		}
	}
	var words, asks []string
	for i := range running.Desired.Instances {
		in := &running.Desired.Instances[i]
		if !protected(running, in) || slices.Contains(allow, "release:"+string(in.Address)) {
			continue
		}
		for _, v := range in.VIPs {
			if stays[v.Address.Addr()] || slices.Contains(allow, "release:"+v.Address.String()) || slices.Contains(allow, "release:"+v.Address.Addr().String()) {
				continue
			}
			words = append(words, fmt.Sprintf("%s of %s", v.Address.Addr(), in.Address))
			asks = append(asks, "-allow=release:"+v.Address.Addr().String())
		}
	}
	if len(words) == 0 {
		return nil
	}
	return &Problem{
		Code: CodeHeld, Exit: ExitRefused,
		Summary: "refused, prevent_release in the running plan keeps " + strings.Join(words, ", "),
		Detail:  fmt.Sprintf("if it is really to go, apply with %s", strings.Join(asks, " ")),
	}
}

// protected: by its own word, or by that of a group that it is in.
func protected(p *plan.Plan, in *plan.Instance) bool {
	return in.PreventRelease || slices.ContainsFunc(p.Desired.Groups, func(g plan.Group) bool {
		return g.PreventRelease && slices.Contains(g.Instances, in.Address)
	})
}

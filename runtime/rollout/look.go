package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hafile/runtime/control"
)

// Statuses of the nodes, by name.
type Statuses map[string]*control.StatusFile

// look is how often a state that has not converged is asked for again.
const look = 500 * time.Millisecond

// Ask is the state of every node. One that does not answer is an error: what cannot be
// seen cannot be rolled through.
func Ask(ctx context.Context, r Remote, nodes []string) (Statuses, error) {
	out := Statuses{}
	for _, node := range nodes {
		s, err := ask(ctx, r, node)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node, err)
		}
		out[node] = s
	}
	return out, nil
}

func ask(ctx context.Context, r Remote, node string) (*control.StatusFile, error) {
	raw, exit, err := r.Run(ctx, node, nil, "status", "-json", "-with-plan")
	if err == nil && exit != 0 {
		err = fmt.Errorf("hafile status: %w", &Failed{exit, tail(raw)})
	}
	s := &control.StatusFile{}
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err == nil {
		err = control.FormatKnown(s.FormatVersion)
	}
	if err == nil && s.Node != "" && s.Node != node {
		err = fmt.Errorf("the machine that answers there is %s", s.Node)
	}
	s.Node = node
	return s, err
}

// Pending is the first node whose plan waits for hafile confirm: it takes no other one.
func (s Statuses) Pending() string {
	for _, node := range slices.Sorted(maps.Keys(s)) {
		if s[node].ConfirmBy != nil {
			return node
		}
	}
	return ""
}

// Worse says what is worse now than it was before: an address without an owner or with
// two, an instance at fault, a check that is down, an address to which something else
// happened than was predicted. Empty: nothing is. Between two nodes of a rollout some
// know an address and others do not yet; last is true after the last one, when every
// address that anybody knows must have its owner.
func Worse(before, now Statuses, last bool) []string {
	var out []string
	had, have, known := owners(before), owners(now), addresses(now)
	for _, v := range slices.SortedFunc(maps.Keys(known), func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }) {
		switch n := len(have[v]); {
		case n > 1 && n > len(had[v]):
			out = append(out, fmt.Sprintf("%s is on %s", v.Addr(), strings.Join(have[v], " and ")))
		case n == 0 && (last || len(had[v]) > 0):
			out = append(out, fmt.Sprintf("nobody answers for %s", v.Addr()))
		}
	}
	for _, node := range slices.Sorted(maps.Keys(now)) {
		out = append(out, worseOn(node, before[node], now[node])...)
	}
	return out
}

// owners of each address, in the order of their names.
func owners(all Statuses) map[netip.Prefix][]string {
	out := map[netip.Prefix][]string{}
	for _, node := range slices.Sorted(maps.Keys(all)) {
		for i := range all[node].Instances {
			in := &all[node].Instances[i]
			if in.Role != "active" {
				continue
			}
			for _, v := range in.VIPs {
				if v.Present && !slices.Contains(out[v.Address], node) {
					out[v.Address] = append(out[v.Address], node)
				}
			}
		}
	}
	return out
}

func addresses(all Statuses) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for _, s := range all {
		for i := range s.Instances {
			for _, v := range s.Instances[i].VIPs {
				out[v.Address] = true
			}
		}
	}
	return out
}

func worseOn(node string, before, now *control.StatusFile) []string {
	if before == nil {
		return nil
	}
	var out []string
	faulty, down := map[string]bool{}, map[string]bool{}
	for i := range before.Instances {
		faulty[before.Instances[i].Name] = before.Instances[i].Role == "fault"
	}
	for i := range before.Checks {
		down[string(before.Checks[i].Address)] = before.Checks[i].State == "down"
	}
	for i := range now.Instances {
		if in := &now.Instances[i]; in.Role == "fault" && !faulty[in.Name] {
			out = append(out, fmt.Sprintf("%s of %s is at fault: %s", in.Address, node, in.Why))
		}
	}
	for i := range now.Checks {
		if c := &now.Checks[i]; c.State == "down" && !down[string(c.Address)] {
			out = append(out, fmt.Sprintf("%s of %s is down", c.Address, node))
		}
	}
	if now.PID == before.PID && now.Predictions.Mispredicted > before.Predictions.Mispredicted {
		out = append(out, fmt.Sprintf("%s: not as predicted: %s", node, now.Predictions.Last))
	}
	return out
}

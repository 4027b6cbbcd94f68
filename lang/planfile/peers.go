package planfile

import (
	"fmt"
	"slices"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// Peer is what was known of another member when a plan was made.
type Peer struct {
	Known   bool   `json:"known"`
	Unknown string `json:"unknown,omitempty"` // because
	Serial  int    `json:"serial,omitempty"`  // of its plan
	Digest  string `json:"digest,omitempty"`
	// Groups are the digests of what the members must have alike, of the instances that
	// the plan changes together with them.
	Groups map[plan.Addr]string `json:"groups,omitempty"`
}

// pairwise are the instances of a plan with a change that the members must make together,
// by the address that they had before.
func pairwise(changes []diff.Change) map[plan.Addr]plan.Addr {
	out := map[plan.Addr]plan.Addr{}
	for i := range changes {
		c := &changes[i]
		together := c.Impact.Pairwise || slices.ContainsFunc(c.Fields, func(f diff.Field) bool { return f.Impact != nil && f.Impact.Pairwise })
		if !together || c.Address.Kind() != "instance" {
			continue
		}
		was := c.Address
		if c.From != "" {
			was = c.From
		}
		out[was] = c.Address
	}
	return out
}

// peersThen keeps of what is known what a later look can be compared with.
func peersThen(now map[string]Peer, changes []diff.Change) map[string]Peer {
	if now == nil {
		return nil
	}
	together := pairwise(changes)
	out := map[string]Peer{}
	for node, p := range now {
		groups := map[plan.Addr]string{}
		for was := range together {
			if g, has := p.Groups[was]; has {
				groups[was] = g
			}
		}
		p.Groups = groups
		out[node] = p
	}
	return out
}

// peersMoved: another member has since got something else, of which this plan's impact
// knows nothing. One that has what this plan brings has only been first. Where nothing
// was or is known of a member, nothing can be said.
func peersMoved(d *Document, r Running, changes []diff.Change) *Problem {
	for was, now := range pairwise(changes) {
		in := d.Desired.Instance(now)
		for _, node := range sortedKeys(d.Base.Peers) {
			then, is := d.Base.Peers[node].Groups[was], r.Peers[node].Groups[was]
			if then == "" || is == "" || is == then || in != nil && is == in.GroupDigest() {
				continue
			}
			return &Problem{
				Code: CodePeersMoved, Exit: ExitStale,
				Summary: fmt.Sprintf("%s runs something else than when this plan was made", node),
				Detail:  fmt.Sprintf("%s has changed there (now plan %d), and the members must change it together; run hafile plan again", was, r.Peers[node].Serial),
			}
		}
	}
	return nil
}

// UnknownPeers are the members of which nothing was known when a plan was made.
func (b *Base) UnknownPeers() []string {
	var out []string
	for _, node := range sortedKeys(b.Peers) {
		if !b.Peers[node].Known {
			out = append(out, node)
		}
	}
	return out
}

package peers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hafile/lang/plan"
)

// Path of the one question.
const Path = "/v1/peer"

// Said is what a node says of itself. It has no times in it, so that the same state is
// the same bytes.
type Said struct {
	FormatVersion string `json:"format_version"`
	HafileVersion string `json:"hafile_version"`
	Node          string `json:"node"`
	// Serial and Digest of the running plan; 0 and empty: none.
	Serial    int        `json:"serial"`
	Digest    string     `json:"digest,omitempty"`
	Instances []Instance `json:"instances"`
}

// Instance is one election as the node stands in it.
type Instance struct {
	Address  plan.Addr `json:"address"`
	Role     string    `json:"role"`
	Priority uint8     `json:"priority"` // with the tracked checks counted in
	// Ready: it answers for the addresses, or would if the active fell silent.
	Ready bool `json:"ready"`
	// Group is the digest of what all members must have alike (plan.Instance.GroupDigest).
	Group string `json:"group"`
	// Identities on the wire, the current one first.
	Identities []Identity     `json:"identities"`
	VIPs       []netip.Prefix `json:"vips"`
}

// Identity is how the wire knows an instance. The interface is the node's own matter.
type Identity struct {
	Family  plan.Family `json:"family"`
	VRID    uint8       `json:"vrid"`
	Version uint8       `json:"version"`
}

// Of finds an instance: by the address that people know it by, else by its identity.
func (s *Said) Of(a plan.Addr, id Identity) *Instance {
	for i := range s.Instances {
		if s.Instances[i].Address == a {
			return &s.Instances[i]
		}
	}
	for i := range s.Instances {
		if in := &s.Instances[i]; len(in.Identities) > 0 && in.Identities[0] == id {
			return in
		}
	}
	return nil
}

// Covers reports whether a member that takes over would answer for all of these.
func (i *Instance) Covers(vips []netip.Prefix) bool {
	for _, v := range vips {
		if !slices.Contains(i.VIPs, v) {
			return false
		}
	}
	return true
}

// encode is the answer and its ETag.
func encode(s *Said) (body []byte, tag string) {
	body, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("peers: an answer that cannot be written: %v", err))
	}
	sum := sha256.Sum256(body)
	return append(body, '\n'), `"` + hex.EncodeToString(sum[:8]) + `"`
}

// Bounds of an answer that is believed.
const (
	bodyMax = 8 << 20 // ten thousand instances
	wordMax = 128
)

// decode reads an answer of a node. Its words are shown to people later: what is no plain
// word is refused, not repaired.
func decode(raw []byte, node string) (*Said, error) {
	s := &Said{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, errors.New("it answers in another form: is it hafile?")
	}
	major, _, _ := strings.Cut(s.FormatVersion, ".")
	if ours, _, _ := strings.Cut(plan.FormatVersion, "."); major != ours {
		return nil, fmt.Errorf("it answers in format %.16q, this hafile reads %s.x", s.FormatVersion, ours)
	}
	if s.Node != node {
		return nil, fmt.Errorf("it says that it is %.64q", s.Node)
	}
	if !plain(s.HafileVersion) || !plain(s.Digest) {
		return nil, errors.New("its answer has words that are none")
	}
	for i := range s.Instances {
		if in := &s.Instances[i]; !plain(string(in.Address)) || !plain(in.Group) || !slices.Contains(roles, in.Role) {
			return nil, errors.New("its answer has words that are none")
		}
	}
	return s, nil
}

var roles = []string{"waiting", "backup", "active", "leaving", "fault", "drained"}

// plain: printable ASCII of a bounded length.
func plain(s string) bool {
	return len(s) <= wordMax && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

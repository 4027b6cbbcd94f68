package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// GroupDigest names what all members of an instance must have alike: how adverts look,
// which addresses they carry, and who is a member with which priority. It is equal on all
// nodes that have the same configuration. Of secrets it knows the references only.
func (i *Instance) GroupDigest() string {
	group := struct {
		Family    Family
		VRID      uint8
		Version   uint8
		AdvertMs  int64
		Transport Transport
		Group     netip.Addr
		Auth      Auth
		VIPs      []netip.Prefix
		Members   []Member
	}{
		Family: i.Family, VRID: i.VRID, Version: i.Version, AdvertMs: i.AdvertMs, Transport: i.Transport, Group: i.MulticastGroup,
		Members: slices.Clone(i.Members),
	}
	if i.Auth != nil {
		group.Auth = *i.Auth
		group.Auth.Keys = slices.Clone(i.Auth.Keys)
		for k := range group.Auth.Keys {
			group.Auth.Keys[k].Src = Src{}
		}
		for _, s := range group.Auth.secrets() {
			s.redact()
		}
	}
	for _, v := range i.VIPs {
		if !v.Unadvertised {
			group.VIPs = append(group.VIPs, v.Address)
		}
	}
	slices.SortFunc(group.Members, func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })
	for k := range group.Members {
		// What runs on a member and where it answers decides no election.
		group.Members[k].Status, group.Members[k].Speaks = "", ""
	}
	raw, err := json.Marshal(group)
	if err != nil {
		panic(fmt.Sprintf("plan: an instance that cannot be written: %v", err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

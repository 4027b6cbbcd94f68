package plan

// Group keeps instances together: all of them are active on one node, or none.
type Group struct {
	Address Addr   `json:"address"`
	Name    string `json:"name"`
	Src     Src    `json:"src,omitzero"`
	Via     Via    `json:"via,omitempty"`

	Instances []Addr  `json:"instances"` // in the order in which hooks hear of them
	Track     []Track `json:"track,omitempty"`
	Notify    []Addr  `json:"notify,omitempty"`

	PreventRelease bool `json:"prevent_release,omitempty"` // as Instance.PreventRelease, for each
}

package diff

import (
	"encoding/json"
	"strings"
	"testing"

	"hafile/lang/plan"
)

// A header that lets somebody in changes without a word of what it says.
func TestHeadersThatCarrySecretsAreNotShown(t *testing.T) {
	hook := func(token string) *plan.Notify {
		return &plan.Notify{Webhook: &plan.Webhook{Headers: map[string]string{"Authorization": "Bearer " + token, "Accept": "text/plain"}}}
	}
	for _, before := range []*plan.Notify{nil, hook("hunter1")} {
		found := leaves(before, hook("hunter2"))
		sensitive := 0
		for _, l := range found {
			if strings.Contains(string(l.before)+string(l.after), "hunter") {
				t.Errorf("%s shows it: %s, %s", l.path, l.before, l.after)
			}
			if l.sensitive {
				sensitive++
			}
		}
		if sensitive != 1 {
			t.Errorf("%d of %d are sensitive", sensitive, len(found))
		}
	}
	p := plan.Plan{Desired: plan.Desired{Notifies: []plan.Notify{*hook("hunter2")}}}
	raw, err := json.Marshal(p.Redacted())
	if err != nil || strings.Contains(string(raw), "hunter") || !strings.Contains(string(raw), "text/plain") {
		t.Errorf("%s %v", raw, err)
	}
}

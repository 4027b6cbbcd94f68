package plan

import (
	"fmt"
	"strings"
)

// Via traces what a repetition or a module call made: where those stand, the innermost
// first, since all of their products have one Src. Like that it is in no digest. It is
// text, "1:26:1:26:13 1:28:14:28:28", so that what holds it can be compared.
type Via string

// ViaOf writes positions as a trace; those that are not known are left out.
func ViaOf(positions []Src) Via {
	var words []string
	for _, s := range positions {
		if !s.IsZero() {
			words = append(words, fmt.Sprintf("%d:%d:%d:%d:%d", s[0], s[1], s[2], s[3], s[4]))
		}
	}
	return Via(strings.Join(words, " "))
}

// Positions reads a trace; what is no position is left out.
func (v Via) Positions() []Src {
	var all []Src
	for _, word := range strings.Fields(string(v)) {
		var s Src
		if n, _ := fmt.Sscanf(word, "%d:%d:%d:%d:%d", &s[0], &s[1], &s[2], &s[3], &s[4]); n == len(s) {
			all = append(all, s)
		}
	}
	return all
}

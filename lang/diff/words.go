package diff

import (
	"slices"
	"strings"
)

// Words lists the names that the fields of each type of a plan have in the language:
// "Instance" has "advert_int". An argument of the language that is none of them could be
// edited without anybody being told what that means; a test of lang holds the two
// together.
func Words() map[string][]string {
	words := map[string][]string{}
	for name, r := range rows {
		of, _, _ := strings.Cut(name, ".")
		if r.word != "" && !r.skip {
			words[of] = append(words[of], r.word)
		}
	}
	for _, list := range words {
		slices.Sort(list)
	}
	return words
}

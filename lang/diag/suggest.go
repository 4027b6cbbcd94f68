package diag

import "strings"

// Nearest is the candidate that somebody who wrote name most likely meant, or "": the
// smallest distance wins, at most a third of the length, and case never counts.
func Nearest(name string, candidates []string) string {
	best, bestAt := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if n := len(name) - len(c); c == name || max(n, -n) >= 4*bestAt {
			continue // runes have at most four bytes, so that it cannot be nearer
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance counts insertions, deletions, changes and swaps of neighbours (optimal
// string alignment): the slips of a hand on a keyboard.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	two, one, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(y)]
}

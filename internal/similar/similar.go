// Package similar finds what somebody meant who wrote a name that does not exist:
// `pacesync explain` of resources and nodes, `pacesync lint` of options.
package similar

import (
	"cmp"
	"slices"
	"strings"
)

const (
	maxSimilar    = 3   // names in "did you mean"
	maxSimilarLen = 128 // longer names are not compared letter by letter
)

// Names returns the names that are most like one that does not exist, the nearest
// first. It sorts names.
func Names(name string, names []string) []string {
	type near struct {
		name string
		d    int
	}
	var out []near
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		d := distance(strings.ToLower(name), strings.ToLower(n))
		within := len(name) > 2 && (strings.Contains(strings.ToLower(n), strings.ToLower(name)) || len(n) > 2 && strings.Contains(strings.ToLower(name), strings.ToLower(n)))
		if within {
			d = min(d, 1)
		}
		if d <= min(3, (len(name)+1)/3) {
			out = append(out, near{n, d})
		}
	}
	slices.SortStableFunc(out, func(a, b near) int { return cmp.Compare(a.d, b.d) })
	var best []string
	for _, n := range out[:min(maxSimilar, len(out))] {
		best = append(best, n.name)
	}
	return best
}

// distance is how many letters have to be changed, added, removed or swapped with
// the next one (optimal string alignment).
func distance(a, b string) int {
	if len(a) > maxSimilarLen || len(b) > maxSimilarLen {
		return maxSimilarLen
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, older := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := last[j-1]
			if a[i-1] != b[j-1] {
				same = 1 + min(same, last[j], row[j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				same = min(same, older[j-2]+1)
			}
			row[j] = same
		}
	}
	return rows[len(a)%3][len(b)]
}

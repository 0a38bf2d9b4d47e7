package explain

import (
	"cmp"
	"slices"
	"strings"
)

const (
	maxSimilar    = 3   // names in "did you mean"
	maxSimilarLen = 128 // longer names are not compared letter by letter
)

// similar returns the names that are most like one that does not exist.
func similar(name string, names []string) []string {
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
			d = min(d, 2)
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

// distance is how many letters have to be changed, added or removed (Levenshtein).
func distance(a, b string) int {
	if len(a) > maxSimilarLen || len(b) > maxSimilarLen {
		return maxSimilarLen
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

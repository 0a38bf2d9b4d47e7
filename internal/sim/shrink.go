package sim

import "slices"

// Shrink returns a smallest part of items for which fails is still true, at
// most tries calls of fails later: no single item of it can be left out. It
// takes out big pieces first, then smaller ones (delta debugging, Zeller and
// Hildebrandt 2002, the complement half).
func Shrink[T any](items []T, tries int, fails func([]T) bool) []T {
	best := slices.Clone(items)
	for size := (len(best) + 1) / 2; size > 0; {
		removed := false
		for at := 0; at < len(best) && tries > 0; {
			end := min(at+size, len(best))
			candidate := slices.Delete(slices.Clone(best), at, end)
			tries--
			if fails(candidate) {
				best, removed = candidate, true
				continue
			}
			at = end
		}
		switch {
		case tries == 0:
			return best
		case size == 1 && !removed:
			return best
		case size > 1:
			size = (size + 1) / 2
			if size == 1 && len(best) == 0 {
				return best
			}
		}
	}
	return best
}

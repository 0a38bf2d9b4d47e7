package srp

import (
	"slices"
	"testing"

	"github.com/pacesync/pacesync/totem/wire"
)

func TestNodeSet(t *testing.T) {
	var s nodeSet
	s.add(5, 1, 3, 1)
	if !slices.Equal(s, nodeSet{1, 3, 5}) {
		t.Fatal(s)
	}
	for _, tc := range []struct {
		ids    []wire.NodeID
		same   bool
		hasAll bool
		union  int
	}{
		{nil, false, true, 3},
		{[]wire.NodeID{5, 3, 1}, true, true, 3},
		{[]wire.NodeID{5, 3}, false, true, 3},
		{[]wire.NodeID{5, 2, 2}, false, false, 4},
		{[]wire.NodeID{9, 8, 7}, false, false, 6},
	} {
		if s.same(tc.ids) != tc.same || s.hasAll(tc.ids) != tc.hasAll || s.unionLen(tc.ids) != tc.union {
			t.Errorf("%v: same %v hasAll %v union %d", tc.ids, s.same(tc.ids), s.hasAll(tc.ids), s.unionLen(tc.ids))
		}
	}
	if got := s.minus(nodeSet{3, 4}); !slices.Equal(got, nodeSet{1, 5}) {
		t.Error(got)
	}
	s.remove(3)
	s.remove(4)
	if !slices.Equal(s, nodeSet{1, 5}) {
		t.Error(s)
	}
}

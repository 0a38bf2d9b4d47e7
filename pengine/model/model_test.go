package model

import (
	"slices"
	"strconv"
	"testing"
)

// TestMergeSort sorts with a comparison that is no order: the result is that of
// g_list_sort only if the halves and the merging are the same.
func TestMergeSort(t *testing.T) {
	beats := map[[2]int]bool{{2, 4}: true, {4, 5}: true, {5, 2}: true}
	cmp := func(a, b int) int {
		switch {
		case beats[[2]int{a, b}]:
			return -1
		case beats[[2]int{b, a}]:
			return 1
		}
		return a - b
	}
	for _, c := range []struct{ in, want []int }{
		{[]int{2, 4, 5}, []int{2, 4, 5}},
		{[]int{5, 4, 2}, []int{5, 2, 4}},
		{[]int{4, 2, 5, 1}, []int{1, 5, 2, 4}},
		{[]int{3, 1, 2}, []int{1, 2, 3}},
		{nil, nil},
	} {
		got := slices.Clone(c.in)
		MergeSort(got, cmp)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
	}
}

// TestHashOrder has orders that the original showed or that follow from its hash by hand.
func TestHashOrder(t *testing.T) {
	order := func(keys ...string) (out []string) {
		for _, i := range HashOrder(keys) {
			out = append(out, keys[i])
		}
		return out
	}
	if got, want := order("1", "2", "3", "4", "5"), []string{"1", "3", "5", "2", "4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := order("cpu", "memory"), []string{"cpu", "memory"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var many []string
	for i := range 3000 {
		many = append(many, "node-"+strconv.Itoa(i))
	}
	got := HashOrder(many)
	slices.Sort(got)
	for i, v := range got {
		if i != v {
			t.Fatalf("a table of %d keys lost or repeated some", len(many))
		}
	}
	if len(got) != len(many) {
		t.Fatalf("%d of %d keys", len(got), len(many))
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"node2", "node10", -1}, {"node10", "node2", 1}, {"A", "a", 0}, {"node", "node1", -1}, {"node01", "node1", 1},
		{"a1b2", "a1b10", -1}, {"", "", 0}, {"x9", "xa", -1},
	} {
		if got := CompareNames(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSplitKey(t *testing.T) {
	for _, c := range []struct {
		key, rsc, task string
		ms             uint32
		ok             bool
	}{
		{"rsc_start_0", "rsc", "start", 0, true},
		{"a_b:1_monitor_10000", "a_b:1", "monitor", 10000, true},
		{"vm_migrate_to_0", "vm", "migrate_to", 0, true},
		{"vm_migrate_from_0", "vm", "migrate_from", 0, true},
		{"r_pre_notify_start_0", "r", "pre_notify_start", 0, true},
		{"_start_0", "", "start", 0, true}, {"start_0", "", "", 0, false}, {"start", "", "", 0, false}, {"", "", "", 0, false},
	} {
		rsc, task, ms, ok := SplitKey(c.key)
		if ok != c.ok || (ok && (rsc != c.rsc || ms != c.ms)) {
			t.Errorf("%q: got %q %q %d %v", c.key, rsc, task, ms, ok)
		}
		if ok && c.rsc != "r" && task != c.task {
			t.Errorf("%q: task %q, want %q", c.key, task, c.task)
		}
	}
}

// TestLink: equal orders are made once, an action is never ordered after itself.
func TestLink(t *testing.T) {
	a, b := &Action{}, &Action{}
	if !Link(a, b, OrderOptional) || Link(a, b, OrderOptional) || !Link(a, b, RunnableLeft) || Link(a, a, OrderOptional) || Link(nil, b, OrderOptional) {
		t.Error("wrong answers")
	}
	if len(a.After) != 2 || len(b.Before) != 2 {
		t.Errorf("%d and %d edges", len(a.After), len(b.Before))
	}
}

func TestTable(t *testing.T) {
	c := New()
	x, y := c.AddNode("1", "b", Member, 5), c.AddNode("2", "a", Member, 0)
	var tab Table
	tab.Ensure(x).Score = 7
	dup := tab.Copy()
	dup.Get(x).Score = 9
	if tab.Get(x).Score != 7 || tab.Get(y) != nil || tab.Len() != 1 {
		t.Error("a copy shares, or an entry appears from nowhere")
	}
	tab.Ensure(y)
	tab.Delete(x)
	if l := tab.List(); len(l) != 1 || l[0].Node != y {
		t.Errorf("after deletion: %v", l)
	}
	if c.Nodes[0] != y || c.Node("A") != y || c.NodeAny("1", "") != x {
		t.Error("nodes are kept by name and found by name or id")
	}
}

// TestHashed: the order of a table follows from the order in which it was filled.
func TestHashed(t *testing.T) {
	c := New()
	c.AddNode("bundle-15-0", "bundle-15-0", Remote, 0)
	second, node := c.AddNode("bundle-15-1", "bundle-15-1", Remote, 0), c.AddNode("1", "node1", Member, 0)
	for _, first := range []*Node{second, node} {
		var tab Table
		tab.Ensure(first)
		for _, n := range c.Nodes {
			tab.Ensure(n)
		}
		dup := tab.Copy()
		for _, got := range [][]*Weighted{tab.Hashed(), dup.Hashed()} {
			if len(got) != 3 || got[0].Node != first {
				t.Errorf("%s came first; %v", first.Name, got)
			}
		}
	}
}

package crmnode

import "testing"

func TestNumericOrder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"n2", "n10", -1}, {"n10", "n2", 1}, {"N1", "n1", 0}, {"n01", "n1", 0}, {"a", "b", -1}, {"n1", "n1a", -1}, {"", "x", -1}, {"n1b2", "n1b10", -1}} {
		if got := numeric(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

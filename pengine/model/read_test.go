package model

import (
	"slices"
	"testing"
)

// TestRead: values and what the original says where they are none (see
// pengine/testdata/stories/malformed.txt).
func TestRead(t *testing.T) {
	number := func(c *Cluster, s string) int64 { return c.Int(s, 3) }
	atLeast := func(c *Cluster, s string) int64 { return int64(c.MinInt(s, 1)) }
	score := func(c *Cluster, s string) int64 { return int64(c.Score(s)) }
	interval := func(c *Cluster, s string) int64 { return int64(c.Interval(s)) }
	role := func(c *Cluster, s string) int64 { return int64(c.ParseRole(s)) }
	for _, k := range []struct {
		read func(*Cluster, string) int64
		in   string
		want int64
		said []string
	}{
		{number, "17", 17, nil},
		{number, "17x", 17, []string{"Characters left over after parsing '17x': 'x'"}},
		{number, "x", 3, []string{"Could not parse integer from 'x' (using 3 instead): No digits found", "Characters left over after parsing 'x': 'x'"}},
		{number, "99999999999999999999", 3, []string{"Integer parsed from '99999999999999999999' was clipped to 9223372036854775807"}},
		{number, "-99999999999999999999", 3, []string{"Integer parsed from '-99999999999999999999' was clipped to -9223372036854775808"}},
		{atLeast, "0", 1, []string{"Clipped '0' to minimum acceptable value 1"}},
		{atLeast, "2147483648", 1<<31 - 1, []string{"Clipped '2147483648' to maximum integer 2147483647"}},
		{score, "", 0, nil},
		{score, "-INFINITY", -1000000, nil},
		{score, "1000001", 1000000, nil},
		{score, "green", 0, nil},
		{score, "1.5", 1, []string{"Characters left over after parsing '1.5': '.5'"}},
		{score, "infinity", 0, []string{"Could not parse integer from 'infinity' (using 0 instead): No digits found", "Characters left over after parsing 'infinity': 'infinity'"}},
		{interval, "10s", 10000, nil},
		{interval, "PT1M", 60000, nil},
		{interval, "PT", 0, nil},
		{interval, "soon", 0, []string{"Using 0 instead of 'soon'"}},
		{interval, "-1", 0, []string{"Using 0 instead of '-1'"}},
		{role, "master", int64(Promoted), nil},
		{role, "Unknown", int64(Unknown), nil},
		{role, "boss", int64(Unknown), []string{"Unknown role: boss"}},
	} {
		c := New()
		if got := k.read(c, k.in); got != k.want {
			t.Errorf("%q: %d, not %d", k.in, got, k.want)
		}
		var said []string
		for _, p := range c.Problems {
			said = append(said, p.Text)
		}
		if !slices.Equal(said, k.said) {
			t.Errorf("%q: said %q, not %q", k.in, said, k.said)
		}
	}
	if c := New(); c.RoleAttr("", false) != Unknown || len(c.Problems) > 0 {
		t.Error("no role is no problem")
	}
}

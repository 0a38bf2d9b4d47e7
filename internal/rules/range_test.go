package rules

import "testing"

// TestInRange: what lies before a range has yet to come, what lies behind it is over.
func TestInRange(t *testing.T) {
	for _, c := range []struct {
		spec string
		v    int64
		want DateVerdict
	}{{"2019", 2018, BeforeRange}, {"2019", 2019, WithinRange}, {"2019", 2020, AfterRange}, {"3-5", 2, BeforeRange}, {"3-5", 5, WithinRange},
		{"3-5", 6, AfterRange}, {"3-", 2, BeforeRange}, {"3-", 99, WithinRange}, {"-5", 0, WithinRange}, {"-5", 6, AfterRange}, {"", 1, WithinRange},
		{"-", 1, WithinRange}, {"x", 1, WithinRange}, {"3-x", 1, WithinRange}} {
		if got := inRange(c.spec, c.v); got != c.want {
			t.Errorf("%d in %q: %d, want %d", c.v, c.spec, got, c.want)
		}
	}
}

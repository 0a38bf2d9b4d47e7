package iso8601

import "testing"

func TestParts(t *testing.T) {
	for s, want := range map[string]Parts{
		"P1Y2M3DT4H5M6S": {1, 2, 3, 4*3600 + 5*60 + 6}, "P2W": {Days: 14}, "PT90S": {Seconds: 90}, "P0D": {},
		"P1M/2020-01-01": {Months: 1},
	} {
		if got, err := ParseParts(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "P", "P1", "1D", "PX", "P99999999999Y", "P0"} {
		if got, err := ParseParts(s); err == nil {
			t.Errorf("%s: %+v", s, got)
		}
	}
	start, _ := Parse("2020-01-31T00:00:00Z", Time{})
	if got := start.Add(Parts{Months: 1, Days: 1}).String(); got != "2020-03-01 00:00:00Z" {
		t.Error(got)
	}
	if got := start.Sub(Parts{Months: 2}).String(); got != "2019-11-30 00:00:00Z" {
		t.Error(got)
	}
}

func FuzzParseParts(f *testing.F) {
	for _, s := range []string{"P1Y2M3DT4H5M6S", "PT", "P0D", "P00000000000000000001D", "P1M/x"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		p, err := ParseParts(s)
		if err == nil {
			_ = Time{}.Add(Parts{Years: p.Years % 1000, Months: p.Months % 1000, Days: p.Days % 100000, Seconds: p.Seconds % 1000000}).String()
		}
	})
}

// TestSigns: every amount of a duration may have a sign of its own.
func TestSigns(t *testing.T) {
	for in, want := range map[string]Parts{"P-1Y-2M3D": {Years: -1, Months: -2, Days: 3}, "PT-61S": {Seconds: -61}, "P-1DT+2H": {Days: -1, Seconds: 7200}} {
		if got, err := ParseParts(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"PT-1.5S", "P-", "P--1D", "P-M", "P1-D"} {
		if got, err := ParseParts(in); err == nil {
			t.Errorf("%s: %+v", in, got)
		}
	}
	if s, err := Duration("P-1DT1H"); err != nil || s != -82800 {
		t.Errorf("%d %v", s, err)
	}
}

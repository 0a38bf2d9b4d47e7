package iso8601

import "testing"

func TestParse(t *testing.T) {
	now := Time{Unix: 1000000000}
	for in, want := range map[string]string{
		"2005-020":                  "2005-01-20 00:00:00Z",
		"2005-020T12:30":            "2005-01-20 12:30:00Z",
		"2014-05-07 00:28:00":       "2014-05-07 00:28:00Z",
		"20050120T1230":             "2005-01-20 12:30:00Z",
		"2005-W03-4":                "2005-01-20 00:00:00Z",
		"2009-W53-7 06:00:00Z":      "2010-01-03 06:00:00Z",
		"2005-01-20 12:30:00 +2:00": "2005-01-20 10:30:00Z",
		"epoch":                     "1970-01-01 00:00:00Z",
		"T10:00":                    "2001-09-09 10:00:00Z",
		"2019-02-30":                "", "2019-13-01": "", "x": "", "2005-400": "", "2005-01-20 25:00": "",
	} {
		got, err := Parse(in, now)
		if (err == nil) != (want != "") || (err == nil && got.String() != want) {
			t.Errorf("Parse(%q) = %v, %v, want %q", in, got, err, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for in, want := range map[string]uint32{
		"": 0, "0": 0, "10": 10000, "10s": 10000, "5min": 300000, "2h": 7200000, "250ms": 250, "5000us": 5,
		"PT1M": 60000, "P1D": 86400000, "x": 0, "1y": 0, " 7 s": 7000, "99999999999": 4294967295,
	} {
		if got, _ := IntervalMS(in); got != want {
			t.Errorf("IntervalMS(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestCalendar(t *testing.T) {
	jan31, _ := Parse("2019-01-31 10:00:00Z", Time{})
	if got := jan31.AddMonths(1).String(); got != "2019-02-28 10:00:00Z" {
		t.Error(got)
	}
	if got := jan31.AddYears(1).String(); got != "2020-01-31 10:00:00Z" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2005-W03-4T10:00Z")
	f.Add("P1DT3H")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := Parse(s, Time{}); err == nil {
			_, _, _ = v.AddMonths(5).AddYears(-1).ISOWeek()
		}
		IntervalMS(s)
		MSec(s)
	})
}

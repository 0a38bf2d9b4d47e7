package resource

import (
	"math"
	"testing"
)

// TestScan: numbers at the beginning of a text, as sscanf reads them.
func TestScan(t *testing.T) {
	for _, c := range []struct {
		text string
		u    uint64
		uok  bool
		i    int32
		iok  bool
		f    float64
		fok  bool
	}{
		{"80", 80, true, 80, true, 80, true},
		{" +7x", 7, true, 7, true, 7, true},
		{"-3", math.MaxUint64 - 2, true, -3, true, -3, true},
		{"8.56", 8, true, 8, true, 8.56, true},
		{"1e3", 1, true, 1, true, 1000, true},
		{"", 0, false, 0, false, 0, false},
		{"much", 0, false, 0, false, 0, false},
		{"1_000", 1, true, 1, true, 1, true},
		{"99999999999999999999", math.MaxUint64, true, math.MaxInt32, true, 99999999999999999999, true},
	} {
		if u, ok := scanUint(c.text); u != c.u || ok != c.uok {
			t.Errorf("%q as %%lu: %d %v", c.text, u, ok)
		}
		if i, ok := ScanInt(c.text); i != c.i || ok != c.iok {
			t.Errorf("%q as %%d: %d %v", c.text, i, ok)
		}
		if f, ok := ScanFloat(c.text); f != c.f || ok != c.fok {
			t.Errorf("%q as %%lf: %v %v", c.text, f, ok)
		}
	}
}

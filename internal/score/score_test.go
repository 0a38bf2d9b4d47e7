package score

import (
	"math/big"
	"testing"
	"testing/quick"
)

func TestAddAgreesWithBigIntegers(t *testing.T) {
	inf := big.NewInt(int64(Infinity))
	f := func(x, y int32) bool {
		a, b := Clamp(int64(x)%1500000), Clamp(int64(y)%1500000)
		got := Add(a, b)
		if a == -Infinity || b == -Infinity {
			return got == -Infinity
		}
		if a == Infinity || b == Infinity {
			return got == Infinity
		}
		sum := new(big.Int).Add(big.NewInt(int64(a)), big.NewInt(int64(b)))
		if sum.Cmp(inf) > 0 {
			sum.Set(inf)
		} else if neg := new(big.Int).Neg(inf); sum.Cmp(neg) < 0 {
			sum.Set(neg)
		}
		return int64(got) == sum.Int64() && Add(b, a) == got
	}
	if err := quick.Check(f, nil); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	h := Health{Red: -Infinity, Yellow: -10, Green: 5}
	for in, want := range map[string]Score{
		"": 0, "INFINITY": Infinity, "+INFINITY": Infinity, "-INFINITY": -Infinity, "infinity": 0,
		"12": 12, "-7x": -7, " 3": 3, "x": 0, "1000001": Infinity, "-99999999999999999999": 0, /* the original uses none of it */
		"red": -Infinity, "Yellow": -10, "GREEN": 5,
	} {
		if got := Parse(in, h); got != want {
			t.Errorf("Parse(%q) = %v, want %v", in, got, want)
		}
	}
}

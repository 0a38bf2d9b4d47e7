package srp

import (
	"testing"
	"time"
)

// TestDefaults compares with runtime.config.totem of the original: two and
// three nodes, and what is set stays.
func TestDefaults(t *testing.T) {
	ms := time.Millisecond
	for _, tc := range []struct {
		name                               string
		cfg                                Config
		nodes                              int
		token, retransmit, hold, consensus time.Duration
	}{
		{"one node", Config{}, 1, 3000 * ms, 714 * ms, 561 * ms, 3600 * ms},
		{"two nodes", Config{}, 2, 3000 * ms, 714 * ms, 561 * ms, 3600 * ms},
		{"three nodes", Config{}, 3, 3650 * ms, 869 * ms, 685 * ms, 4380 * ms},
		{"token set", Config{Token: 1000 * ms}, 3, 1000 * ms, 238 * ms, 180 * ms, 1200 * ms},
		{"token set to the default, coefficient 0", Config{Token: 3000 * ms}, 3, 3000 * ms, 714 * ms, 561 * ms, 3600 * ms},
		{"all set", Config{Token: 1000 * ms, TokenRetransmit: 100 * ms, Hold: 50 * ms, Consensus: 1500 * ms}, 3, 1000 * ms, 100 * ms, 50 * ms, 1500 * ms},
	} {
		c := tc.cfg.WithDefaults(tc.nodes)
		if c.Token != tc.token || c.TokenRetransmit != tc.retransmit || c.Hold != tc.hold || c.Consensus != tc.consensus {
			t.Errorf("%s: token %v retransmit %v hold %v consensus %v", tc.name, c.Token, c.TokenRetransmit, c.Hold, c.Consensus)
		}
		if c.Join != 50*ms || c.Merge != 200*ms || c.WindowSize != 50 || c.MaxMessages != 17 || c.MissCountConst != 5 ||
			c.FailRecvConst != 2500 || c.SeqnoUnchangedConst != 30 || c.NetMTU != 1410 || c.TokenWarning != 75 {
			t.Errorf("%s: %+v", tc.name, c)
		}
	}
}

// TestCauses: the numbers and texts are in logs that people compare.
func TestCauses(t *testing.T) {
	for c := range Cause(causes) {
		if c.String() == "UNKNOWN" || c.String() == "" {
			t.Errorf("cause %d has no text", c)
		}
	}
	if Cause(causes).String() != "UNKNOWN" {
		t.Error("a cause too many")
	}
	if got := CauseInterfaceChange.String(); got != "interface change" || CauseInterfaceChange != 15 {
		t.Error(got)
	}
}

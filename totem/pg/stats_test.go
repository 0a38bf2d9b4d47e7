package pg

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
)

// TestOwnMulticastsCount: what a node multicasts counts as received too, as the
// original's own messages come back to it.
func TestOwnMulticastsCount(t *testing.T) {
	c := startAll(t, srp.Config{}, 1, 2)
	for range 20 { // while the token is held
		c.node(1).eng.CancelHold(c.now)
		c.run(100 * time.Millisecond)
	}
	before := *c.node(1).eng.Stats()
	for range 10 {
		if err := c.node(1).eng.Mcast(c.now, GroupService, make([]byte, 1000), nil); err != nil {
			t.Fatal(err)
		}
	}
	c.run(5 * time.Second)
	s := c.node(1).eng.Stats()
	if tx, rx := s.McastTx-before.McastTx, s.McastRx-before.McastRx; tx == 0 || rx < tx {
		t.Errorf("mcast_tx %d, mcast_rx %d", tx, rx)
	}
	if tx, rx := s.MembMergeDetectTx-before.MembMergeDetectTx, s.MembMergeDetectRx-before.MembMergeDetectRx; tx == 0 || rx != tx {
		t.Errorf("memb_merge_detect_tx %d, _rx %d", tx, rx)
	}
	if s.TokenHoldCancelTx == 0 || s.TokenHoldCancelRx < s.TokenHoldCancelTx {
		t.Errorf("token_hold_cancel_tx %d, _rx %d", s.TokenHoldCancelTx, s.TokenHoldCancelRx)
	}
	if s.MsgReserved != 2 {
		t.Errorf("msg_reserved %d, the original's is 2 whenever a client reads it", s.MsgReserved)
	}
}

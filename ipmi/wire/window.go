package wire

// windowBehind is how far behind the newest packet one may come and still count
// (§6.12.13: 16 behind; 1.5 asks for at least 8).
const windowBehind = 16

// Window remembers which sequence numbers were seen. Numbers ahead are taken at
// any distance: they are authenticated, and some BMCs do not start where they
// were told to. The zero value is ready.
type Window struct {
	started bool
	high    uint32
	seen    uint32 // bit n: high-n was seen
}

// Take tells whether a number is new, and remembers it.
func (w *Window) Take(seq uint32) bool {
	if !w.started {
		*w = Window{true, seq, 1}
		return true
	}
	ahead := int32(seq - w.high) // wraps as the numbers do
	switch {
	case ahead > 0 && ahead < 32:
		w.high, w.seen = seq, w.seen<<ahead|1
	case ahead > 0:
		w.high, w.seen = seq, 1
	case -ahead >= windowBehind || ahead == -1<<31:
		return false
	case w.seen&(1<<-ahead) != 0:
		return false
	default:
		w.seen |= 1 << -ahead
	}
	return true
}

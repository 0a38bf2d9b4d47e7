package loop

import "time"

// The ring waits a moment for clients that are in full flow: a token that finds more
// messages to take along goes round less often, and for each of them less is spent on
// passing it.
const (
	// patience is how long the ring waits in all, counted from when it was served last.
	// A ring with nothing to do was served longer ago than that: it never waits.
	patience = 200 * time.Microsecond
	// grace is how long it waits for the next request of a client in full flow that has
	// none ready: on a machine with few processors the packet that brought the token has
	// just taken the client's, and another is free within some 15 us.
	grace = 20 * time.Microsecond
	// flow is how many turns of the loop since the ring was served have to have found
	// requests for that. A client that waits for the answer to each message has one.
	flow = 2
)

// order decides whether the ring or its clients are served first.
type order struct {
	served time.Time // when the ring last was
	asked  time.Time // when a client last had something
	turns  int       // since the ring was served, in which a client had something
}

// ringNow takes note of a turn at now in which these had something to read, and says
// whether the ring is served in it.
func (o *order) ringNow(now time.Time, ring, clients bool) bool {
	if clients {
		o.turns++
		o.asked = now
	}
	waits := clients || o.turns >= flow && now.Sub(o.asked) < grace
	return ring && (!waits || now.Sub(o.served) >= patience)
}

// ringServed takes note of when serving the ring ended.
func (o *order) ringServed(now time.Time) {
	o.served = now
	o.turns = 0
}

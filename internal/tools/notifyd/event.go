package notifyd

// origin is the node that this program runs on.
type origin struct {
	host string
	id   uint32
}

// member is a node that joined or left.
type member struct {
	name  string // of its address, or the address
	id    uint32
	addr  string
	state string // joined or left
}

// client is a program that connected to the daemon or went.
type client struct {
	name  string // POINTER.PID.NAME
	state string // connected or disconnected
}

// link is a knet link that came up or went down.
type link struct {
	node, number uint32
	state        string // operational or disconnected
}

// sink tells somebody of events.
type sink interface {
	node(m member)
	quorum(o origin, quorate bool)
	client(o origin, c client)
	link(o origin, l link)
}

// quorumState is the word for quorum in signals and traps.
func quorumState(quorate bool) string {
	if quorate {
		return "quorate"
	}
	return "not quorate"
}

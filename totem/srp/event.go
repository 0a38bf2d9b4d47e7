package srp

// EventKind says what happened to the node.
type EventKind uint8

// The events that Step takes.
const (
	// EvStart is the first event: the interface is there, look for others.
	EvStart EventKind = iota
	// EvPacket is one received datagram, Data.
	EvPacket
	// EvTimer fires every deadline that is due at now.
	EvTimer
	// EvLink tells that the local interface went up or down, Up.
	EvLink
	// EvLeave sends the leave message; the ring is silent from then on.
	EvLeave
	// EvReconfigure brings new timings and limits, Config.
	EvReconfigure
	// EvForceGather starts a membership round without cause (the cmap key
	// runtime.force_gather).
	EvForceGather
)

// Event is one input of Step.
type Event struct {
	Kind   EventKind
	Data   []byte  // EvPacket: the datagram, read only during Step
	Up     bool    // EvLink
	Config *Config // EvReconfigure
}

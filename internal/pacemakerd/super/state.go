package super

// State is what pacemakerd says of itself to clients.
type State string

// States (msg_xml.h: XML_PING_ATTR_PACEMAKERDSTATE_*).
const (
	Init             State = "init"
	StartingDaemons  State = "starting_daemons"
	WaitForPing      State = "wait_for_ping"
	Running          State = "running"
	ShuttingDown     State = "shutting_down"
	ShutdownComplete State = "shutdown_complete"
)

// Known reports whether s is one of the states.
func (s State) Known() bool {
	switch s {
	case Init, StartingDaemons, WaitForPing, Running, ShuttingDown, ShutdownComplete:
		return true
	}
	return false
}

// Friendly is the state for people (pcmk__pcmkd_state_enum2friendly).
func (s State) Friendly() string {
	switch s {
	case Init:
		return "Initializing pacemaker"
	case StartingDaemons:
		return "Pacemaker daemons are starting"
	case WaitForPing:
		return "Waiting for startup trigger from SBD"
	case Running:
		return "Pacemaker is running"
	case ShuttingDown:
		return "Pacemaker daemons are shutting down"
	case ShutdownComplete:
		return "Pacemaker daemons are shut down (reporting to SBD)"
	}
	return "Invalid pacemakerd state"
}

package crmd

// Log lines that people and test suites search for, with upstream's words.
const (
	msgTransition = "State transition %s -> %s | input=%s cause=%s origin=%s"             // controld_fsa.c: do_state_transition
	msgInput      = "Input %s received in state %s from %s"                               // controld_fsa.c: do_log
	msgStarted    = "Pacemaker controller successfully started and accepting connections" // controld_control.c: do_started
	msgPing       = "Current ping state: %s"                                              // controld_messages.c: handle_ping
	msgLostPeer   = "Lost connection to cluster layer, shutting down"                     // controld_corosync.c: crmd_cs_destroy
	msgLostCIB    = "Lost connection to the CIB manager, shutting down"                   // controld_callbacks.c
	msgShutdown   = "Initiating controller shutdown sequence | limit=%dms"                // controld_control.c: crm_shutdown
)

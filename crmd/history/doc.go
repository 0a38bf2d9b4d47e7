// Package history keeps what the executor of a node did: which operations ran last,
// which recur, which are under way, and writes it for the CIB.
//
// Every controller owns a Keeper for its own executor. Requests of the transitioner and
// of tools, and results of the executor, go in; what is to be sent to the executor, to
// the CIB and to those who wait for an answer comes out as effects. It replaces
// daemons/controld/controld_execd.c, controld_execd_state.c, controld_metadata.c and
// pcmk__create_history_xml of lib/pacemaker/pcmk_sched_actions.c. Pure: no goroutine,
// clock, socket or log.
package history

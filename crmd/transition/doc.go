// Package transition executes transition graphs: it decides which action runs next,
// follows the results that come back through the CIB, and says when a transition is
// over, aborted or out of date.
//
// The controller that is the DC owns one Engine and feeds it with graphs of the policy
// engine, changes of the CIB, results of fencing and the passing of time; what is to be
// done comes back as effects. It replaces daemons/controld/controld_te_*.c,
// controld_transition.c, the decisions of controld_fencing.c and of controld_throttle.c,
// and lib/pacemaker/pcmk_graph_consumer.c. Pure: no goroutine, clock, socket or log.
package transition

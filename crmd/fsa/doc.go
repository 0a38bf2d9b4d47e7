// Package fsa is the controller's state machine: which state it is in, what an
// input means there, which actions are due and in which order. It knows
// nothing of messages or connections; its owner carries the actions out and
// feeds inputs back.
//
// The table (table.go) is all there is to know about states; Dot draws it.
// Used by crmd. Upstream: daemons/controld: controld_matrix.h, controld_fsa.c.
package fsa

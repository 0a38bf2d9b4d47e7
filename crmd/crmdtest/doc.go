// Package crmdtest runs the controller's cores against models of executors, fencers and
// the CIB, in one process and under a virtual clock.
//
// Its tests execute the original's conformance graphs and random clusters from seeds; it
// is no part of a program.
package crmdtest

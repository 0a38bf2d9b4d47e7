// Package session is one IPMI session from the remote program's side: log-in
// by RAKP (2.0) or by challenge (1.5), privilege, commands one at a time, end.
// It is pure: events and the time come in by Step, packets and results leave
// by Take, Deadline says when Step wants to be called again; randomness is an
// argument. ipmi/client drives it over a socket. It replaces the session half
// of ipmitool (src/plugins/lan/lan.c and src/plugins/lanplus/lanplus.c).
//
//	2.0   capabilities → open → rakp1 → rakp3 → privilege → ready ⇄ command → closing → closed
//	1.5   capabilities → challenge → activate ┬→ privilege → …
//	                                          └ (silence) → probe: is the BMC there at all?
//
// What is sent again, and how: every transmission waits longer than the one
// before. In log-in each repetition has a new tag (1.5: a new request number)
// and only the answer to the newest counts, because a BMC that sees a repeated
// RAKP message 1 may have drawn a new random number, and an answer to the
// former one would look like a wrong password. Commands keep their request
// number, so that a BMC can tell a repetition, and get a new session sequence
// number, without which they were dropped as replays.
//
// What is never sent twice: the proof of a password not yet known to be right.
// In 2.0 message 2 shows whether the BMC has the same password before ours is
// proved; in 1.5 Activate Session goes out once, and silence is followed by a
// question that needs no password. So a wrong password costs one attempt and
// cannot lock the user out.
package session

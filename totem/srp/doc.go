// Package srp is the Totem single-ring protocol as a pure core: token, total
// order, retransmission, membership.
//
// Caller: totem/pg, whose Engine owns the one Ring of a node. The ring does no
// I/O, starts no goroutine and never reads a clock. Upstream: exec/totemsrp.c.
// Read in this order: state.go, ring.go, one file per state, token.go.
//
// # Layers
//
//	services, sync layer          messages of up to 1 MiB, views
//	------------------------------------------------------------
//	pg    packs, fragments        packets of NetMTU bytes
//	------------------------------------------------------------
//	srp   lanes -> sort queue     numbered packets; token; membership
//	      (what waits) (what somebody may lack)
//	------------------------------------------------------------
//	wire  Parse once, Append      datagrams
//	------------------------------------------------------------
//	totem (shell), totem/link     sockets, clock, ring id file, log
//
// # State and event
//
// Each cell is a method of the state's type; a cell that does nothing says why
// there. "stale" is what a member sent before this ring was formed.
//
//	                 OPERATIONAL           GATHER                COMMIT                RECOVERY
//	token            one visit             ignored               ignored               one visit
//	mcast, own ring  keep, deliver         (old ring:) keep      dropped               keep in the recovery queue
//	mcast, other     gather 7; stale:      unknown sender:       dropped               dropped
//	                 dropped               gather 8
//	merge detect     gather 9; stale:      unknown sender:       ignored               ignored
//	                 dropped               gather 10
//	join             gather 11 or 12;      same lists: agree,    of a member, not      of a member, not
//	                 stale, or blames us:  perhaps commit;       stale: gather 13      stale: gather 14
//	                 dropped               news: gather 11
//	commit token     dropped               ours and as agreed:   come round: recovery  come round twice, rep:
//	                                       commit                                      first token
//	hold cancel      rep: token goes       nothing               rep: repeat           rep: token goes
//	token loss       gather 2              gather 3              gather 4              gather 5
//	retransmit       repeat the token      not armed             repeat the commit t.  repeat the token
//	hold             token goes            ignored               ignored               token goes
//	merge            rep: merge detect     not armed             not armed             ignored
//	join timer       not armed             repeat the join       not armed             not armed
//	consensus        not armed             blame: gather 0; or   not armed             not armed
//	                                       await the commit t.
//	link up, start   gather 15             gather 15             gather 15             gather 15
//	leave            off                   off                   off                   off
//	force gather     as token loss         as token loss         as token loss         as token loss
//
// Transitions: GATHER -> COMMIT when all that answer agree (the lowest id
// proposes, the others accept); COMMIT -> RECOVERY when the commit token has come
// round; RECOVERY -> OPERATIONAL when the old ring's messages are at all who come
// from it; and from everywhere back to GATHER.
//
// # Timers
//
//	timer       after                       armed by                         cancelled by
//	pause       Token/5                     start, itself                    leave
//	token       Token                       each visit, commit, recovery,    gather
//	                                        consensus reached but no commit
//	warning     TokenWarning% of Token      with token, itself               gather
//	retransmit  TokenRetransmit             each visit, commit token, itself gather
//	hold        Hold                        a visit at the representative    a message, gather
//	                                        of an idle ring
//	merge       Merge                       a visit without news             a message, gather
//	join        Join                        gather, itself                   commit
//	join send   random below SendJoin       each join message                commit
//	consensus   Consensus                   gather                           commit
//	heartbeat   HeartbeatFailuresAllowed *  a visit that sends the token on  gather, a held token
//	            TokenRetransmit +
//	            MaxNetworkDelay
//
// # Own messages
//
// What a node multicasts it has itself at once: a message goes into its sort
// queue when it is sent, its own join message is handled at the end of the same
// Step, a hold cancel takes effect at once. Copies that the network brings back
// are dropped as repeated. Only the token of a ring of one goes out and must come
// back, which paces it.
//
// # Where we differ from upstream
//
// The packets are the same; totem/DESIGN.md lists the decisions that are not.
package srp

// Package crmcluster is how Pacemaker's daemons talk to their peers: XML
// messages over a closed process group, the cache of peers, quorum.
//
// The CIB daemon, attrd, the fencer and the controller use it, in clusters of
// ours and of the originals. It owns the 592-byte header of the messages, the
// names of nodes, and what membership changes mean for a peer; it knows no
// daemon's messages.
//
//	events := make(chan crmcluster.Event, 64)
//	cl, err := crmcluster.Join(ctx, crmcluster.Options{Program: "pacemaker-attrd", Events: events})
//	defer cl.Close()
//	peers := crmcluster.NewPeers(cl.NodeID(), cl.Name())   // owned by the daemon's loop
//	cl.Send(nil, pcmk.MsgAttrd, doc)                       // to all, ourselves included
//	cl.Send(peers.ByName("n2"), pcmk.MsgAttrd, doc)        // to one
//	for ev := range events {                               // in the loop, with its other channels
//		switch ev.Kind {
//		case crmcluster.Received:                      // ev.XML from ev.Name, node ev.Node
//		case crmcluster.Confchg, crmcluster.Quorum:
//			for _, ch := range peers.Apply(ev, now) { … } // who came, who is lost
//		case crmcluster.Lost:                          // ev.Err: corosync is gone
//		}
//	}
//
// A message, packed, in host byte order (cpg.c: struct pcmk__cpg_msg_s):
//
//	id          i32 @0    0, the class
//	size        i32 @8    header and payload
//	error       i32 @16   1, CS_OK
//	number      u32 @24   of the sender's messages, from 1
//	packed      i32 @28   1: the payload is a bzip2 stream
//	to          276 bytes @32   id u32 (0: any), pid u32, local i32, type u32, length of name u32, name [256]
//	from        276 bytes @308  the same
//	plain size  u32 @584  of the text, its NUL counted
//	packed size u32 @588
//	payload     @592      the text and a NUL
//
// Upstream: lib/cluster/cpg.c, corosync.c, membership.c, cluster.c.
package crmcluster

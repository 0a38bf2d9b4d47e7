// Package crmipc is Pacemaker's local IPC: XML messages behind a 40-byte header
// over libqb's channels, both as server and as client.
//
// All of Pacemaker's daemons and tools of ours use it, against ours and against
// the originals. It owns the header, compression, acknowledgements, the queue
// limit of slow clients and the check who is at the other end; it knows no
// daemon's messages.
//
// A server has one goroutine that does the input and output; everything it
// learns comes to the daemon's loop as an Event on one channel, in order per
// client. A daemon looks like this:
//
//	events := make(chan crmipc.Event, 64)
//	srv, err := crmipc.Listen(crmipc.ServerOptions{Events: events}, "attrd")
//	defer srv.Close()
//	for ev := range events {              // in the daemon's loop, with its other channels
//		switch ev.Kind {
//		case crmipc.Connected:            // ev.Client.User, .Privileged, .PID are known
//		case crmipc.Message:              // ev.XML is the request, ev.ID and ev.Flags its header
//			ev.Ack(pcmk.ExitOK)           // goes out only if the client asked for it
//			ev.Client.Send(ev.ID, reply)  // a synchronous answer, instead of Ack
//			ev.Client.Event(notification) // asynchronous, any time later
//		case crmipc.Disconnected:
//		}
//	}
//
// A client:
//
//	c, err := crmipc.Dial(ctx, "attrd", crmipc.DialOptions{})
//	reply, err := c.Call(ctx, request)    // waits for the reply to this request
//	err = c.Post(request)                 // wants none
//	ev, err := c.Next(ctx)                // the next event, in a goroutine of its own if need be
//
// Header, little endian (ipcs_internal.h: struct pcmk__ipc_header_s):
//
//	id          i32 @0   request number; of a response: the same; of an event: its own
//	size        i32 @8   header and payload
//	error       i32 @16  0
//	plain size  u32 @24  of the text, its NUL counted
//	packed size u32 @28  0: the text is not packed
//	flags       u32 @32
//	version     u8  @36  1
//
// The payload is the text and a NUL, or a bzip2 stream of both.
//
// Upstream: lib/common/ipc_server.c, ipc_client.c, ipc_common.c.
package crmipc

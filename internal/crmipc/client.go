package crmipc

import (
	"crypto/rand"
	"fmt"
	"math"

	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Client is one connected client of a Server. The fields down to Privileged
// never change and may be read anywhere. Name and Data belong to the daemon's
// loop. The methods may be called from any goroutine and never wait.
type Client struct {
	ID         string // a UUID; other nodes' messages may name the client by it
	Service    string // the socket it came to
	PID        int
	UID, GID   uint32
	User       string // pcmk.NoUser when the uid has no name: then no ACL fits it
	Privileged bool   // root or hacluster

	Name string // as the client says; for logs
	Data any    // the daemon's

	srv  *Server
	conn *qbipc.Conn

	// Owned by the server's goroutine.
	proxied  bool
	gone     bool
	queueMax uint32
	backlog  uint32
}

// Label is the client's name for logs, its id without one (ipc_server.c:
// pcmk__client_name).
func (c *Client) Label() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// Send is the answer to request id: the client's call returns it.
func (c *Client) Send(id uint32, doc *xmltree.Node) { c.send(id, doc, 0) }

// Event sends an asynchronous message.
func (c *Client) Event(doc *xmltree.Node) { c.send(0, doc, ServerEvent) }

// Broadcast sends one asynchronous message to many clients of the same server,
// which costs the conversion and packing once.
func Broadcast(clients []*Client, doc *xmltree.Node) {
	if len(clients) == 0 {
		return
	}
	text := Text(doc)
	srv := clients[0].srv
	srv.loop.Post(func() {
		p, err := pack(text, srv.short, math.MaxInt32)
		for _, c := range clients {
			c.transmit(0, p, err, ServerEvent)
		}
	})
}

// SetQueueMax raises the number of events that may wait for this client, which
// must be privileged (ipc_server.c: pcmk__set_client_queue_max; the cluster
// option cluster-ipc-limit).
func (c *Client) SetQueueMax(n uint32) {
	if c.Privileged && n > 0 {
		c.srv.loop.Post(func() { c.queueMax = n })
	}
}

// Close drops the client; Disconnected follows.
func (c *Client) Close() {
	c.srv.loop.Post(func() {
		if !c.gone {
			c.conn.Close()
		}
	})
}

// Text is the text of a message, with the NUL that ends it.
func Text(doc *xmltree.Node) []byte {
	return append(doc.AppendPacemaker(nil, xmltree.TextOptions{}), 0)
}

func (c *Client) send(id uint32, doc *xmltree.Node, flags Flags) {
	text := Text(doc)
	c.srv.loop.Post(func() {
		p, err := pack(text, c.srv.short, math.MaxInt32)
		c.transmit(id, p, err, flags)
	})
}

// transmit sends a payload, on the server's goroutine (ipc_server.c:
// pcmk__ipc_send_iov).
func (c *Client) transmit(id uint32, p payload, err error, flags Flags) {
	if c.gone {
		return
	}
	if err == nil && HeaderSize+len(p.body) > c.conn.MaxMsg() {
		err = fmt.Errorf("%w: %d bytes, %d packed, limit %d", ErrTooLong, p.plain, p.packed, c.conn.MaxMsg())
	}
	if err != nil {
		c.srv.o.Log.Error(fmt.Sprintf("Could not compress %d-byte message into less than IPC limit of %d bytes; "+
			"set PCMK_ipc_buffer to higher value (%d bytes suggested): %v", p.plain, c.conn.MaxMsg(), 4*max(uint32(len(p.body)), p.plain/4), err))
		return
	}
	if c.proxied && flags&ServerEvent == 0 {
		flags |= ServerEvent | RelayedReply
	}
	flags |= ServerFree
	var head [HeaderSize]byte
	if flags&ServerEvent == 0 {
		p.header(id, flags).put(&head, len(p.body))
		c.conn.Reply(head[:], p.body)
		return
	}
	c.srv.eventID++
	p.header(c.srv.eventID, flags).put(&head, len(p.body))
	c.conn.Event(head[:], p.body)
	if c.conn.Stats().Queued > 0 {
		c.srv.lookSoon()
	}
}

// newUUID makes a random UUID in the usual form.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

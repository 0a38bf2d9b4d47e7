package crmcluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/quorum"
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	// Received: XML from the node Node, named Name; To, From.
	Received EventKind = iota + 1
	// Confchg: the process group changed: Members, Left, Joined, Names; PID is
	// this process.
	Confchg
	// Quorum: the ring or its quorum changed: Quorate, Ring, View, Names.
	Quorum
	// Lost: the connection to corosync ended, or this process was put out of the
	// group; Err. It is the last event.
	Lost
)

// Process is a member of the process group.
type Process struct{ Node, PID uint32 }

// Event is what a Cluster tells the daemon's loop. XML belongs to the receiver.
type Event struct {
	Kind EventKind

	Node, PID uint32
	Name      string
	To, From  Address
	XML       *xmltree.Node

	Members, Left, Joined []Process

	Quorate bool
	Ring    uint64
	View    []uint32

	// Names of the nodes in Members or View, as far as they are configured.
	Names map[uint32]string

	Err error
}

// ErrEvicted: corosync's group has no place for this process any more.
var ErrEvicted = errors.New("crmcluster: evicted from the process group")

// Options describe a Cluster. Program and Events are required.
type Options struct {
	Program string // pacemaker-attrd; decides about group and message type
	Events  chan<- Event
	Quorum  bool // Quorum events too
	Log     *slog.Logger
}

// sendLimit bounds the bytes that wait to be sent. A corosync that takes
// nothing for this long is as good as gone; the original's queue has no limit.
const sendLimit = 256 << 20

// Cluster is a daemon's membership in its process group. Its methods may be
// called from any goroutine and do not wait.
type Cluster struct {
	o      Options
	log    *slog.Logger
	group  *cpg.Client
	quorum *quorum.Client
	node   uint32
	name   string
	typ    pcmk.MsgType
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	names  nameCache

	mu     sync.Mutex
	wake   chan struct{}
	queue  []Packet
	bytes  int
	number uint32
}

// Tries to connect while corosync is busy with a membership change (cpg.c:
// cs_repeat).
const (
	connectTries = 60
	connectPause = 500 * time.Millisecond
)

// Join connects to corosync, joins the daemon's group and starts the flow of
// events.
func Join(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{o: o, log: o.Log, typ: pcmk.TypeOfName(o.Program), wake: make(chan struct{}, 1)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.typ == pcmk.MsgNone {
		c.typ = pcmk.MsgType(os.Getpid())
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	err := libipc.Retry(ctx, connectTries, connectPause, func() error { return c.connect(ctx) })
	if err == nil && o.Quorum {
		err = libipc.Retry(ctx, connectTries, connectPause, func() error { return c.trackQuorum(ctx) })
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("crmcluster: %w", err)
	}
	c.work.Add(2)
	go c.read()
	go c.send()
	if c.quorum != nil {
		c.work.Add(1)
		go c.readQuorum()
	}
	return c, nil
}

func (c *Cluster) connect(ctx context.Context) error {
	group, err := cpg.Dial(ctx, cpg.ClientOptions{})
	if err != nil {
		return err
	}
	if c.node, err = group.LocalNode(ctx); err == nil {
		c.name, err = LocalName(ctx, c.node)
	}
	if err == nil {
		// Names of groups have their NUL counted in.
		err = group.Join(ctx, pcmk.MessageName(c.o.Program)+"\x00")
	}
	if err != nil {
		return errors.Join(err, group.Close())
	}
	c.group = group
	return nil
}

func (c *Cluster) trackQuorum(ctx context.Context) error {
	q, err := quorum.Dial(ctx, quorum.ModelV0)
	if err != nil {
		return err
	}
	if !q.HasProvider() {
		return errors.Join(errors.New("Corosync quorum is not configured"), q.Close())
	}
	if err := q.TrackStart(ctx, quorum.TrackChanges|quorum.TrackCurrent); err != nil {
		return errors.Join(err, q.Close())
	}
	c.quorum = q
	return nil
}

// NodeID is this node's id.
func (c *Cluster) NodeID() uint32 { return c.node }

// Name is this node's name.
func (c *Cluster) Name() string { return c.name }

// Close leaves the group. No event comes any more once it returns.
func (c *Cluster) Close() {
	c.cancel()
	if c.quorum != nil {
		_ = c.quorum.Close() // nothing can be done about it
	}
	if c.group != nil {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		_ = c.group.Leave(ctx, pcmk.MessageName(c.o.Program)+"\x00")
		_ = c.group.Close()
	}
	c.work.Wait()
}

// farewell bounds how long leaving may take: corosync may hang.
const farewell = 2 * time.Second

// Send queues a message to a peer, or to all with to nil, for daemons of type
// kind. The order of messages is kept. What cannot be sent is logged: the
// membership will tell why.
func (c *Cluster) Send(to *Peer, kind pcmk.MsgType, doc *xmltree.Node) {
	p := Packet{
		To:   Address{Type: kind},
		From: Address{PID: uint32(os.Getpid()), Type: c.typ, Name: c.name},
		Text: string(doc.AppendPacemaker(nil, xmltree.TextOptions{})),
	}
	if to != nil {
		p.To.ID, p.To.Name = to.ID, to.Name
	}
	c.mu.Lock()
	if c.bytes+len(p.Text) > sendLimit {
		c.mu.Unlock()
		c.log.Error(fmt.Sprintf("Corosync takes no messages: %d wait, dropping one", len(c.queue)))
		return
	}
	c.number++
	p.Number = c.number
	c.queue = append(c.queue, p)
	c.bytes += len(p.Text)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next takes a message from the queue, waiting for one.
func (c *Cluster) next() (Packet, bool) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			p := c.queue[0]
			c.queue[0] = Packet{}
			if c.queue = c.queue[1:]; len(c.queue) == 0 {
				c.queue = nil
			}
			c.bytes -= len(p.Text)
			c.mu.Unlock()
			return p, true
		}
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return Packet{}, false
		}
	}
}

// Pauses when corosync has no room.
const (
	sendPauseFirst = 5 * time.Millisecond
	sendPauseLast  = 500 * time.Millisecond
)

// send passes the queue on to corosync.
func (c *Cluster) send() {
	defer c.work.Done()
	var buf []byte
	for {
		p, ok := c.next()
		if !ok {
			return
		}
		buf = p.Append(buf[:0])
		for pause := sendPauseFirst; ; pause = min(2*pause, sendPauseLast) {
			err := c.group.Mcast(c.ctx, cpg.Agreed, buf)
			if err == nil {
				break
			}
			if code := libipc.Code(err); code != service.ErrTryAgain && code != service.ErrQueueFull {
				c.log.Error("Could not send to the cluster: " + err.Error())
				break
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-c.ctx.Done():
				timer.Stop()
				return
			}
		}
	}
}

// tell passes an event to the daemon, unless we close.
func (c *Cluster) tell(ev Event) {
	select {
	case c.o.Events <- ev:
	case <-c.ctx.Done():
	}
}

// read turns the group's events into ours.
func (c *Cluster) read() {
	defer c.work.Done()
	for {
		ev, err := c.group.Next(c.ctx)
		if err != nil {
			c.lost(err)
			return
		}
		switch ev.Kind {
		case cpg.Deliver:
			c.deliver(ev)
		case cpg.Confchg:
			if !c.changed(ev) {
				c.lost(ErrEvicted)
				return
			}
		}
	}
}

func (c *Cluster) lost(err error) {
	if c.ctx.Err() == nil {
		c.tell(Event{Kind: Lost, Err: err})
	}
}

// deliver decodes a message for this node; others are dropped early (cpg.c:
// pcmk_message_common_cs).
func (c *Cluster) deliver(ev *cpg.Event) {
	p, err := ParseHead(ev.Data)
	switch {
	case err != nil:
	case p.From.ID != 0 && p.From.ID != ev.Node:
		err = fmt.Errorf("%w: it claims to come from node %d", ErrBadMessage, p.From.ID)
	case p.To.ID != 0 && p.To.ID != c.node, p.To.Name != "" && !strings.EqualFold(p.To.Name, c.name):
		return
	default:
		p, err = Parse(ev.Data)
	}
	var root *xmltree.Node
	if err == nil {
		root, err = xmltree.ParseString(p.Text, xmltree.Limits{Bytes: maxText})
	}
	if err != nil {
		c.log.Error(fmt.Sprintf("Dropping a message of node %d, process %d: %v", ev.Node, ev.PID, err))
		return
	}
	if p.From.Name == "" {
		p.From.Name = c.names.get(c.ctx, c.log, ev.Node)
	}
	p.From.ID = ev.Node
	c.tell(Event{Kind: Received, Node: ev.Node, PID: ev.PID, Name: p.From.Name, To: p.To, From: p.From, XML: root})
}

// changed tells of a change of the group; false when we are not in it.
func (c *Cluster) changed(ev *cpg.Event) bool {
	out := Event{Kind: Confchg, Node: c.node, PID: uint32(os.Getpid()), Names: map[uint32]string{c.node: c.name}}
	here := false
	for _, m := range ev.Members {
		out.Members = append(out.Members, Process{m.Node, m.PID})
		here = here || m.Node == c.node
		if name := c.names.get(c.ctx, c.log, m.Node); name != "" {
			out.Names[m.Node] = name
		}
	}
	for _, m := range ev.Left {
		out.Left = append(out.Left, Process{m.Node, m.PID})
	}
	for _, m := range ev.Joined {
		out.Joined = append(out.Joined, Process{m.Node, m.PID})
	}
	c.tell(out)
	return here
}

func (c *Cluster) readQuorum() {
	defer c.work.Done()
	for {
		ev, err := c.quorum.Next(c.ctx)
		if err != nil {
			c.lost(fmt.Errorf("connection to the Quorum API failed: %w", err))
			return
		}
		out := Event{Kind: Quorum, Node: c.node, Quorate: ev.Quorate, Ring: ev.Ring.Seq, View: ev.Members, Names: map[uint32]string{c.node: c.name}}
		for _, id := range ev.Members {
			if name := c.names.get(c.ctx, c.log, id); name != "" {
				out.Names[id] = name
			}
		}
		c.tell(out)
	}
}

// nameCache holds the names that were found, so that a membership change costs
// no requests.
type nameCache struct {
	mu    sync.Mutex
	known map[uint32]string
}

func (nc *nameCache) get(ctx context.Context, log *slog.Logger, id uint32) string {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if name, ok := nc.known[id]; ok {
		return name
	}
	name, err := NodeName(ctx, id)
	if err != nil {
		log.Info(fmt.Sprintf("Unable to get node name for nodeid %d", id), "why", err)
		return ""
	}
	if nc.known == nil {
		nc.known = map[uint32]string{}
	}
	if name != "" {
		nc.known[id] = name
	}
	return name
}

// nameTries bounds the waits for a busy corosync.
const nameTries = 10

// NodeName is the configured name of a node: nodelist.node.N.name, else its
// ring0_addr unless that looks like an address; empty when there is none
// (corosync.c: pcmk__corosync_name).
func NodeName(ctx context.Context, id uint32) (string, error) {
	var name string
	err := libipc.Retry(ctx, nameTries, connectPause, func() error {
		m, err := cmapclient.Dial(ctx, cmapclient.ICMAP)
		if err != nil {
			return err
		}
		defer m.Close()
		for i := 0; ; i++ {
			n, err := m.GetUint32(ctx, fmt.Sprintf("nodelist.node.%d.nodeid", i))
			if err != nil {
				return ignoreMissing(err)
			}
			if n != id {
				continue
			}
			if name, err = m.GetString(ctx, fmt.Sprintf("nodelist.node.%d.name", i)); err == nil {
				return nil
			}
			if name, err = m.GetString(ctx, fmt.Sprintf("nodelist.node.%d.ring0_addr", i)); err != nil || !validName(name) {
				name = ""
			}
			return ignoreMissing(err)
		}
	})
	return name, err
}

func ignoreMissing(err error) error {
	if libipc.Code(err) == service.ErrNotExist {
		return nil
	}
	return err
}

// LocalName is the name of this node, which is uname's when none is configured.
func LocalName(ctx context.Context, id uint32) (string, error) {
	name, err := NodeName(ctx, id)
	if err != nil || name != "" {
		return name, err
	}
	return os.Hostname()
}

// validName tells whether an address is a host's name (corosync.c:
// node_name_is_valid): four numbers with dots, or a colon, make it none.
func validName(s string) bool {
	var a, b, c, d int
	n, _ := fmt.Sscanf(s, "%d.%d.%d.%d", &a, &b, &c, &d)
	return s != "" && n != 4 && !strings.Contains(s, ":")
}

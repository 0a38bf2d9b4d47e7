package link

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/totem/knet"
)

// Knet is kronosnet: the engine of totem/knet on real sockets and a real clock.
// Owned by the loop.
type Knet struct {
	cfg      knet.Config
	engine   *knet.Engine
	socks    *KnetSockets
	ports    []port // by socket number
	loop     *loop.Loop
	timer    *loop.Timer
	due      time.Time // when timer is to run
	readable func()
	// receiving: the caller looks at what Receive returned. What the engine put
	// together lives until its next output is fetched, so sending waits until then.
	receiving bool
	packets   [][]byte
	tell      func(*knet.Event)
	frame     func([]byte) // takes Ethernet frames; nil: nobody does
}

// port is a socket's address. ready: it may have datagrams.
type port struct {
	local netip.AddrPort
	open  bool
	ready bool
}

// OpenKnet binds the sockets; nothing is sent before Attach. tell is told what
// happens to links, hosts and the MTU.
func OpenKnet(cfg knet.Config, opts KnetOptions, tell func(*knet.Event)) (*Knet, error) {
	k := &Knet{cfg: cfg, socks: NewKnetSockets(opts), tell: tell}
	if err := k.openPorts(&cfg); err != nil {
		k.socks.CloseAll()
		return nil, err
	}
	var err error
	if k.engine, err = knet.New(time.Now(), cfg); err != nil {
		k.socks.CloseAll()
		return nil, err
	}
	return k, nil
}

// openPorts binds what the links of cfg need and is not bound yet.
func (k *Knet) openPorts(cfg *knet.Config) error {
	for i := range cfg.Hosts {
		for _, l := range cfg.Hosts[i].Links {
			if k.sockOf(l.Local) >= 0 {
				continue
			}
			sock, err := k.socks.Open(l.Local)
			if err != nil {
				return err
			}
			for sock >= len(k.ports) {
				k.ports = append(k.ports, port{})
			}
			k.ports[sock] = port{local: l.Local, open: true}
			if k.loop != nil {
				if err := k.watch(sock); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// closePorts frees the sockets that no link of cfg uses.
func (k *Knet) closePorts(cfg *knet.Config) {
	uses := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(cfg.Hosts, func(h knet.HostConfig) bool {
			return slices.ContainsFunc(h.Links, func(l knet.LinkConfig) bool { return l.Local == a })
		})
	}
	for i, p := range k.ports {
		if p.open && !uses(p.local) {
			k.unwatch(i)
			k.socks.Close(i)
			k.ports[i] = port{}
		}
	}
}

func (k *Knet) sockOf(local netip.AddrPort) int {
	for i := range k.ports {
		if k.ports[i].open && k.ports[i].local == local {
			return i
		}
	}
	return -1
}

// Engine is what counters and states are read from.
func (k *Knet) Engine() *knet.Engine { return k.engine }

// SendFailures is how many sends failed in a row: as libknet takes everything,
// none.
func (k *Knet) SendFailures() uint32 { return 0 }

// SmallBuffers tells that the kernel gave less room than wanted.
func (k *Knet) SmallBuffers() bool { return k.socks.small }

// Attach begins to receive, and to watch the links.
func (k *Knet) Attach(l *loop.Loop, readable func()) error {
	k.loop, k.readable = l, readable
	k.timer = l.NewTimer(k.onTimer)
	for i := range k.ports {
		if err := k.watch(i); err != nil {
			return err
		}
	}
	k.work()
	return nil
}

// pauseMin is how late a timer is when the process was held up: longer than a busy
// turn of the loop takes, shorter than any timeout.
const pauseMin = 20 * time.Millisecond

// onTimer does what is due. After a pause of the process, what waits in the sockets
// comes first: pongs that arrived in time must not count as missing.
func (k *Knet) onTimer() {
	now := k.loop.Now()
	if late := now.Sub(k.due); late > pauseMin {
		k.engine.Paused(late)
		for i := range k.ports {
			k.ports[i].ready = k.ports[i].open
		}
		k.readable()
		k.receiving = false
		if k.loop == nil {
			return // the ring was left meanwhile
		}
	}
	k.engine.Step(now)
	k.work()
}

// Detach ends all traffic.
func (k *Knet) Detach() {
	if k.loop == nil {
		return
	}
	k.timer.Stop()
	for i := range k.ports {
		k.unwatch(i)
	}
	k.loop = nil
}

// Close frees the sockets.
func (k *Knet) Close() {
	k.Detach()
	k.socks.CloseAll()
}

func (k *Knet) watch(sock int) error {
	if !k.ports[sock].open {
		return nil
	}
	return k.loop.Add(k.socks.FD(sock), loop.Readable, loop.High, func(events uint32) { k.onEvents(sock, events) })
}

func (k *Knet) unwatch(sock int) {
	if k.loop != nil && k.ports[sock].open {
		k.loop.Remove(k.socks.FD(sock))
	}
}

// onEvents handles what epoll says of a socket. Errors are taken off at once: they
// would make it ready for ever.
func (k *Knet) onEvents(sock int, events uint32) {
	if events&loop.Failed != 0 {
		k.socks.DrainErrors(sock)
	}
	if events&loop.Readable != 0 {
		k.ports[sock].ready = true
		k.readable()
		k.receiving = false
	}
	k.work() // nothing, when the ring was left meanwhile
}

// Receive reads one batch from a socket that has some. It is called from within
// readable, and the packets are valid until its next call or the end of readable.
func (k *Knet) Receive() (packets [][]byte, more bool) {
	k.receiving = false
	k.work() // what the last batch led to
	k.packets = k.packets[:0]
	sock := k.nextReady()
	if sock < 0 || k.loop == nil {
		return nil, false
	}
	k.receiving = true
	now := k.loop.Now()
	n, full := k.socks.Read(sock)
	k.ports[sock].ready = full
	for i := range n {
		data, from := k.socks.Datagram(i)
		k.engine.Receive(now, k.ports[sock].local, from, data)
	}
	out := k.engine.Output()
	for i := range out.Up {
		switch u := &out.Up[i]; u.Channel {
		case knet.ChannelRing:
			k.packets = append(k.packets, u.Data)
		case knet.ChannelFrames:
			if k.frame != nil {
				k.frame(u.Data)
			}
		}
	}
	k.carryOut(out)
	return k.packets, k.anyReady()
}

// nextReady finds a socket to read. With none known to have something, as when
// the caller drains, all are asked.
func (k *Knet) nextReady() int {
	if !k.anyReady() {
		for i := range k.ports {
			k.ports[i].ready = k.ports[i].open
		}
	}
	return slices.IndexFunc(k.ports, func(p port) bool { return p.ready })
}

func (k *Knet) anyReady() bool {
	return slices.ContainsFunc(k.ports, func(p port) bool { return p.ready })
}

// SendAll queues data for every other node; it is copied.
func (k *Knet) SendAll(data []byte) { k.engine.Send(k.now(), 0, data) }

// SendTo queues data for one node; false when there is none of this id.
func (k *Knet) SendTo(node uint32, data []byte) bool {
	id := knet.HostID(node)
	if _, known := k.engine.HostStatus(id); !known || uint32(id) != node {
		return false
	}
	k.engine.Send(k.now(), id, data)
	return true
}

// OnFrame says who takes the Ethernet frames of other nodes, valid during the call;
// nil: nobody.
func (k *Knet) OnFrame(frame func([]byte)) {
	k.frame = frame
	k.engine.OpenFrames(frame != nil)
}

// SendFrame queues an Ethernet frame for one node, 0: for all others; it is copied.
func (k *Knet) SendFrame(node uint16, frame []byte) {
	k.engine.SendFrame(k.now(), knet.HostID(node), frame)
}

// Flush sends what is queued, or leaves it to the end of the batch that is being
// received.
func (k *Knet) Flush() {
	if !k.receiving {
		k.work()
	}
}

// Reconfigure takes over links, hosts and timers of cfg. On an error all stays as
// it was.
func (k *Knet) Reconfigure(cfg knet.Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	err := k.openPorts(&cfg)
	if err == nil {
		err = k.engine.Reconfigure(k.now(), cfg)
	}
	if err == nil {
		k.cfg = cfg
		k.work()
	}
	k.closePorts(&k.cfg)
	return err
}

// CryptoChanged tells that packets are sealed another way from now on.
func (k *Knet) CryptoChanged() {
	k.engine.CryptoChanged(k.now())
	k.work()
}

func (k *Knet) now() time.Time {
	if k.loop == nil {
		return time.Now()
	}
	return k.loop.Now()
}

// workRounds bounds how often failures of sending may lead to further sending.
const workRounds = 4

// work carries out what the engine wants, until it wants no more, and sets the timer.
func (k *Knet) work() {
	if k.loop == nil || k.receiving {
		return
	}
	for range workRounds {
		out := k.engine.Output()
		if out.Empty() && !k.carryFailures() {
			break
		}
		k.carryOut(out)
	}
	k.rearm()
}

// carryOut sends and tells; what the kernel says of it goes to the engine.
func (k *Knet) carryOut(out *knet.Output) {
	for i := range out.Send {
		d := &out.Send[i]
		if sock := k.sockOf(d.Local); sock >= 0 {
			k.socks.Send(sock, d.To, d.Data, uint8(d.Type))
		}
	}
	k.socks.Flush()
	for i := range out.Events {
		k.tell(&out.Events[i])
	}
	k.carryFailures()
}

func (k *Knet) carryFailures() bool {
	failures := k.socks.Failures()
	for _, f := range failures {
		t := knet.TypeData
		if f.Now {
			t = knet.PacketType(f.Tag)
		}
		k.engine.Failed(k.now(), knet.Failure{
			Local: k.ports[f.Sock].local, To: f.To, Type: t, Errno: knet.Errno(f.Errno), MTU: f.MTU, Now: f.Now,
		})
	}
	return len(failures) > 0
}

func (k *Knet) rearm() {
	if k.due = k.engine.Deadline(); !k.due.IsZero() {
		k.timer.Reset(k.due)
		return
	}
	k.timer.Stop()
}

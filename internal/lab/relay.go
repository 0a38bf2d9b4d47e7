package lab

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Relay is a bad cable between nodes and the switch: it delays, reorders and
// duplicates packets, which a kernel without netem cannot. It lives in the
// process that made it; Close ends it. A node that is switched on again has good cables.
type Relay struct {
	lab    *Lab
	cables []relayCable
	lines  []*line
	wg     sync.WaitGroup
}

// relayCable is one cut cable: the node's port, taken off its bridge, and the
// pair that leads on to the bridge.
type relayCable struct{ port, near, far, bridge string }

// line is one direction of a cable.
type line struct {
	in, out  int // packet sockets
	plan     roughCable
	waiting  frameHeap
	seq      uint64 // of the last frame taken
	newest   uint64 // the highest delivered
	ended    atomic.Bool
	passed   atomic.Uint64
	twice    atomic.Uint64
	overtook atomic.Uint64
}

// RelayStats counts packets since the relay began, of all cables and directions.
type RelayStats struct{ Passed, Duplicated, Overtaken uint64 }

const (
	vnetHeader = 10                      // virtio_net_hdr: what the card would have to do
	maxFrame   = vnetHeader + 18 + 1<<16 // one that is left to the card to cut up
	maxWaiting = 1 << 14                 // frames on the way in one direction; more are lost
	lookUp     = 100 * time.Millisecond  // how often a line looks whether it is to end
)

// Rough puts bad cables between the node, or all members for Any, and a network,
// or AllNetworks.
func (l *Lab) Rough(node string, net int, how Rough) (*Relay, error) {
	if err := how.check(); err != nil {
		return nil, err
	}
	r := &Relay{lab: l}
	for _, n := range l.Members() {
		for k := range l.Networks() {
			if (node == Any || node == n.Name()) && (net == AllNetworks || net == k) {
				r.cables = append(r.cables, relayCable{n.port(k), n.nearPort(k), n.farPort(k), fmt.Sprintf("br%d", k)})
			}
		}
	}
	if len(r.cables) == 0 {
		return nil, fmt.Errorf("lab: no node %q on network %d in lab %s", node, net, l.name)
	}
	if err := r.plug(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.open(how); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, c := range r.lines {
		r.wg.Go(c.run)
	}
	return r, nil
}

// nearPort and farPort are the ends of the pair behind a node's port when a
// relay is in between: near is the relay's, far the bridge's.
func (n *Node) nearPort(net int) string { return fmt.Sprintf("q%d.%d", n.st.ID, net) }
func (n *Node) farPort(net int) string  { return fmt.Sprintf("r%d.%d", n.st.ID, net) }

func (r *Relay) plug() error {
	var b strings.Builder
	for _, c := range r.cables {
		fmt.Fprintf(&b, "link add %s type veth peer name %s\nlink set %s nomaster\nlink set %s master %s\nlink set %s up\nlink set %s up\n",
			c.near, c.far, c.port, c.far, c.bridge, c.near, c.far)
	}
	_, err := r.lab.onSwitch(b.String(), "ip", "-batch", "-")
	return err
}

// open makes the packet sockets. They belong to the switch's namespace, whoever
// uses them later.
func (r *Relay) open(how Rough) error {
	return r.lab.InSwitch(func() error {
		for _, c := range r.cables {
			near, err := packetSocket(c.near)
			if err != nil {
				return err
			}
			port, err := packetSocket(c.port)
			if err != nil {
				unix.Close(near)
				return err
			}
			r.lines = append(r.lines, newLine(port, near, how), newLine(near, port, how))
		}
		return nil
	})
}

func newLine(in, out int, how Rough) *line {
	return &line{in: in, out: out, plan: roughCable{rough: how, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}}
}

// inNetns runs fn on a thread that is in another network namespace.
func inNetns(path string, fn func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err != nil {
			failed <- fmt.Errorf("lab: network namespace: %w", err)
			return
		}
		failed <- fn()
	}()
	return <-failed
}

// packetSocket opens an interface for whole frames, with what the card would
// still have to do to them (checksum, segments), and without our own.
func packetSocket(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("lab: packet socket: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req)
	}
	for _, opt := range []int{unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING} {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_PACKET, opt, 1)
		}
	}
	if err == nil {
		err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
			&unix.PacketMreq{Ifindex: int32(req.Uint32()), Type: unix.PACKET_MR_PROMISC})
	}
	if err == nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20)
		all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(req.Uint32())})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("lab: packets of %s: %w", name, err)
	}
	return fd, nil
}

// frame is a packet on its way; seq keeps the order of those due together.
type frame struct {
	at   time.Time
	seq  uint64
	data []byte
}

type frameHeap []frame

func (h frameHeap) Len() int { return len(h) }
func (h frameHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h frameHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *frameHeap) Push(x any)   { *h = append(*h, x.(frame)) }
func (h *frameHeap) Pop() any {
	f := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = frame{}
	*h = (*h)[:len(*h)-1]
	return f
}

// run carries frames until the relay ends. It is one thread of real time, as a
// cable does not wait for the machine's other work.
func (c *line) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	beforeAll()
	buf := make([]byte, maxFrame)
	for !c.ended.Load() {
		now := time.Now()
		wait := c.deliver(now)
		ts := unix.NsecToTimespec(int64(wait))
		if n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.in), Events: unix.POLLIN}}, &ts, nil); n > 0 && err == nil {
			c.take(buf)
		}
	}
}

// beforeAll puts the thread before everything else on the machine, corosync at
// SCHED_RR 99 included: while clients make that busy on every processor, a cable
// behind it would carry nothing for seconds, and the ring would rightly fall
// apart. A deadline of 4 ms with 1 ms of work is for the six lines of three
// nodes within what the kernel grants on two processors; threads that the
// runtime starts from here are ordinary ones.
func beforeAll() {
	deadline := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Runtime: uint64(time.Millisecond), Deadline: uint64(4 * time.Millisecond), Period: uint64(4 * time.Millisecond)}
	if unix.SchedSetAttr(0, &deadline, 0) != nil { // more lines than that
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 99}, 0)
	}
}

// take reads what the cable's one end has sent and plans its arrival.
func (c *line) take(buf []byte) {
	for {
		n, _, err := unix.Recvfrom(c.in, buf, unix.MSG_DONTWAIT)
		if err != nil || n <= vnetHeader {
			return // nothing more, or the node's power is off
		}
		at, times := c.plan.arrivals(time.Now())
		if times == 2 {
			c.twice.Add(1)
		}
		if len(c.waiting)+times > maxWaiting {
			continue
		}
		c.seq++
		data := append([]byte(nil), buf[:n]...)
		for i := range times {
			heap.Push(&c.waiting, frame{at[i], c.seq, data})
		}
	}
}

// deliver hands out the frames that are due, and says how long the next is off.
// A full or dead interface loses a frame, as cables do.
func (c *line) deliver(now time.Time) time.Duration {
	for len(c.waiting) > 0 {
		if wait := c.waiting[0].at.Sub(now); wait > 0 {
			return min(wait, lookUp)
		}
		f := heap.Pop(&c.waiting).(frame)
		if _, err := unix.Write(c.out, f.data); err == nil {
			c.passed.Add(1)
		}
		if f.seq < c.newest {
			c.overtook.Add(1)
		}
		c.newest = max(c.newest, f.seq)
	}
	return lookUp
}

// Stats says what the relay has done so far.
func (r *Relay) Stats() RelayStats {
	var s RelayStats
	for _, c := range r.lines {
		s.Passed += c.passed.Load()
		s.Duplicated += c.twice.Load()
		s.Overtaken += c.overtook.Load()
	}
	return s
}

// Close puts the good cables back. Packets under way are lost.
func (r *Relay) Close() error {
	for _, c := range r.lines {
		c.ended.Store(true)
	}
	r.wg.Wait()
	for i := 0; i < len(r.lines); i += 2 { // both directions share the two sockets
		unix.Close(r.lines[i].in)
		unix.Close(r.lines[i].out)
	}
	r.lines = nil
	var b strings.Builder
	for _, c := range r.cables {
		fmt.Fprintf(&b, "link del %s\nlink set %s master %s\n", c.near, c.port, c.bridge)
	}
	r.cables = nil
	_, err := r.lab.onSwitch(b.String(), "ip", "-force", "-batch", "-")
	return err
}

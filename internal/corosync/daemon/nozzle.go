package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/totem/link"
)

// nozzle is the virtual Ethernet interface whose frames travel over knet's links,
// beside the ring and not through it (totemknet.c: setup_nozzle; libnozzle). Owned
// by the loop.
//
// Scripts of the administrator run when it goes up and down. The original stands
// still meanwhile, its token too; here what has to wait for them is queued.
type nozzle struct {
	n    *knetNet
	conf nozzleConf // of the interface there is or is being made
	tap  *link.Tap  // nil: there is none
	up   bool       // frames are carried
	busy bool       // a script runs
	todo []func()   // once it has ended
	buf  []byte
}

// nozzleConf is the section as it stands in the file.
type nozzleConf struct{ name, ipaddr, prefix, mac string }

const (
	// nozzleMAC is the hardware address unless the file has another one; its last two
	// bytes become the node id.
	nozzleMAC = "54:54:01:00:00:00"
	// framesMax is how many frames are taken in one turn of the loop: the ring comes
	// between them.
	framesMax = 32
)

// configure makes the interface what the file says, at the start and at each reload.
func (z *nozzle) configure() {
	log, m := z.n.d.log.totem, z.n.d.cmap
	var c nozzleConf
	name, named := m.Str("nozzle.name")
	if !named {
		if z.conf != c {
			z.conf = c
			z.then(z.remove)
		}
		return
	}
	c.name = name
	var ok bool
	if c.ipaddr, ok = m.Str("nozzle.ipaddr"); !ok {
		log.Error("No IP address supplied for Nozzle device")
		return
	}
	if c.prefix, ok = m.Str("nozzle.ipprefix"); !ok {
		log.Error("No prefix supplied for Nozzle IP address")
		return
	}
	if c.mac, ok = m.Str("nozzle.macaddr"); !ok {
		c.mac = nozzleMAC
	}
	if len(c.mac) != len(nozzleMAC) {
		log.Error("macaddr for nozzle device is not in the correct format '%s'", c.mac)
		return
	}
	if c == z.conf {
		log.Debug("Nozzle device info not changed")
		return
	}
	mac := fmt.Sprintf("%s%02x:%02x", c.mac[:12], z.n.d.self>>8, z.n.d.self&0xff)
	log.Info("Local nozzle MAC address is %s", mac)
	if z.conf != (nozzleConf{}) {
		z.then(z.remove)
	}
	z.conf = c
	z.then(func() { z.create(c, mac) })
}

// create makes the interface and, once the script for that has run, sets it up.
func (z *nozzle) create(c nozzleConf, mac string) {
	log := z.n.d.log.totem
	log.Info("nozzle script dir is %s", z.scripts())
	err := z.open(c, mac)
	if err != nil {
		log.Error("%v", err)
		z.close()
		z.conf = nozzleConf{} // the next reload tries again
		return
	}
	log.Info("Opened '%s' on fd %d", c.name, z.tap.FD())
	z.run("pre-up.d", "pre-up")
	z.then(func() {
		err := z.tap.SetUp(true)
		if err == nil {
			err = z.n.d.loop.Add(z.tap.FD(), loop.Readable, loop.Low, z.readable)
		}
		if err != nil {
			log.Error("Unable to set nozzle interface UP: %s", libc.Strerror(err))
			z.close()
			z.conf = nozzleConf{}
			return
		}
		z.up = true
		z.n.OnFrame(z.deliver)
		z.run("up.d", "up")
	})
}

// open makes the interface with its addresses.
func (z *nozzle) open(c nozzleConf, mac string) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return fmt.Errorf("macaddr for nozzle device is not in the correct format '%s'", c.mac)
	}
	addr, err := nozzleAddr(c.ipaddr, c.prefix, uint16(z.n.d.self))
	if err != nil {
		return err
	}
	if z.tap, err = link.OpenTap(c.name); err != nil {
		return tapError(c.name, err)
	}
	if err := z.tap.SetMAC(hw); err != nil {
		return fmt.Errorf("Unable to add set nozzle MAC to %s: %s", mac, libc.Strerror(err))
	}
	z.n.d.log.totem.Info("Local nozzle IP address is %s / %d", addr.Addr(), addr.Bits())
	if err := z.tap.AddAddress(addr); err != nil {
		return fmt.Errorf("Unable to add set nozzle IP addr to %s: %s", addr, libc.Strerror(err))
	}
	return nil
}

// tapError is the original's text for an interface that cannot be made, and what may
// be the matter.
func tapError(name string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.E2BIG):
		hint = fmt.Sprintf(" (a name has at most %d characters)", unix.IFNAMSIZ-1)
	case errors.Is(err, unix.ENOENT):
		hint = " (/dev/net/tun is missing: is the module tun loaded?)"
	case errors.Is(err, unix.EPERM):
		hint = " (the capability CAP_NET_ADMIN is missing)"
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EINVAL):
		hint = " (the name is another interface's)"
	}
	return fmt.Errorf("Unable to init nozzle device %s: %s%s", name, libc.Strerror(err), hint)
}

// nozzleAddr is the address of a node: the last bits of the configured one are the
// node id, of IPv6 all that follows "::" (totemknet.c: reparse_nozzle_ip_address).
func nozzleAddr(ipaddr, prefix string, self uint16) (netip.Prefix, error) {
	bitsMax := 30
	head, _, v6 := strings.Cut(ipaddr, "::")
	if v6 {
		bitsMax = 64
	}
	bits, _, _ := libc.ScanInt(prefix)
	if bits < 8 || bits > int64(bitsMax) {
		return netip.Prefix{}, fmt.Errorf("nozzle IP address prefix must be >= 8 and <= %d (got %d)", bitsMax, bits)
	}
	if v6 {
		addr, err := netip.ParseAddr(fmt.Sprintf("%s::%x", head, self))
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("Failed to parse IPv6 nozzle IP address '%s': it must end in '::'", ipaddr)
		}
		return netip.PrefixFrom(addr, int(bits)), nil
	}
	addr, err := netip.ParseAddr(ipaddr)
	if err != nil || !addr.Is4() {
		return netip.Prefix{}, errors.New("Failed to parse IPv4 nozzle IP address")
	}
	b := addr.As4()
	host := uint32(1)<<(32-bits) - 1
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])&^host|uint32(self)&host)
	return netip.PrefixFrom(netip.AddrFrom4(b), int(bits)), nil
}

// remove takes the interface away again.
func (z *nozzle) remove() {
	if z.tap == nil {
		return // it could not be made
	}
	z.silence()
	z.run("down.d", "pre-down")
	z.then(func() {
		if err := z.tap.SetUp(false); err != nil {
			z.n.d.log.totem.Error("Can't set nozzle device down: %s", libc.Strerror(err))
		}
		z.run("post-down.d", "post-down")
	})
	z.then(func() {
		z.close()
		z.n.d.log.totem.Info("Removed nozzle device")
	})
}

// silence ends the traffic.
func (z *nozzle) silence() {
	if z.up {
		z.up = false
		z.n.OnFrame(nil)
		z.n.d.loop.Remove(z.tap.FD())
	}
}

// close drops the interface without further ado.
func (z *nozzle) close() {
	if z.tap != nil {
		z.silence()
		z.tap.Close()
		z.tap = nil
	}
}

// then does fn now, or once the script that runs has ended.
func (z *nozzle) then(fn func()) {
	z.todo = append(z.todo, fn)
	z.goOn()
}

func (z *nozzle) goOn() {
	for !z.busy && len(z.todo) > 0 {
		fn := z.todo[0]
		// What fn queues itself comes before what others have queued.
		rest := z.todo[1:]
		z.todo = nil
		fn()
		z.todo = append(z.todo, rest...)
	}
}

// scripts is where they are: beside the configuration.
func (z *nozzle) scripts() string { return filepath.Join(filepath.Dir(z.n.d.opts.file), "updown.d") }

// run starts the script of the interface for an occasion, if there is one
// (libnozzle.c: nozzle_run_updown).
func (z *nozzle) run(dir, what string) {
	path := filepath.Join(z.scripts(), dir, z.tap.Name())
	if _, err := os.Stat(path); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			z.n.d.log.totem.Info("exec nozzle %s script failed: %s", what, libc.Strerror(err))
		}
		return
	}
	z.busy = true
	l := z.n.d.loop
	go func() {
		out, err := runScript(path)
		l.Post(func() { z.ended(what, out, err) })
	}()
}

func (z *nozzle) ended(what string, out []byte, err error) {
	log := z.n.d.log.totem
	if err != nil {
		log.Info("nozzle %s script failed", what)
		for line := range strings.Lines(string(out)) {
			log.Info("%s", strings.TrimRight(line, "\n"))
		}
	}
	z.busy = false
	z.goOn()
}

// scriptOutputMax bounds what is kept of what a script writes.
const scriptOutputMax = 4096

// runScript runs it at normal priority: under ours, a script that computes would
// hold up the whole machine.
func runScript(path string) ([]byte, error) {
	var out headWriter
	cmd := exec.Command("/bin/sh", "-c", path)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return []byte(err.Error()), err
	}
	_ = unix.SchedSetAttr(cmd.Process.Pid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	err := cmd.Wait()
	return out.head, err
}

// headWriter keeps the beginning.
type headWriter struct{ head []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	w.head = append(w.head, p[:min(len(p), scriptOutputMax-len(w.head))]...)
	return len(p), nil
}

// readable sends the frames that the machine has for others.
func (z *nozzle) readable(events uint32) {
	if events&loop.Failed != 0 {
		z.n.d.log.totem.Error("nozzle device %s was deleted: a reload (corosync-cfgtool -R) makes it anew", z.conf.name)
		z.close()
		z.conf = nozzleConf{}
		return
	}
	for range framesMax {
		if !z.up {
			return
		}
		frame := z.buf[:z.tap.Read(z.buf)]
		if to, ok := frameNode(frame); ok {
			z.n.SendFrame(to, frame)
		} else if len(frame) == 0 {
			break
		}
	}
	z.n.Flush()
}

// deliver hands the frame of another node to the machine. What it does not take is
// lost, as on any cable; the original gives the whole interface up then.
func (z *nozzle) deliver(frame []byte) {
	if to, ok := frameNode(frame); ok && (to == 0 || uint32(to) == z.n.d.self) {
		_ = z.tap.Write(frame)
	}
}

// frameNode is the node that an Ethernet frame is for, 0: for all. The last two bytes
// of a node's hardware address are its id (totemknet.c: ether_host_filter_fn).
func frameNode(frame []byte) (node uint16, ok bool) {
	const header = 14
	if len(frame) < header || [6]byte(frame) == [6]byte{} {
		return 0, false
	}
	if frame[0]&1 != 0 {
		return 0, true // broadcast or multicast
	}
	node = binary.BigEndian.Uint16(frame[4:])
	return node, node != 0
}

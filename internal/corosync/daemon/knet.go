package daemon

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/totem/knet"
	"github.com/pacesync/pacesync/totem/knet/compress"
	"github.com/pacesync/pacesync/totem/knet/crypt"
	"github.com/pacesync/pacesync/totem/link"
)

// knetNet is kronosnet (totemknet.c). Owned by the loop.
type knetNet struct {
	*link.Knet
	d    *Daemon
	keys *crypt.Keys
	pack *compress.Compression
	slot int // of keys: that of the running configuration
	// waiting: slot has its key, but what we send goes as before.
	waiting bool
	inClear uint64 // packets in clear that were taken before that
	clear   bool   // packets in clear are taken
	nozzle  nozzle
	stats   *cmap.Stats
	links   []knet.LinkKey // whose statistics are shown
}

func (d *Daemon) openKnet() (network, error) {
	d.log.totem.Notice("Initializing transport (Kronosnet).")
	n := &knetNet{d: d, keys: crypt.New(rand.Reader), pack: compress.New(), slot: 1, clear: !d.cfg.Crypto.Enabled()}
	if d.cfg.Crypto.Enabled() {
		if err := n.keys.Set(n.slot, cryptConfig(d.cfg.Crypto)); err != nil {
			return nil, err
		}
		if err := n.keys.Use(n.slot); err != nil {
			return nil, err
		}
	}
	n.setCompression(&d.cfg.Totem)
	n.nozzle = nozzle{n: n, buf: make([]byte, link.FrameBuffer)}
	var err error
	n.Knet, err = link.OpenKnet(n.config(d.cfg), link.KnetOptions{SmallBuffers: d.cfg.System.KnetFallback, DSCP: d.cfg.DSCP}, n.tell)
	if err != nil {
		return nil, err
	}
	if n.SmallBuffers() {
		d.log.totem.Warning("knet_handle_new failed, trying unprivileged: %v", link.ErrBuffers)
	}
	d.log.totem.Info("totemknet initialized")
	d.log.knet.Info("pmtud: MTU manually set to: %d", d.cfg.Totem.KnetMTU)
	return n, nil
}

func cryptConfig(c config.Crypto) crypt.Config {
	return crypt.Config{Cipher: c.Cipher, Hash: c.Hash, Key: []byte(c.Key)}
}

// setCompression says how datagrams are compressed. What libknet does not take is no
// reason to stop: they go as they are (totemknet.c: totemknet_configure_compression).
func (n *knetNet) setCompression(t *config.Totem) {
	warnings, err := n.pack.Set(t.CompressionModel, int(t.CompressionLevel))
	for _, w := range warnings {
		n.d.log.knet.Warning("%s", w)
	}
	if err != nil {
		n.d.log.totem.Error("knet_handle_compress failed: %v", err)
	}
}

// config is the part of the configuration that knet needs.
func (n *knetNet) config(c *config.Config) knet.Config {
	out := knet.Config{
		Self: knet.HostID(c.NodeID), MTU: int(c.Totem.KnetMTU), PMTUDInterval: time.Duration(c.Totem.KnetPMTUDInterval) * time.Second,
		BlockUnlisted: c.Totem.BlockUnlistedIPs, Crypto: n.keys, AllowClear: n.clear, Nanotime: nanotime,
		Compress: n.pack, CompressThreshold: min(int(c.Totem.CompressionThreshold), knet.MaxPacket),
	}
	switch c.LinkMode {
	case "active":
		out.Policy = knet.PolicyActive
	case "rr":
		out.Policy = knet.PolicyRR
	}
	for _, node := range c.Nodes {
		if node.ID == c.NodeID {
			continue
		}
		h := knet.HostConfig{ID: knet.HostID(node.ID)}
		for i := range c.Links {
			if l := &c.Links[i]; l.Configured && node.Addrs[i].IsValid() && l.Local.IsValid() {
				h.Links = append(h.Links, linkConfig(i, l, node.Addrs[i]))
			}
		}
		out.Hosts = append(out.Hosts, h)
	}
	return out
}

func linkConfig(i int, l *config.Link, remote netip.Addr) knet.LinkConfig {
	out := knet.LinkConfig{
		ID: uint8(i), Local: netip.AddrPortFrom(l.Local, l.Port), Remote: netip.AddrPortFrom(remote, l.Port),
		Priority: l.Priority, PingInterval: ms(l.PingInterval), PongTimeout: ms(l.PingTimeout),
		Precision: int(l.PingPrecision), PongCount: int(l.PongCount),
	}
	if l.SCTP {
		out.Transport = knet.TransportSCTP
	}
	return out
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// startTime is what nanotime counts from.
var startTime = time.Now()

// nanotime is the clock by which knet measures its own work.
func nanotime() int64 { return int64(time.Since(startTime)) }

// tell logs an event of knet: libknet's lines under its own name, those that
// totemknet makes of libknet's notifications under TOTEM.
func (n *knetNet) tell(ev *knet.Event) {
	log := &n.d.log
	switch ev.Kind {
	case knet.EventReachable:
		log.totem.Debug("Knet host change callback. nodeid: %d reachable: %d", ev.Host, ev.N)
		return
	case knet.EventMTUGlobal:
		log.totem.Debug("Knet pMTU change: %d", ev.N)
	}
	level := service.LevelDebug
	switch ev.Level() {
	case knet.LevelError:
		level = service.LevelError
	case knet.LevelWarning:
		level = service.LevelWarning
	case knet.LevelInfo:
		level = service.LevelInfo
	}
	if log.knet.Routed(level) || ev.Kind != knet.EventDropped && log.knet.Enabled(level) {
		log.knet.Log(level, ev.Text())
	}
}

// Close frees the sockets and the virtual network interface.
func (n *knetNet) Close() {
	n.nozzle.close()
	n.Knet.Close()
}

// publish shows the counters of knet as a whole; those of links come and go with them.
func (n *knetNet) publish(stats *cmap.Stats) {
	n.stats = stats
	stats.AddKnet(n.Engine().Stats)
}

// publishLinks shows the counters of the links that there are.
func (n *knetNet) publishLinks() {
	var now []knet.LinkKey
	n.Engine().Links(func(k knet.LinkKey) bool {
		now = append(now, k)
		return true
	})
	for _, k := range n.links {
		if !slices.Contains(now, k) {
			n.stats.RemoveKnetLink(uint32(k.Host), int(k.Link))
		}
	}
	for _, k := range now {
		if !slices.Contains(n.links, k) {
			n.stats.AddKnetLink(uint32(k.Host), int(k.Link), func(s *knet.LinkStatus) { n.Engine().Status(k, s) })
		}
	}
	n.links = now
}

// follow takes over links, nodes, timers and the key, which is used only when
// cryptoPhase says so (totemknet.c: totemknet_reconfigure, totemknet_member_add).
func (n *knetNet) follow(prev, next *config.Config) {
	log := n.d.log.totem
	n.d.tellConfiguring(next, func(i int, l *config.Link) {
		log.Info("Configured link number %d: local addr: %s, port=%d", i, l.Local, l.Port)
	})
	if prev != nil {
		p, q := &prev.Totem, &next.Totem
		if p.CompressionModel != q.CompressionModel || p.CompressionLevel != q.CompressionLevel {
			n.setCompression(q)
		}
	}
	n.nozzle.configure()
	if prev != nil {
		if prev.Crypto != next.Crypto {
			n.loadKey(next.Crypto)
		}
		n.refresh(next)
	}
	n.publishLinks()
}

// refresh hands the engine the configuration.
func (n *knetNet) refresh(next *config.Config) {
	if err := n.Reconfigure(n.config(next)); err != nil {
		n.d.log.totem.Error("links stay as they are: %v", err)
	}
}

// loadKey puts a new key where packets that come are tried with it. Until it is
// activated, ours go as before (totemknet.c: totemknet_set_knet_crypto).
func (n *knetNet) loadKey(c config.Crypto) {
	n.slot = 3 - n.slot
	if n.slot == n.keys.InUse() { // a change was overtaken by this one
		n.slot = 3 - n.slot
	}
	if !c.Enabled() {
		n.clear = true
	}
	n.waiting, n.inClear = true, n.takenInClear()
	log := n.d.log.totem
	if err := n.keys.Set(n.slot, cryptConfig(c)); err != nil {
		log.Error("knet_handle_crypto_set_config (index %d) failed: %v", n.slot, err)
		return
	}
	log.Info("kronosnet crypto reconfigured on index %d: %s/%s/%s", n.slot, c.Model, c.Cipher, c.Hash)
}

// The phases of a change of key (totemknet.c: totemknet_crypto_reconfigure_phase).
const (
	phaseActivate = 1
	phaseCleanup  = 2
)

func (n *knetNet) cryptoPhase(phase uint32) {
	log := n.d.log.totem
	switch phase {
	case phaseActivate:
		n.activate()
	case phaseCleanup:
		old := 3 - n.slot
		log.Debug("Clearing old knet crypto config %d", old)
		if err := n.keys.Clear(old); err != nil {
			log.Error("knet_handle_crypto_set_config to clear index %d failed: %v", old, err)
		}
		n.clear = !n.d.cfg.Crypto.Enabled()
		n.refresh(n.d.cfg)
	}
}

// activate seals with the key of the running configuration from now on.
func (n *knetNet) activate() {
	if !n.waiting {
		return
	}
	n.waiting = false
	use := n.slot
	if !n.d.cfg.Crypto.Enabled() {
		use = 0
	}
	if err := n.keys.Use(use); err != nil {
		n.d.log.totem.Error("knet_handle_crypto_use_config %d failed: %v", use, err)
		return
	}
	n.CryptoChanged()
}

// Receive is the transport's. When another node uses the new key already, so do
// we: it may have dropped the old one before our own message to change has come
// round, and would hear nothing of us then. The original leaves the ring there.
func (n *knetNet) Receive() (packets [][]byte, more bool) {
	packets, more = n.Knet.Receive()
	if n.waiting && n.overtaken() {
		n.d.log.totem.Debug("the others use the new crypto configuration: so do we")
		n.activate()
	}
	return packets, more
}

// overtaken tells that a packet came as the new configuration wants it.
func (n *knetNet) overtaken() bool {
	if n.d.cfg.Crypto.Enabled() {
		return n.keys.Overtaken()
	}
	return n.takenInClear() != n.inClear
}

func (n *knetNet) takenInClear() uint64 {
	var s knet.Stats
	n.Engine().Stats(&s)
	return s.RxClearPackets
}

// status is the state of a node and its links (totemknet.c: totemknet_nodestatus_get).
func (n *knetNet) status(node uint32) (st cfgwire.NodeStatus, known bool) {
	host, ok := n.Engine().HostStatus(knet.HostID(node))
	if !ok || node > 1<<16-1 {
		return st, false
	}
	st.Reachable = host.Reachable
	for i := range n.d.cfg.Links {
		var l knet.LinkStatus
		if !n.d.cfg.Links[i].Configured || !n.Engine().Status(knet.LinkKey{Host: knet.HostID(node), Link: uint8(i)}, &l) {
			continue
		}
		out := &st.Links[i]
		out.Enabled, out.Connected, out.DynConnected, out.MTU = l.Enabled, l.Connected, l.DynConnected, uint32(l.MTU)
		if l.Loopback {
			out.Source = n.d.cfg.Links[i].Local.String()
			out.Destination = out.Source
			continue
		}
		out.Source, out.Destination = l.Local.Addr().String(), l.Remote.Addr().String()
	}
	return st, true
}

func (n *knetNet) clearStats() { n.Engine().ClearStats() }

package daemon

import (
	"time"

	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
	"github.com/pacesync/pacesync/quorum"
)

// reconfigurer is what the cfg service asks of the daemon: cfg.Daemon. Owned by
// the loop; what may block runs elsewhere and comes back by Post.
type reconfigurer struct{ d *Daemon }

// Config is the running configuration.
func (r reconfigurer) Config() *config.Config { return r.d.cfg }

// prepareWait is how long the loop waits for a file to be read when the transport
// has keys. A node that knows the new key only after others use it loses their
// packets until then. Names that have to be asked for may take longer; the token must
// not wait for them.
const prepareWait = 250 * time.Millisecond

// Prepare reads and checks the file away from the loop.
func (r reconfigurer) Prepare(kept *cmap.Map, prev *config.Config, done func(*config.Reload)) {
	d, file := r.d, r.d.opts.file
	ready := make(chan *config.Reload, 1)
	go func() { ready <- prepare(file, kept, prev) }()
	wait := time.Duration(0)
	if prev.Transport == config.Knet {
		wait = min(prepareWait, prev.Totem.Token/8)
	}
	select {
	case out := <-ready:
		d.soon = append(d.soon, func() { done(out) })
	case <-time.After(wait):
		go func() {
			out := <-ready
			d.loop.Post(func() { done(out) })
		}()
	}
}

// prepare reads the file, and says where what the quorum service will complain of
// stands in it.
func prepare(file string, kept *cmap.Map, prev *config.Config) *config.Reload {
	env := osenv.Env{}
	r := config.Prepare(env, file, kept, prev)
	if r.Config == nil {
		return r
	}
	if text, _ := quorum.Check(r.Keys()); text != "" {
		places := config.Remarks(env, file, &config.Error{Keys: config.QuorumKeys(r.Keys())})
		r.Warnings = append(append(r.Warnings, text), places...)
	}
	return r
}

// runSoon runs what has to be done before anything else arrives.
func (d *Daemon) runSoon() bool {
	for len(d.soon) > 0 {
		fn := d.soon[0]
		d.soon = d.soon[1:]
		fn()
	}
	return false
}

// Commit takes over timings, nodes, links, keys, the quorum options and the log
// targets.
func (r reconfigurer) Commit(next *config.Config) {
	d := r.d
	old := d.cfg
	d.cfg = next
	d.net.follow(old, next)
	d.node.Reconfigure(ringConfig(next))
	d.applyLogging()
}

// applyLogging makes the logging keys effective; bad ones leave all as it is.
func (d *Daemon) applyLogging() {
	logging, err := config.ReadLogging(d.cmap)
	if err != nil {
		d.log.main.Error("%v", err)
		return
	}
	for _, w := range logging.Warnings {
		d.log.main.Warning("%s", w)
	}
	d.logs.ApplyLater(logging, func(err error) {
		if err != nil {
			d.log.main.Error("%v", err)
		}
	})
}

// followKeys makes writes into cmap effective: timers of totem (totemconfig.c:
// totem_change_notify) and everything below logging (logconfig.c:
// main_logging_notify). A reload sets the same keys one by one and is told to
// the daemon as a whole by Commit.
func (d *Daemon) followKeys() {
	const any = cmap.Added | cmap.Modified | cmap.Deleted | cmap.Prefix
	reloading := func() bool { on, _ := d.cmap.U8("config.reload_in_progress"); return on != 0 }
	d.cmap.Track("totem.", any, func(c cmap.Change) {
		if reloading() || !config.Volatile(c.Key) {
			return
		}
		next, err := config.Update(d.cmap, d.cfg)
		if err != nil {
			d.log.totem.Error("%v", err)
			return
		}
		d.cfg = next
		d.net.refresh(next)
		d.node.Reconfigure(ringConfig(next))
	})
	d.cmap.Track("logging.", any, func(cmap.Change) {
		if !reloading() {
			d.applyLogging()
		}
	})
}

// CryptoPhase activates the new key or drops the old one.
func (r reconfigurer) CryptoPhase(phase uint32) { r.d.net.cryptoPhase(phase) }

// ReopenLogs opens the log files anew.
func (r reconfigurer) ReopenLogs(done func(error)) {
	d := r.d
	d.logs.Reopen(func(err error) { d.loop.Post(func() { done(err) }) })
}

// NodeStatus is what the transport knows of a node.
func (r reconfigurer) NodeStatus(node uint32) (cfgwire.NodeStatus, bool) { return r.d.net.status(node) }

// Package cib is the daemon pacemaker-based: it holds the cluster's configuration
// and status, the same on every node, and answers all that read or change it.
//
// The multi-call binary calls Run. What requests mean and who carries them out is
// decided by cib/engine; this package owns the sockets, the process group, the
// disk and the clock. One goroutine owns the engine; writing the file is another
// one's work, and the last version to be written wins. It replaces
// daemons/based.
package cib

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/engine"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/cib/store"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/optmeta"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const program = "pacemaker-based"

// The sockets: the first one takes no changes.
const (
	socketRO  = "cib_ro"
	socketRW  = "cib_rw"
	socketSHM = "cib_shm"
)

const usage = program + ` - daemon for managing the configuration of a Pacemaker cluster
Usage: ` + program + ` [options]
Options:
 -?, --help		This text
 -V, --verbose		Increase debug output
 -s, --stand-alone		Advanced use only
 -w, --disk-writes		Advanced use only
 -r, --cib-root=value		Advanced use only

Report bugs to users@clusterlabs.org
`

// options of the command line.
type options struct {
	verbose    int
	standAlone bool
	writes     bool
	dir        string
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	o := options{writes: true, dir: pcmk.CIBDir}
	p := getopt.New(e.Argv0, e.Args, "Vswr:", []getopt.Long{{Name: "help", Val: 'h'}, {Name: "verbose", Val: 'V'}, {Name: "stand-alone", Val: 's'},
		{Name: "disk-writes", Val: 'w'}, {Name: "cib-root", Arg: getopt.RequiredArg, Val: 'r'}}, e.Stderr)
	bad := false
	for c := p.Next(); c != getopt.End; c = p.Next() {
		switch c {
		case 'h':
			fmt.Fprint(e.Stdout, usage)
			return int(pcmk.ExitOK)
		case 'V':
			o.verbose++
		case 's':
			o.standAlone, o.writes = true, false
		case 'w':
			o.writes = true
		case 'r':
			o.dir = p.Arg
		default:
			bad = true
		}
	}
	if rest := p.Rest(); len(rest) == 1 && strings.EqualFold(rest[0], "metadata") {
		fmt.Fprint(e.Stdout, metadata())
		return int(pcmk.ExitOK)
	}
	if bad {
		fmt.Fprint(e.Stderr, usage)
		return int(pcmk.ExitUsage)
	}
	k := daemonkit.Start(daemonkit.Options{Program: program, Verbose: o.verbose, Stderr: e.Stderr})
	return k.Main(func() pcmk.Exit {
		d := &daemon{kit: k, opts: o, ipc: make(chan crmipc.Event, 256), group: make(chan crmcluster.Event, 256), clients: map[string]*crmipc.Client{}, daemons: map[string]bool{}}
		if code := d.start(e.Stderr); code >= 0 {
			return code
		}
		defer d.close()
		k.Log.Notice("Pacemaker CIB manager successfully started and accepting connections")
		return d.loop()
	})
}

func metadata() string {
	return optmeta.Format(program, "Cluster Information Base manager options", "Cluster options used by Pacemaker's Cluster Information Base manager",
		[]optmeta.Option{
			{Name: "enable-acl", Type: "boolean", Default: "false", Short: "Enable Access Control Lists (ACLs) for the CIB"},
			{Name: "cluster-ipc-limit", Type: "integer", Default: "500", Short: "Maximum IPC message backlog before disconnecting a cluster daemon",
				Long: `Raise this if log has "Evicting client" messages for cluster daemon PIDs (a good value is the number of resources in the cluster multiplied by the number of nodes).`},
		})
}

// daemon is owned by the loop goroutine.
type daemon struct {
	kit     *daemonkit.Kit
	opts    options
	engine  *engine.Engine
	server  *crmipc.Server
	cluster *crmcluster.Cluster
	peers   *crmcluster.Peers
	disk    *writer
	ipc     chan crmipc.Event
	group   chan crmcluster.Event
	clients map[string]*crmipc.Client
	daemons map[string]bool // clients that are daemons of the cluster
	limit   uint32          // of events that wait for a daemon of the cluster, 0: the default
	current crmipc.Event    // the request being served
	closing bool
	ended   bool
	status  pcmk.Exit // once ended
}

// carryOn is what start returns when all is well.
const carryOn pcmk.Exit = -1

// start reads the file, joins the cluster and opens the sockets, in this order
// (pacemaker-based.c: main, cib_init).
func (d *daemon) start(stderr io.Writer) pcmk.Exit {
	log := d.kit.Log
	log.Notice("Starting Pacemaker CIB manager")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if c, err := crmipc.Dial(ctx, socketRO, crmipc.DialOptions{}); err == nil {
		c.Close()
		log.Error(program + " is already active, aborting startup")
		return pcmk.ExitOK
	}
	if d.opts.standAlone {
		if err := becomeDaemonUser(); err != nil {
			log.Error("Could not become user "+pcmk.User, "why", err)
			return pcmk.ExitFatal
		}
	}
	if d.opts.dir != pcmk.CIBDir {
		log.Notice("Using custom config location: " + d.opts.dir)
	}
	if err := writable(d.opts.dir, true); err != nil {
		log.Error("Terminating due to bad permissions on "+d.opts.dir, "why", err)
		fmt.Fprintf(stderr, "ERROR: Bad permissions on %s (see logs for details)\n", d.opts.dir)
		return pcmk.ExitFatal
	}
	schemas, err := schemafiles.Load(pcmk.SchemaDirectory())
	if err != nil {
		log.Error("No schemas: " + err.Error())
		schemas = schema.NewSet(nil, func(string) ([]byte, error) { return nil, os.ErrNotExist })
	}
	cib, status, err := d.load(schemas)
	if err != nil {
		log.Error(err.Error())
		log.Crit("Cannot start CIB... terminating")
		return pcmk.ExitNoInput
	}
	node := "localhost"
	if !d.opts.standAlone {
		d.cluster, err = crmcluster.Join(ctx, crmcluster.Options{Program: program, Events: d.group, Log: log.Logger})
		if err != nil {
			log.Crit("Cannot sign in to the cluster... terminating", "why", err)
			return pcmk.ExitFatal
		}
		node = d.cluster.Name()
		d.peers = crmcluster.NewPeers(d.cluster.NodeID(), node, false)
	}
	d.disk = newWriter(&store.Dir{Path: d.opts.dir}, log, d.opts.writes && status == patch.OK)
	d.engine = engine.New(engine.Config{Node: node, StandAlone: d.opts.standAlone, Schemas: schemas, InGroup: pcmk.InGroup}, cib, status, time.Now())
	d.engine.CatchUp(time.Now())
	d.effects()
	d.server, err = crmipc.Listen(crmipc.ServerOptions{Events: d.ipc, Log: log.Logger}, socketRO, socketRW, socketSHM)
	if err != nil {
		log.Crit("Failed to create "+program+" servers: exiting and inhibiting respawn", "why", err)
		log.Warn("Verify pacemaker and pacemaker_remote are not both enabled")
		d.close()
		return pcmk.ExitFatal
	}
	return carryOn
}

func (d *daemon) close() {
	if d.server != nil {
		d.server.Close()
	}
	if d.cluster != nil {
		d.cluster.Close()
	}
	d.disk.close()
}

func becomeDaemonUser() error {
	uid, gid, err := pcmk.DaemonUser()
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	return errors.Join(unix.Setgroups([]int{int(gid)}), unix.Setgid(int(gid)), unix.Setuid(int(uid)))
}

// load reads the CIB from disk and makes of it what the cluster begins with
// (based_io.c: readCibXmlFile).
func (d *daemon) load(schemas *schema.Set) (*xmltree.Node, doc.Code, error) {
	for _, name := range [...]string{"cib.xml", "cib.xml.sig"} {
		if err := writable(d.opts.dir+"/"+name, false); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, 0, err
		}
	}
	log := d.kit.Log
	dir := store.Dir{Path: d.opts.dir}
	log.Info("Reading cluster configuration file " + d.opts.dir + "/cib.xml (digest: " + d.opts.dir + "/cib.xml.sig)")
	found := dir.Load()
	for _, n := range found.Notes {
		if n.Err {
			log.Error(n.Text)
		} else {
			log.Warn(n.Text)
		}
	}
	cib := found.CIB
	if cib == nil || cib.Name != "cib" {
		name := schema.None
		if i := schemas.Latest(); i >= 0 {
			name = schemas.Versions()[i].Name
		}
		cib = doc.Empty(name)
		log.Warn("Continuing with an empty configuration.")
	}
	status := cib.Child("status")
	if status != nil && !d.opts.standAlone {
		status.Remove()
		status = nil
	}
	if status == nil {
		cib.AddNew("status")
	}
	for _, name := range [...]string{"admin_epoch", "epoch", "num_updates"} {
		if _, ok := cib.Get(name); !ok {
			log.Warn("No value for " + name + " was specified in the configuration: it begins at zero, which may be older than what other nodes have")
			cib.Set(name, "0")
		}
	}
	cib.Unset("dc-uuid") // the DC sets it
	validation, has := cib.Get("validate-with")
	if faults := schemas.Validate(cib); len(faults) > 0 {
		for _, f := range faults[:min(len(faults), 10)] {
			log.Error("CIB: " + f.String())
		}
		if !has {
			validation = "no schema specified"
		}
		log.Error("CIB does not validate with " + validation)
		return cib, doc.BadSchema, nil
	}
	return cib, patch.OK, nil
}

// loop serves clients, peers, disk and clock until the end.
func (d *daemon) loop() pcmk.Exit {
	writes := make(chan os.Signal, 1)
	signal.Notify(writes, syscall.SIGPIPE)
	defer signal.Stop(writes)
	alarm := daemonkit.NewAlarm()
	for !d.ended {
		alarm.Set(d.engine.Deadline())
		select {
		case ev := <-d.ipc:
			d.clientEvent(ev)
		case ev := <-d.group:
			d.groupEvent(ev)
		case now := <-alarm.C:
			d.engine.Tick(now)
		case done := <-d.disk.done:
			d.disk.finished(done)
		case <-d.disk.again():
			d.disk.retry()
		case <-writes:
			d.kit.Log.Info("(Re)enabling disk writes")
			d.disk.enable()
		case <-d.kit.Term:
			d.shutdown()
		}
		d.effects()
		for d.engine.Resume(time.Now()) {
			d.effects()
		}
	}
	return d.status
}

func (d *daemon) end(code pcmk.Exit) {
	if !d.ended {
		d.ended, d.status = true, code
	}
}

// shutdown drops all clients; when the last one is gone we leave the cluster
// (based_callbacks.c: cib_shutdown).
func (d *daemon) shutdown() {
	if d.closing {
		return
	}
	d.closing = true
	for _, c := range d.clients {
		c.Close()
	}
	d.kit.Log.Info(fmt.Sprintf("Disconnected %d clients", len(d.clients)))
	d.leave()
}

func (d *daemon) leave() {
	if d.closing && len(d.clients) == 0 {
		d.kit.Log.Info("All clients disconnected (0)")
		d.engine.Leave(time.Now(), d.active())
	}
}

func (d *daemon) active() int {
	if d.peers == nil {
		return 1
	}
	return d.peers.Active()
}

// others are the names of the other members of the group. Those who came to it with
// a change are last: they know as little as we do.
func (d *daemon) others(ev crmcluster.Event) []string {
	var old, fresh []string
	for _, p := range d.peers.All() {
		switch {
		case p.ID == d.cluster.NodeID() || !p.Active() || p.Name == "":
		case slices.ContainsFunc(ev.Joined, func(j crmcluster.Process) bool { return j.Node == p.ID }):
			fresh = append(fresh, p.Name)
		default:
			old = append(old, p.Name)
		}
	}
	return append(old, fresh...)
}

func (d *daemon) clientEvent(ev crmipc.Event) {
	c := ev.Client
	switch ev.Kind {
	case crmipc.Connected:
		if d.closing {
			c.Close()
		}
		d.clients[c.ID] = c
		d.engine.Connect(engine.Client{ID: c.ID, PID: c.PID, User: c.User, Privileged: c.Privileged, Write: c.Service != socketRO})
	case crmipc.Disconnected:
		delete(d.clients, c.ID)
		delete(d.daemons, c.ID)
		d.engine.Disconnect(c.ID)
		d.leave()
	case crmipc.Message:
		d.current = ev
		d.engine.Request(time.Now(), c.ID, ev.ID, ev.Flags&crmipc.WantReply != 0, ev.XML)
		d.effects()
		d.current = crmipc.Event{}
	}
}

func (d *daemon) groupEvent(ev crmcluster.Event) {
	now := time.Now()
	switch ev.Kind {
	case crmcluster.Received:
		d.engine.Message(now, ev.Name, ev.XML)
	case crmcluster.Lost:
		if d.closing {
			d.kit.Log.Info("Corosync disconnection complete")
			d.end(pcmk.ExitOK)
			return
		}
		d.kit.Log.Crit("Lost connection to cluster layer, shutting down", "why", ev.Err)
		d.end(pcmk.ExitDisconnect)
	default:
		for _, ch := range d.peers.Apply(ev, now) {
			if ch.Kind == crmcluster.StateChanged {
				d.kit.Log.Notice(fmt.Sprintf("Node %s state is now %s", ch.Peer.Name, ch.Peer.State))
			}
		}
		d.engine.Group(now, d.others(ev))
	}
}

// effects carries out what the engine wants.
func (d *daemon) effects() {
	for _, x := range d.engine.Take() {
		switch x := x.(type) {
		case engine.Log:
			d.log(x)
		case engine.Reply:
			if c := d.clients[x.Client]; c == nil {
			} else if x.ID != 0 {
				c.Send(x.ID, x.XML)
			} else {
				c.Event(x.XML)
			}
		case engine.Ack:
			if d.current.Client != nil && d.current.Client.ID == x.Client {
				d.current.Ack(pcmk.Exit(x.Status))
			}
		case engine.Notify:
			d.notify(x)
		case engine.Send:
			d.send(x)
		case engine.Persist:
			d.disk.put(x.CIB)
		case engine.Options:
			d.setLimit(x.IPCLimit)
		case engine.Daemon:
			if c := d.clients[x.Client]; c != nil {
				d.daemons[x.Client] = true
				c.SetQueueMax(d.limit)
			}
		case engine.Exit:
			code := pcmk.ExitOK
			if x.Forced {
				code = pcmk.ExitError
			}
			d.end(code)
		}
	}
}

func (d *daemon) notify(x engine.Notify) {
	list := make([]*crmipc.Client, 0, len(x.Clients))
	for _, id := range x.Clients {
		if c := d.clients[id]; c != nil {
			list = append(list, c)
		}
	}
	crmipc.Broadcast(list, x.XML)
}

func (d *daemon) send(x engine.Send) {
	if d.cluster == nil {
		return
	}
	var to *crmcluster.Peer
	if x.To != "" {
		if to = d.peers.ByName(x.To); to == nil {
			to = &crmcluster.Peer{Name: x.To}
		}
	}
	d.cluster.Send(to, pcmk.MsgCIB, x.XML)
}

// setLimit notes the option cluster-ipc-limit.
func (d *daemon) setLimit(text string) {
	var n uint32
	if _, err := fmt.Sscan(text, &n); err != nil || n == d.limit {
		return
	}
	d.limit = n
	for id := range d.daemons {
		d.clients[id].SetQueueMax(n)
	}
}

func (d *daemon) log(x engine.Log) { d.kit.Log.Syslog(int(x.Level), x.Text) }

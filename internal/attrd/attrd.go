// Package attrd is the daemon pacemaker-attrd: it keeps the values of node
// attributes on all nodes alike and has one node write them to the CIB.
//
// The multi-call binary calls Run. What is decided is decided in core; this is
// the shell around it: clients, peers, the CIB manager, timers, the log. It
// replaces daemons/attrd.
package attrd

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/crmd/election"
	ewire "github.com/pacesync/pacesync/crmd/election/wire"
	"github.com/pacesync/pacesync/internal/alerts"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/attrd/core"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	program = "pacemaker-attrd"
	service = "attrd" // socket, message name and CPG group
	summary = "daemon for managing Pacemaker node attributes"
)

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	var common goption.Common
	ctx := goption.Pacemaker(program, summary, "text (default), xml", "", &common)
	if _, status, ok := ctx.Run(e.Args, "", e.Stdout, e.Stderr); !ok {
		return status
	}
	if common.Version {
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return int(pcmk.ExitOK)
	}
	k := daemonkit.Start(daemonkit.Options{Program: program, Verbose: common.Verbosity, Stderr: e.Stderr})
	return k.Main(func() pcmk.Exit { return serve(k) })
}

func serve(k *daemonkit.Kit) pcmk.Exit {
	k.Log.Notice("Starting Pacemaker node attribute manager")
	if running() {
		k.Log.Error(program + " is already active, aborting startup")
		return pcmk.ExitOK
	}
	d := &daemon{
		kit: k, log: k.Log, alarm: daemonkit.NewAlarm(), stores: map[int]int{}, alerter: newAlerter(k.Log),
		clients: make(chan crmipc.Event, 64), cluster: make(chan crmcluster.Event, 64), cibNews: make(chan client.Event, 64),
		cibBack: make(chan *client.Conn, 1),
	}
	defer d.close()
	if status, ok := d.open(); !ok {
		return status
	}
	k.Log.Notice("Pacemaker node attribute manager successfully started and accepting connections")
	status := d.loop()
	k.Log.Info("Shutting down attribute manager")
	return status
}

// running tells whether another attribute manager serves this node.
func running() bool {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	c, err := crmipc.Dial(ctx, service, crmipc.DialOptions{})
	return err == nil && c.Close() == nil
}

const (
	dialPatience = 5 * time.Second
	// cibTries is how often the CIB manager is called at start; the pause grows by
	// a second each time (pacemaker-attrd.c: attrd_cib_connect).
	cibTries = 30
	// storePatience is how long the CIB manager may take for a write
	// (pacemaker-attrd.h: CIB_OP_TIMEOUT_S).
	storePatience = 120 * time.Second
)

// daemon is owned by the loop goroutine.
type daemon struct {
	kit   *daemonkit.Kit
	log   *daemonkit.Logger
	core  *core.Core
	peers *crmcluster.Peers
	alarm *daemonkit.Alarm

	server *crmipc.Server
	group  *crmcluster.Cluster
	cib    *client.Conn // nil while the CIB manager is away
	lostAt time.Time    // since when it is

	clients chan crmipc.Event
	cluster chan crmcluster.Event
	cibNews chan client.Event
	cibBack chan *client.Conn // a new connection, nil: the attempt failed

	stores  map[int]int // token of a write under way, by the number of its request
	overdue daemonkit.Timers[int]
	refused []int // tokens of writes that could not be asked for
	erase   int   // number of the request that clears this node's attributes

	config  int // number of the request for the alerts' configuration
	alerts  []alerts.Alert
	alerter *alerter
}

// open connects in the order that lets clients and peers take the CIB for
// granted: CIB, cluster, clients.
func (d *daemon) open() (pcmk.Exit, bool) {
	status, ok := d.connectCIB()
	if !ok {
		return status, false
	}
	d.log.Info("CIB connection active")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	d.group, err = crmcluster.Join(ctx, crmcluster.Options{Program: program, Events: d.cluster, Log: d.log.Logger})
	if err != nil {
		d.log.Error("Cluster connection failed: " + err.Error())
		return pcmk.ExitFatal, false
	}
	d.log.Info("Cluster connection active")
	d.peers = crmcluster.NewPeers(d.group.NodeID(), d.group.Name(), false)
	d.core = core.New(core.Config{Self: d.group.Name(), SelfID: d.group.NodeID()})
	if pcmk.IsTrue(pcmk.Env(pcmk.EnvRespawned)) {
		d.restoreOwn()
	} else {
		d.eraseOwn()
	}
	d.readAlerts()
	d.core.Joined(moment(), d.group.Name(), d.group.NodeID())
	d.core.Start(moment())
	d.carryOut()
	if d.server, err = crmipc.Listen(crmipc.ServerOptions{Events: d.clients, Log: d.log.Logger}, service); err != nil {
		d.log.Error("Failed to create " + service + " server: " + err.Error())
		return pcmk.ExitFatal, false
	}
	return pcmk.ExitOK, true
}

func (d *daemon) close() {
	if d.server != nil {
		d.server.Close()
	}
	if d.group != nil {
		d.group.Close()
	}
	if d.cib != nil {
		_ = d.cib.Close() // the process ends
	}
}

func (d *daemon) connectCIB() (pcmk.Exit, bool) {
	for try := 1; ; try++ {
		d.log.Debug(fmt.Sprintf("Connection attempt %d to the CIB manager", try))
		c, err := dialCIB()
		if err == nil {
			d.cib = c
			c.Pump(func(ev client.Event) { d.cibNews <- ev })
			return pcmk.ExitOK, true
		}
		if try == cibTries {
			d.log.Error("Connection to the CIB manager failed: "+err.Error(), "tries", try)
			return pcmk.ExitFatal, false
		}
		select {
		case <-d.kit.Term:
			return pcmk.ExitOK, false
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}

func dialCIB() (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	return client.Dial(ctx, service, client.Options{Notify: []string{client.ReplaceNotify, client.DiffNotify}})
}

// eraseOwn clears what the CIB holds of this node's attributes: there are none
// yet. The controller does it when a node leaves; this is for one that came back
// before anybody noticed (pacemaker-attrd.c: attrd_erase_attrs).
func (d *daemon) eraseOwn() {
	xpath := "//node_state[@uname='" + d.group.Name() + "']/transient_attributes"
	d.log.Info("Clearing transient attributes from CIB", "xpath", xpath)
	d.erase = d.cib.Send(client.Call{Op: client.Delete, Section: xpath, Options: client.QuorumOverride | client.XPath})
}

// moment is now, and how much this process has worked.
func moment() election.Moment {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		u.Utime = unix.Timeval{}
	}
	return election.Moment{Now: time.Now(), CPU: time.Duration(u.Utime.Nano())}
}

func (d *daemon) loop() pcmk.Exit {
	for {
		d.carryOut()
		for ; len(d.refused) > 0; d.carryOut() {
			token := d.refused[0]
			d.refused = d.refused[1:]
			d.core.Stored(moment(), token, pcmk.RC(unix.ENOTCONN))
		}
		d.alarm.Set(earliest(d.core.Deadline(), d.overdue.Deadline()))
		select {
		case <-d.kit.Term:
			d.core.Stop()
			return pcmk.ExitOK
		case <-d.alarm.C:
			d.core.Expire(moment())
			for _, id := range d.overdue.Due(time.Now()) {
				d.stored(id, pcmk.RC(unix.ETIME))
			}
		case ev := <-d.clients:
			if ev.Kind == crmipc.Message {
				d.request(ev)
			}
		case ev := <-d.cluster:
			if ev.Kind == crmcluster.Lost {
				d.log.Crit("Lost connection to cluster layer, shutting down", "why", ev.Err)
				return pcmk.ExitDisconnect
			}
			d.peer(ev)
		case ev := <-d.cibNews:
			if ev.Kind == client.Lost {
				d.cibLost(ev.Err)
			} else {
				d.news(ev)
			}
		case c := <-d.cibBack:
			if !d.cibFound(c) {
				d.log.Crit("Lost connection to the CIB manager, shutting down")
				return pcmk.ExitDisconnect
			}
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// request takes a client's message, in the name of the user that it may speak for.
func (d *daemon) request(ev crmipc.Event) {
	m, err := wire.Decode(ev.XML)
	if err != nil {
		d.log.Error(err.Error())
		return
	}
	m.User = effectiveUser(ev.Client.User, m)
	m.ACLUser = m.User
	d.core.Request(moment(), ev, ev.Client.Label(), m)
}

// effectiveUser is in whose name a request is carried out: only the privileged
// may speak for others (acl.c: pcmk__update_acl_user).
func effectiveUser(user string, m wire.Message) string {
	wanted := m.ACLUser
	if wanted == "" {
		wanted = m.User
	}
	if (user == "root" || user == pcmk.User) && wanted != "" {
		return wanted
	}
	return user
}

// peer takes what happens in the group.
func (d *daemon) peer(ev crmcluster.Event) {
	if ev.Kind != crmcluster.Received {
		for _, ch := range d.peers.Apply(ev, time.Now()) {
			switch {
			case ch.Kind != crmcluster.ProcessChanged || ch.Peer.Name == "":
			case ch.Peer.Online:
				d.core.Joined(moment(), ch.Peer.Name, ch.Peer.ID)
			default:
				d.core.Left(moment(), ch.Peer.Name)
			}
		}
		return
	}
	if ev.XML.Attr("crm_task") != "" {
		m, err := ewire.Decode(ev.XML, ev.Name)
		if err != nil {
			d.log.Warn(err.Error())
			return
		}
		d.core.Ballot(moment(), m)
		return
	}
	m, err := wire.Decode(ev.XML)
	if err != nil {
		d.log.Error(fmt.Sprintf("From peer %s: %v", ev.Name, err))
		return
	}
	d.core.Message(moment(), ev.Name, ev.Node, m)
}

// news takes what the CIB manager sends.
func (d *daemon) news(ev client.Event) {
	switch {
	case ev.Kind == client.Notify && ev.Type == client.ReplaceNotify:
		sections := changedSections(ev.XML)
		if sections&core.SectionAlerts != 0 {
			d.readAlerts()
		}
		d.core.CIBReplaced(moment(), ev.Type, sections)
	case ev.Kind == client.Notify:
		if alerts.ConfigChanged(ev.XML, false) {
			d.readAlerts()
		}
	case ev.Kind == client.Reply && ev.ID == d.config:
		d.alertsRead(ev.RC, ev.Data)
	case ev.Kind == client.Reply && ev.ID == d.erase:
		text := "Cleared transient attributes: " + ev.RC.Error()
		if ev.RC != pcmk.OK {
			d.log.Notice(text, "rc", ev.RC.Legacy())
		} else {
			d.log.Debug(text)
		}
	case ev.Kind == client.Reply:
		d.stored(ev.ID, ev.RC)
	}
}

// stored passes the answer to a write on; one that comes too late is nobody's.
func (d *daemon) stored(id int, rc pcmk.RC) {
	token, ok := d.stores[id]
	if !ok {
		return
	}
	delete(d.stores, id)
	d.overdue.Stop(id)
	d.core.Stored(moment(), token, rc)
}

// carryOut does what the core wants, in its order.
func (d *daemon) carryOut() {
	for _, e := range d.core.Take() {
		switch e := e.(type) {
		case core.Trace:
			d.tell(e)
		case core.Ack:
			ev := e.Client.(crmipc.Event)
			if e.Always {
				ev.Flags |= crmipc.WantReply
			}
			ev.AckAs("ack", fmt.Sprint(wire.Protocol), pcmk.ExitIndeterminate)
		case core.Reply:
			ev := e.Client.(crmipc.Event)
			ev.Client.Send(ev.ID, wire.EncodeAnswer(e.Answer))
		case core.Send:
			d.group.Send(d.to(e.To), pcmk.MsgAttrd, wire.Encode(e.Msg))
		case core.Ballot:
			doc := ewire.Encode(e.Msg, crmipc.Reference(e.Msg.Op.String(), "crmd"))
			d.group.Send(d.to(e.Msg.To), pcmk.MsgCRMD, doc)
		case core.Store:
			d.store(e)
		case core.Alert:
			d.alert(e)
		}
	}
}

func (d *daemon) to(name string) *crmcluster.Peer {
	if name == "" {
		return nil
	}
	if p := d.peers.ByName(name); p != nil {
		return p
	}
	return &crmcluster.Peer{Name: name}
}

func (d *daemon) store(e core.Store) {
	call := client.Call{Op: client.Modify, Section: "status", Data: wire.EncodeWrite(e.Write), Options: client.QuorumOverride, User: e.Write.User}
	if e.Write.Unset() {
		call.Options |= client.MixedUpdate | client.ScopeLocal
	}
	if d.cib == nil {
		d.refused = append(d.refused, e.Token)
		return
	}
	id := d.cib.Send(call)
	d.stores[id] = e.Token
	d.overdue.Set(id, time.Now().Add(storePatience))
}

func (d *daemon) tell(t core.Trace) { d.log.Syslog(int(t.Level), t.Text) }

// changedSections are the sections that a replace notification names; one that
// names none means all.
func changedSections(n *xmltree.Node) int {
	v, ok := score.LeadingInt(n.Attr("cib_change_section"))
	if !ok || v < 0 || v > core.SectionNodes|core.SectionAlerts|core.SectionStatus {
		return core.SectionNodes | core.SectionAlerts | core.SectionStatus
	}
	return int(v)
}

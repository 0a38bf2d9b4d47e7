package crmmon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	fencer "github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/show"
)

func errno(err error) (pcmk.RC, bool) {
	var n unix.Errno
	ok := errors.As(err, &n)
	return pcmk.RC(n), ok
}

// patience is how long a daemon may take to answer.
const patience = 30 * time.Second

// launcher asks pacemakerd how it is, and returns its state and when it was good.
func launcher(ctx context.Context, name string) (answer *xmltree.Node, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := crmipc.Dial(ctx, "pacemakerd", crmipc.DialOptions{})
	if err != nil {
		return nil, pcmk.RC(crmipc.ErrnoOf(err))
	}
	defer c.Close()
	if _, err := c.Call(ctx, crmipc.NewRequest("ping", "", "pacemakerd", name, "", nil)); err != nil {
		return nil, pcmk.RC(crmipc.ErrnoOf(err))
	}
	for {
		in, err := c.Next(ctx)
		if err != nil {
			return nil, pcmk.RC(crmipc.ErrnoOf(err))
		}
		if d := crmipc.Data(in.XML); d != nil && d.Name == "ping_response" {
			return d, nil
		}
	}
}

func friendly(state string) string {
	switch state {
	case "init":
		return "Initializing pacemaker"
	case "starting_daemons":
		return "Pacemaker daemons are starting"
	case "wait_for_ping":
		return "Waiting for startup trigger from SBD"
	case "running":
		return "Pacemaker is running"
	case "shutting_down":
		return "Pacemaker daemons are shutting down"
	case "shutdown_complete":
		return "Pacemaker daemons are shut down (reporting to SBD)"
	}
	return "Invalid pacemakerd state"
}

// health shows what pacemakerd said (message "pacemakerd-health").
func (p *program) health(answer *xmltree.Node) {
	from, state := answer.Attr("crm_subsystem"), answer.Attr("pacemakerd_state")
	at, when := int64(0), ""
	if answer.Attr("result") == "ok" {
		at, _ = strconv.ParseInt(answer.Attr("crm-timestamp"), 10, 64)
		when = (&show.View{Now: time.Now()}).ISOTime(at)
	}
	if p.out.Format == pcmkout.XML {
		if when == "" {
			state = "query failed"
		}
		n := p.out.Node("pacemakerd", "sys_from", from, "state", state)
		if when != "" {
			n.Set("last_updated", when)
		}
		return
	}
	text := friendly(state)
	if when == "" {
		text, when = "query failed", "at unknown time"
	}
	line := fmt.Sprintf("Status of %s: '%s' (last updated %s)", from, text, when)
	if p.out.Format == pcmkout.HTML {
		p.out.TextNode("li", line)
		return
	}
	p.out.Info(line)
}

// noCluster ends the program for want of a cluster.
func (p *program) noCluster(rc pcmk.RC) pcmk.Exit {
	if p.o.form == monitor {
		p.fail(pcmk.ExitInvalidParam, "CLUSTER CRIT: Connection to cluster failed: "+rc.Error())
		return pcmk.ExitInvalidParam
	}
	text := "Connection to cluster failed: " + rc.Error()
	if rc == pcmk.RC(unix.ENOTCONN) {
		text = "Error: cluster is not available on this node"
	}
	return p.fail(rc.Exit(), text)
}

// onceLive shows the state of the running cluster one time.
func (p *program) onceLive(ctx context.Context) pcmk.Exit {
	answer, err := launcher(ctx, p.env.Name)
	if rc := session.RC(err); err != nil && rc != pcmk.RC(unix.EREMOTEIO) {
		p.out.Err("error: Could not connect to launcher: " + rc.Error())
		return p.noCluster(rc)
	}
	if err == nil {
		p.health(answer)
		if s := answer.Attr("pacemakerd_state"); s != "running" && s != "shutting_down" {
			return p.finish(pcmk.ExitOK)
		}
	}
	cib, err := session.OpenCIB(ctx, p.env)
	if err != nil {
		p.out.Err("Could not connect to the CIB: " + session.RC(err).Error())
		return p.finish(pcmk.ExitOK)
	}
	defer cib.Close()
	root, err := cib.Do(ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
	if err != nil {
		return p.finish(pcmk.ExitOK)
	}
	if !p.display(root, p.fenceHistory(ctx)) {
		p.out.Err("Error outputting status info from the fencer or CIB")
	}
	return p.finish(pcmk.ExitOK)
}

// fenceHistory asks the fencer what it remembers; nil when nobody wants to know.
func (p *program) fenceHistory(ctx context.Context) *show.FenceHistory {
	if !p.o.fenceHistory {
		return nil
	}
	h := &show.FenceHistory{Status: pcmk.ExitDisconnect}
	f, err := fencer.Dial(ctx, p.env.Name)
	if err != nil {
		return h
	}
	defer f.Close()
	records, err := f.History(ctx, "", 0, 2*time.Minute)
	if err != nil {
		h.Status = session.RC(err).Exit()
		return h
	}
	h.Status = pcmk.ExitOK
	for _, r := range records {
		h.Events = append(h.Events, show.FenceEvent{Target: r.Target, Action: r.Action, Origin: r.Origin, Client: r.ClientName,
			Delegate: r.Delegate, ExitReason: r.Result.Reason, State: fenceState(r.State), Completed: r.Completed, CompletedNsec: r.CompletedNsec})
	}
	h.Events = show.SortFencing(h.Events)
	if !p.o.oneShot && p.o.form != xml && p.o.sections&show.Fencing != show.Fencing {
		h.Events = show.ReduceFencing(h.Events)
	}
	return h
}

func fenceState(s wire.State) show.FenceState { return show.FenceState(s) }

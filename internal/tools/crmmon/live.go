package crmmon

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	fencer "github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pacemakerd/super"
	"github.com/pacesync/pacesync/internal/pcmk"
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
		session.ShowHealth(p.out, answer)
		if s := session.LauncherState(answer); s != super.Running && s != super.ShuttingDown {
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
	h.Events = show.SortFencing(session.FenceEvents(records))
	if !p.o.oneShot && p.o.form != xml && p.o.sections&show.Fencing != show.Fencing {
		h.Events = show.ReduceFencing(h.Events)
	}
	return h
}

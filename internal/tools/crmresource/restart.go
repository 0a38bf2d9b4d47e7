package crmresource

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// settleTime is what is added to the longest stop of those that are waited for.
const settleTime = 5 * time.Second

// restarting is one run of --restart: a resource is kept from running, and allowed
// to run again once everything that this stops has stopped.
type restarting struct {
	*program
	host   string // only there, empty: everywhere
	rsc    string // what is restarted
	stop   string // what keeps it from running: target-role of this or, with banned, a ban of this
	banned bool
	role   *string       // target-role before
	left   time.Duration // until --timeout
}

// restart carries out --restart (crm_resource_runtime.c: cli_resource_restart).
func (p *program) restart() error {
	r := &restarting{program: p, left: time.Duration(p.o.timeoutMS) * time.Millisecond}
	if p.node != nil {
		r.host = p.node.Name
	}
	if err := r.choose(); err != nil {
		return err
	}
	c, err := p.state(false)
	if err != nil {
		p.out.Errf("Could not get new resource list: %s (%d)", session.RC(err).Error(), int(session.RC(err)))
		return err
	}
	origin := active(r.host, c.Resources)
	if err := r.prevent(); err != nil {
		rc := session.RC(err)
		p.out.Errf("Could not set target-role for %s: %s (%d)", r.rsc, rc.Error(), int(rc))
		return err
	}
	target, err := p.state(true)
	if err != nil {
		p.out.Err("Could not determine which resources would be stopped")
		_ = r.permit() // the first error is the one to tell
		return err
	}
	stopped := active(r.host, target.Resources)
	gone := func(c *model.Cluster) []string { return without(active(r.host, c.Resources), stopped) }
	now, err := r.await("stop:", "shutdown", "stopped", c, gone)
	if err != nil {
		_ = r.permit()
		return err
	}
	if err := r.permit(); err != nil {
		rc := session.RC(err)
		p.out.Errf("Could not unset target-role for %s: %s (%d)", r.rsc, rc.Error(), int(rc))
		return err
	}
	first := true
	back := func(c *model.Cluster) []string {
		host := "" // what depends on it may start elsewhere
		if first {
			host, first = r.host, false
		}
		return without(origin, active(host, c.Resources))
	}
	if _, err = r.await("start again:", "restart", "started", now, back); err != nil {
		_ = r.permit()
	}
	return err
}

// choose finds out what to restart and how.
func (r *restarting) choose() error {
	rsc, top := r.program.rsc, r.program.rsc.Top()
	id := rsc.CloneName
	if id == "" {
		id = rsc.ID
	}
	name := func(k *model.Resource) string {
		if top.IsUniqueClone() {
			return k.ID
		}
		return model.BaseName(k.ID)
	}
	if rsc.Bundled() && rsc.Variant != model.Bundle {
		rsc = top.Parent
	}
	running := runsOn(rsc, r.host)
	if top.IsClone() && !running {
		rsc = instance(top, name(rsc), r.node)
		running = runsOn(rsc, r.host)
	}
	switch {
	case !running && r.host != "":
		r.out.Errf("%s is not running on %s and so cannot be restarted", id, r.host)
		return failed(pcmk.RC(unix.ENXIO))
	case !running:
		r.out.Errf("%s is not running anywhere and so cannot be restarted", id)
		return failed(pcmk.RC(unix.ENXIO))
	}
	r.program.rsc, r.rsc, r.stop = rsc, rsc.ID, name(rsc)
	if r.host != "" {
		switch {
		case rsc.IsClone(), rsc.Variant == model.Bundle && len(rsc.Bundle.Replicas) > 0:
			r.banned = true
		case top.IsClone():
			r.banned, r.stop = true, top.ID
		}
	}
	return nil
}

// instance finds a resource below a clone by its name, on a node if that is given
// (native_find_rsc).
func instance(r *model.Resource, name string, n *model.Node) *model.Resource {
	if (r.ID == name || r.CloneName == name || model.BaseName(r.ID) == name) && (n == nil || slices.Contains(r.RunningOn, n)) {
		return r
	}
	for _, k := range r.Children {
		if found := instance(k, name, n); found != nil {
			return found
		}
	}
	return nil
}

func runsOn(r *model.Resource, host string) bool {
	if r == nil {
		return false
	}
	_, all := r.Locate(model.Now)
	if host == "" {
		return len(all) > 0
	}
	return slices.ContainsFunc(all, func(n *model.Node) bool { return strings.EqualFold(n.Name, host) || strings.EqualFold(n.ID, host) })
}

// active are the ids of the resources that run on a host, or anywhere; of groups
// their members (get_active_resources).
func active(host string, list []*model.Resource) (ids []string) {
	for _, r := range list {
		if r.Variant == model.Group {
			ids = append(ids, active(host, r.Children)...)
		} else if runsOn(r, host) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func without(from, items []string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(id string) bool { return slices.Contains(items, id) })
}

// state reads the cluster as it is now, or as it will be when what is to do now is done.
func (p *program) state(future bool) (*model.Cluster, error) {
	root, err := p.cib.Do(p.ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
	if err != nil {
		rc := session.RC(err)
		p.out.Errf("Could not obtain the current CIB: %s (%d)", rc.Error(), int(rc))
		return nil, rc
	}
	root, _, ok := cibconn.Upgrade(root)
	if !ok {
		p.out.Err("Could not upgrade the current CIB XML")
		return nil, pcmk.RC(unix.ENOKEY)
	}
	now := time.Now()
	_, offset := now.Zone()
	clock := iso8601.Time{Unix: now.Unix(), Offset: offset}
	if future {
		root = root.Copy()
		quiet := p.out.Quiet
		p.out.Quiet = true // XML tells what is pretended all the same
		_, err := simulate.Transition(simulate.Options{Out: p.out, CIB: root, Clock: clock})
		if p.out.Quiet = quiet; err != nil {
			return nil, pcmk.RCSchemaValidation
		}
	}
	res, err := pengine.Status(pengine.Input{CIB: root, Now: clock})
	if err != nil {
		return nil, pcmk.RCSchemaValidation
	}
	return res.Cluster, nil
}

// as is the program for one more change of the CIB.
func (r *restarting) as(id string, value *string) *program {
	o, q := *r.o, *r.program
	o.id, o.kind, o.name, o.value, o.set, o.pair, o.recursive = &id, "meta_attributes", "target-role", value, nil, nil, false
	q.o = &o
	return &q
}

// prevent keeps the resource from running.
func (r *restarting) prevent() error {
	if r.banned {
		r.out.Quiet = true // for the rest of the run, as in the original
		return r.as(r.stop, nil).banFrom(r.host)
	}
	if x, err := r.findPair(attribute{rsc: r.stop, name: "target-role"}); err == nil {
		role := x.Attr("value")
		r.role = &role
	}
	stopped := "stopped"
	return r.as(r.rsc, &stopped).update()
}

// permit undoes what prevent did.
func (r *restarting) permit() error {
	switch {
	case r.banned:
		return r.as(r.stop, nil).clearFor(r.host, r.o.force, true)
	case r.role != nil:
		role := r.role
		r.role = nil // a second time it is deleted, as in the original
		return r.as(r.rsc, role).update()
	}
	return r.as(r.rsc, nil).deleteParam()
}

// await waits until none of the resources are left that remain tells. It gives up
// when in the time that their longest stop may take none of them got done, or at the
// end of --timeout.
func (r *restarting) await(what, whole, done string, c *model.Cluster, remain func(*model.Cluster) []string) (*model.Cluster, error) {
	list := remain(c)
	r.out.Infof("Waiting for %d resources to %s", len(list), what)
	r.display(list)
	r.out.Flush()
	steps := int(r.left / waitPause)
	for len(list) > 0 {
		before := len(list)
		if r.o.timeoutMS == 0 {
			steps = int(longestStop(c, list) / waitPause)
		}
		for i := 0; i < steps && len(list) > 0; i++ {
			time.Sleep(waitPause)
			next, err := r.state(false)
			if err != nil {
				r.out.Errf("Could not determine which resources were %s", done)
				return nil, failed(session.RC(err))
			}
			r.left -= waitPause
			c, list = next, remain(next)
		}
		if len(list) == before {
			r.out.Errf("Could not complete %s of %s, %d resources remaining", whole, r.rsc, len(list))
			r.display(list)
			return nil, failed(pcmk.RC(unix.ETIME))
		}
	}
	return c, nil
}

func (r *restarting) display(list []string) {
	for _, id := range list {
		r.out.Info(" * " + id)
	}
}

// longestStop is how long the resources may take to stop, all at once, and a little
// more (max_delay_in).
func longestStop(c *model.Cluster, ids []string) time.Duration {
	longest := 0
	var look func(r *model.Resource) int
	look = func(r *model.Resource) (ms int) {
		if r == nil {
			return 0
		}
		if len(r.Children) == 0 {
			ms, _ = strconv.Atoi(plan.Draft(c, plan.Spec{Rsc: r, Task: model.Stop}).Meta["timeout"])
			return ms
		}
		for _, k := range r.Children {
			ms = max(ms, look(k))
		}
		return ms
	}
	for _, id := range ids {
		longest = max(longest, look(c.Find(id)))
	}
	return settleTime + time.Duration(longest/1000)*time.Second
}

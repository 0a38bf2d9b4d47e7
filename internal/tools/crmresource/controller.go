package crmresource

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/attrd/attrdclient"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// patience is how long the controller's answers may take together.
const patience = 60 * time.Second

// uuid names crm_resource to the controller; nothing is sent to it by that name.
const uuid = "9a1cf1a1-5e2f-4a52-8c25-75c9a2f5f3d2"

// controller is the conversation with the controller of this node; nil when the CIB
// is a file, and nothing is to be done for real.
type controller struct {
	p       *program
	conn    *crmipc.Conn
	waiting int
}

// talk connects to the controller (pcmk_ipc_controld).
func (p *program) talk() (*controller, error) {
	if os.Getenv("CIB_file") != "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	conn, err := crmipc.Dial(ctx, "crmd", crmipc.DialOptions{})
	if err != nil {
		rc := pcmk.RC(crmipc.ErrnoOf(err))
		return nil, failedWith(rc, "Error connecting to the controller: %s", rc.Error())
	}
	hello := crmipc.NewRequest("hello", "", "", p.env.Name, uuid, xmltree.New("options", attrs("major_version", "0",
		"minor_version", "1", "client_name", p.env.Name, "client_uuid", uuid)...))
	hello.Unset("crm_sys_to")
	if _, err := conn.Call(ctx, hello); err != nil {
		conn.Close()
		rc := pcmk.RC(crmipc.ErrnoOf(err))
		return nil, failedWith(rc, "Error connecting to the controller: %s", rc.Error())
	}
	return &controller{p: p, conn: conn}, nil
}

// send makes a request whose answer comes later.
func (c *controller) send(task, host string, data *xmltree.Node) pcmk.RC {
	_, err := c.conn.Call(c.p.ctx, crmipc.NewRequest(task, host, "crmd", c.p.env.Name, uuid, data))
	if err != nil {
		return pcmk.RC(crmipc.ErrnoOf(err))
	}
	c.waiting++
	return pcmk.OK
}

// wait waits for the answers that are due (start_mainloop).
func (c *controller) wait() error {
	if c == nil || c.waiting == 0 {
		return nil
	}
	noun := "replies"
	if c.waiting == 1 {
		noun = "reply"
	}
	out := c.p.out
	out.Infof("Waiting for %d %s from the controller", c.waiting, noun)
	out.Flush()
	ctx, cancel := context.WithTimeout(c.p.ctx, patience)
	defer cancel()
	for c.waiting > 0 {
		in, err := c.conn.Next(ctx)
		if ctx.Err() != nil {
			return &failure{status: pcmk.ExitTimeout, text: "Aborting because no messages received in 60 seconds"}
		}
		if err != nil {
			return &failure{status: pcmk.ExitDisconnect}
		}
		c.answer(in, true)
	}
	return nil
}

// answer counts an answer; done says that the last one ends the wait.
func (c *controller) answer(in crmipc.Incoming, done bool) {
	if in.XML.Name == "ack" {
		return
	}
	if c.waiting--; c.waiting == 0 && done {
		c.p.out.Info("... got reply (done)")
	} else {
		c.p.out.Info("... got reply")
	}
	c.p.out.Flush()
}

// look takes answers that are there already.
func (c *controller) look() {
	for {
		ctx, cancel := context.WithTimeout(c.p.ctx, time.Millisecond)
		in, err := c.conn.Next(ctx)
		cancel()
		if err != nil {
			return
		}
		c.answer(in, false)
	}
}

// viaController carries out --cleanup, --refresh and --fail.
func (p *program) viaController() error {
	c, err := p.talk()
	if err != nil {
		return err
	}
	if c != nil {
		defer c.conn.Close()
	}
	switch {
	case p.o.command == fail:
		rc := p.operate(c, true, *p.o.node, text(p.o.id))
		if rc != pcmk.OK {
			return failed(rc)
		}
	case p.rsc == nil && p.o.command == refresh:
		if err := p.refreshAll(c); err != nil {
			return err
		}
	case p.rsc == nil:
		if err := p.cleanupAll(c); err != nil {
			return err
		}
	default:
		r := p.rsc
		if !p.o.force {
			r = r.Top()
		}
		if p.forget(c, r, text(p.o.node)) != pcmk.OK {
			return nil // what went wrong was told; the original's status is good
		}
		if !p.out.Quiet {
			p.check(r, p.node)
		}
	}
	return c.wait()
}

func (p *program) refreshAll(c *controller) error {
	router, remote := "", false
	if n := p.node; n != nil {
		router = n.Name
		if n.IsGuest() || n.IsRemote() {
			at := n.RemoteRsc.Current()
			if at == nil {
				return failedWith(pcmk.RC(unix.ENXIO), "No cluster connection to Pacemaker Remote node %s detected", n.Name)
			}
			router, remote = at.Name, true
		}
	}
	target := text(p.o.node)
	shown := target
	if shown == "" {
		shown = "all nodes"
	}
	if c == nil {
		p.out.Info("Dry run: skipping clean-up of " + shown + " due to CIB_file")
		return nil
	}
	rc := p.clearFailures(target, "", remote)
	data := xmltree.New("data_for_probe_again")
	setIf(data, "on_node", target)
	if !strings.EqualFold(router, target) {
		setIf(data, "router_node", router)
	}
	c.send("probe_again", router, data)
	if rc != pcmk.OK {
		return failed(rc)
	}
	return nil
}

func (p *program) clearFailures(node, rsc string, remote bool) pcmk.RC {
	m := wire.Message{Value: wire.Value{Task: wire.ClearFailure, Host: attrdclient.Target(node), Remote: remote}, Resource: rsc}
	if p.o.command == cleanup {
		m.Operation, m.Interval = text(p.o.operation), text(p.o.interval)
	}
	err := attrdclient.Send(p.ctx, p.env.Name, m)
	if err == nil {
		return pcmk.OK
	}
	if rc, ok := err.(pcmk.RC); ok {
		return rc
	}
	return pcmk.RC(crmipc.ErrnoOf(err))
}

// cleanupAll forgets the failures of all resources (cli_cleanup_all).
func (p *program) cleanupAll(c *controller) error {
	name := text(p.o.node)
	shown := name
	if shown == "" {
		shown = "all nodes"
	}
	if c == nil {
		p.out.Info("Dry run: skipping clean-up of " + shown + " due to CIB_file")
		return nil
	}
	remote := p.node != nil && (p.node.IsGuest() || p.node.IsRemote())
	if rc := p.clearFailures(name, "", remote); rc != pcmk.OK {
		p.out.Errf("Unable to clean up all failures on %s: %s", shown, rc.Error())
		return failed(rc)
	}
	for _, n := range p.c.Nodes {
		if p.node != nil && n != p.node {
			continue
		}
		if rc := p.forgetFailed(c, n.Name, ""); rc != pcmk.OK {
			p.out.Errf("Cleaned all resource failures on %s, but unable to clean history: %s", shown, rc.Error())
			return failed(rc)
		}
	}
	p.out.Info("Cleaned up all resources on " + shown)
	return nil
}

// forget lets the cluster forget failures (--cleanup) or the history (--refresh) of
// a resource and all in it, on a node or where it is known (cli_resource_delete).
func (p *program) forget(c *controller, r *model.Resource, node string) pcmk.RC {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			if rc := p.forget(c, k, node); rc != pcmk.OK {
				return rc
			}
		}
		return pcmk.OK
	}
	if node == "" {
		for _, n := range p.places(r) {
			if n.Online {
				if rc := p.forget(c, r, n.Name); rc != pcmk.OK {
					return rc
				}
			}
		}
		return pcmk.OK
	}
	n := p.c.Node(node)
	switch {
	case n == nil:
		p.out.Errf("Unable to clean up %s because node %s not found", r.ID, node)
		return pcmk.RC(unix.ENODEV)
	case n.NoDiscovery:
		p.out.Errf("Unable to clean up %s because resource discovery disabled on %s", r.ID, node)
		return pcmk.RC(unix.EOPNOTSUPP)
	case c == nil:
		p.out.Errf("Dry run: skipping clean-up of %s on %s due to CIB_file", r.ID, node)
		return pcmk.OK
	}
	name := r.ID
	if r.CloneName != "" {
		name = r.CloneName
	}
	if !r.Is(model.Unique) {
		name = model.BaseName(name)
	}
	if rc := p.clearFailures(n.Name, name, n.IsGuest() || n.IsRemote()); rc != pcmk.OK {
		p.out.Errf("Unable to clean up %s failures on %s: %s", r.ID, node, rc.Error())
		return rc
	}
	rc := pcmk.OK
	if p.o.command == cleanup {
		rc = p.forgetFailed(c, node, r.ID)
	} else {
		rc = p.operate(c, false, node, r.ID)
	}
	if rc != pcmk.OK {
		p.out.Errf("Cleaned %s failures on %s, but unable to clean history: %s", r.ID, node, rc.Error())
	} else {
		p.out.Infof("Cleaned up %s on %s", r.ID, node)
	}
	return rc
}

// places are the nodes where a resource is known, or else where it could be, in the
// order of the original's tables.
func (p *program) places(r *model.Resource) (out []*model.Node) {
	var names []string
	by := map[string]*model.Node{}
	add := func(n *model.Node) { names = append(names, n.ID); by[n.ID] = n }
	switch {
	case r.Known.Len() > 0:
		for _, n := range p.c.Nodes {
			if r.Known.Has(n) {
				add(n)
			}
		}
	case p.o.force:
		for i := len(p.c.Nodes) - 1; i >= 0; i-- {
			out = append(out, p.c.Nodes[i])
		}
		return out
	default:
		for w := range r.Allowed.All {
			if !r.ExclusiveDiscover || w.Score >= 0 {
				add(w.Node)
			}
		}
	}
	order := model.HashOrder(names)
	for i := len(order) - 1; i >= 0; i-- { // g_hash_table_get_values prepends
		out = append(out, by[names[order[i]]])
	}
	return out
}

// forgetFailed lets the cluster forget the history of those resources that have
// failures on a node; id narrows it to one (clear_rsc_failures).
func (p *program) forgetFailed(c *controller, node, id string) pcmk.RC {
	interval, _ := iso8601.IntervalMS(text(p.o.interval))
	var names []string
	seen := map[string]bool{}
	for _, o := range p.c.Failed {
		if !strings.EqualFold(o.Node.Name, node) || o.Rsc == nil {
			continue
		}
		if id != "" {
			r := findResource(p.c.Resources, o.Rsc.ID, anonymous)
			if r == nil || !strings.EqualFold(r.ID, id) {
				continue
			}
		}
		if p.o.operation != nil && (!strings.EqualFold(*p.o.operation, o.Task) || o.IntervalText != strconv.Itoa(int(interval))) {
			continue
		}
		if !seen[o.Rsc.ID] {
			seen[o.Rsc.ID] = true
			names = append(names, o.Rsc.ID)
		}
	}
	for _, i := range model.HashOrder(names) {
		if rc := p.operate(c, false, node, names[i]); rc != pcmk.OK {
			return rc
		}
	}
	return pcmk.OK
}

// operate asks the controller to fail a resource, or to forget it (send_lrm_rsc_op).
func (p *program) operate(c *controller, doFail bool, node, id string) pcmk.RC {
	r := p.c.Find(id)
	switch {
	case r == nil:
		p.out.Errf("Resource %s not found", id)
		return pcmk.RC(unix.ENXIO)
	case r.Variant != model.Primitive:
		p.out.Errf("We can only process primitive resources, not %s", id)
		return pcmk.RC(unix.EINVAL)
	case r.Class == "" || r.Type == "":
		p.out.Errf("Resource %s does not have a class and type", id)
		return pcmk.RC(unix.EINVAL)
	}
	n, router, cibOnly := p.c.Node(node), node, false
	switch {
	case n == nil:
		p.out.Errf("Node %s not found", node)
		return pcmk.RCNodeUnknown
	case !n.Online && doFail:
		p.out.Errf("Node %s is not online", node)
		return pcmk.RC(unix.ENOTCONN)
	case !n.Online:
		cibOnly = true
	case n.IsGuest() || n.IsRemote():
		at := n.RemoteRsc.Current()
		if at == nil {
			p.out.Errf("No cluster connection to Pacemaker Remote node %s detected", node)
			return pcmk.RC(unix.ENOTCONN)
		}
		router = at.Name
	}
	data := xmltree.New("rsc_op", attrs("transition-key", fmt.Sprintf("%d:0:0:xxxxxxxx-xrsc-opxx-xcrm-resourcexxxx", os.Getpid()), "on_node", node)...)
	if !strings.EqualFold(router, node) {
		data.Set("router_node", router)
	}
	if cibOnly {
		data.Set("mode", "cib")
	}
	x := data.AddNew("primitive")
	if r.CloneName != "" {
		x.Set("id", r.CloneName)
		x.Set("long-id", r.ID)
	} else {
		x.Set("id", r.ID)
	}
	x.Set("class", r.Class)
	if r.HasProv {
		x.Set("provider", r.Prov)
	}
	x.Set("type", r.Type)
	data.AddNew("attributes", attrs("crm_feature_set", pcmk.FeatureSet, "CRM_meta_timeout", "60000")...)
	task := "lrm_delete"
	if doFail {
		task = "lrm_fail"
	}
	rc := c.send(task, router, data)
	if rc == pcmk.OK && !doFail {
		c.look()
	}
	return rc
}

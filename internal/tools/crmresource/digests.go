package crmresource

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// digests shows what the parameters of a resource hash to on a node
// (pcmk_resource.c: pcmk__resource_digests).
func (p *program) digests() error {
	r := p.rsc
	if r.Variant != model.Primitive {
		return failed(pcmk.RC(unix.EOPNOTSUPP))
	}
	d := plan.Parameters{Rsc: r, Node: p.node, Op: bestOp(p.c.Histories[p.node.Name], r.ID), Overrides: map[string]string{}, Task: model.Start}
	for _, kv := range p.o.rest {
		name, value := override(kv)
		d.Overrides[name] = value
	}
	if d.Op != nil && d.Op.HasTask {
		d.Task, d.Interval = d.Op.Task, d.Op.IntervalMS
	}
	all, secure, restart := d.Digests()
	if p.out.Format == pcmkout.XML {
		x := p.out.Node("digests", "resource", r.ID, "node", p.node.Name, "task", d.Task, "interval", fmt.Sprintf("%dms", d.Interval))
		x.AddNew("digest", attrs("type", "all", "hash", all)...).Add(d.Element(d.All))
		x.AddNew("digest", attrs("type", "nonprivate", "hash", secure)...).Add(d.Element(d.Secure))
		if restart != "" {
			x.AddNew("digest", attrs("type", "nonreloadable", "hash", restart)...).Add(d.Element(d.Restart))
		}
		return nil
	}
	what := d.Task + " action"
	switch {
	case d.Interval != 0:
		what = fmt.Sprintf("%dms-interval %s action", d.Interval, d.Task)
	case d.Task == model.Monitor:
		what = "probe action"
	}
	p.out.Begin("Digests for " + r.ID + " " + what + " on " + p.node.Name)
	p.out.Item("", all+" (all parameters)")
	p.out.Item("", secure+" (non-private parameters)")
	if restart != "" {
		p.out.Item("", restart+" (non-reloadable parameters)")
	}
	p.out.End()
	return nil
}

// override is NAME=VALUE of the command line; the value ends at a blank, as in the original.
func override(kv string) (name, value string) {
	name, value, _ = strings.Cut(kv, "=")
	if f := strings.Fields(value); len(f) > 0 {
		value = f[0]
	}
	return name, value
}

// bestOp is the recorded operation that tells most about the parameters in use, nil
// if there is none (pcmk_resource.c: best_op).
func bestOp(histories []*model.History, rsc string) (best *model.HistoryOp) {
	effective := func(o *model.HistoryOp) bool {
		if o.IntervalMS != 0 {
			return false
		}
		switch strings.ToLower(o.Task) {
		case model.Monitor, model.Start, model.Promote, model.MigrateFrom:
			return true
		}
		return false
	}
	failure := func(o *model.HistoryOp) bool { return strings.HasSuffix(o.ID, "_last_failure_0") }
	for _, h := range histories {
		if h.ID != rsc {
			continue
		}
		for _, o := range h.Ops {
			switch {
			case best == nil:
			case effective(best) && !effective(o),
				!effective(best) && best.IntervalMS != 0 && !effective(o) && o.IntervalMS == 0,
				!failure(best) && failure(o),
				best.HasRestartDigest && !o.HasRestartDigest,
				unpack.Newer(best, o):
				continue
			}
			best = o
		}
		break
	}
	return best
}

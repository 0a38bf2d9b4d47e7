package crmresource

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/pengine/model"
)

// Times of waiting (crm_resource_runtime.c).
const (
	waitPause   = 2 * time.Second
	waitLongest = time.Hour // unless --timeout says otherwise
)

// version of the DC with which a simulation surely agrees.
const dcVersion = "2.1.5-a3f44794f94"

// wait waits until the scheduler has nothing left to do (wait_till_stable).
func (p *program) wait() error {
	limit := waitLongest
	if p.o.timeoutMS > 0 {
		limit = time.Duration((p.o.timeoutMS+999)/1000) * time.Second
	}
	until := time.Now().Add(limit)
	warned := p.out.Quiet
	for {
		if !time.Now().Before(until) {
			p.pending()
			return failed(pcmk.RC(unix.ETIME))
		}
		time.Sleep(min(waitPause, max(time.Until(until), 0)))
		p.now = time.Now()
		if err := p.load(); err != nil {
			return err
		}
		p.r.Schedule(0)
		if v := p.c.Opt.All["dc-version"]; !warned && !strings.EqualFold(v, dcVersion) && !strings.HasPrefix(v, "2.1.5-") {
			p.out.Info("warning: wait option may not work properly in mixed-version cluster")
			p.out.Flush()
			warned = true
		}
		if len(p.toDo()) == 0 {
			return nil
		}
	}
}

// toDo are the actions that the cluster would carry out now.
func (p *program) toDo() (out []*model.Action) {
	if p.c == nil {
		return nil
	}
	for _, a := range p.c.Actions {
		if !a.Is(model.Optional) && !a.Is(model.Pseudo) && a.Is(model.Runnable) && a.Task != model.NotifyTask {
			out = append(out, a)
		}
	}
	return out
}

func (p *program) pending() {
	p.out.Info("Pending actions:")
	for _, a := range p.toDo() {
		if a.Node != nil {
			p.out.Infof("\tAction %d: %s\ton %s", a.ID, a.Key, a.Node.Name)
		} else {
			p.out.Infof("\tAction %d: %s", a.ID, a.Key)
		}
	}
}

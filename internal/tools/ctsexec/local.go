package ctsexec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	fence "github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/service"
)

// local makes the calls that need no executor: agents are asked directly.
func (t *tester) local() pcmk.Exit {
	o, r := t.o, service.Default()
	defer r.Systemd.Close()
	var list []string
	what, kind := "", ""
	switch strings.ToLower(*o.call) {
	case "metadata":
		text, err := metadata(r, o)
		if err != nil {
			t.print("API-CALL FAILURE for '%s' api_rc:%d", *o.call, legacy(err))
			return pcmk.ExitError
		}
		t.print("%s", text)
		return t.good()
	case "list_agents":
		what, kind = "agents", "agents"
		if !strings.EqualFold(o.text(o.class), "stonith") {
			list = r.Agents(o.text(o.class), o.text(o.provider))
		}
		if o.class == nil || strings.EqualFold(*o.class, "stonith") {
			fences, _ := new(fence.Runner).List()
			list = append(list, fences...)
		}
	case "list_ocf_providers":
		what, kind = "providers", "providers"
		for _, p := range r.Providers("ocf") {
			if o.typ == nil || slices.ContainsFunc(r.Agents("ocf", p), func(a string) bool { return strings.EqualFold(a, *o.typ) }) {
				list = append(list, p)
			}
		}
	case "list_standards":
		what, kind = "standards", "providers" // the original's text says providers
		list = r.Standards()
		if fences, _ := new(fence.Runner).List(); len(fences) > 0 {
			list = append(list, "stonith")
		}
	}
	if len(list) == 0 {
		t.print("API_CALL FAILURE - no %s found", kind)
		t.print("API-CALL FAILURE for '%s' api_rc:%d", *o.call, -1)
		return pcmk.ExitError
	}
	t.print("%d %s found", len(list), what)
	for _, s := range list {
		t.print("%s", s)
	}
	return t.good()
}

func (t *tester) good() pcmk.Exit {
	t.print("API-CALL SUCCESSFUL for '%s'", *t.o.call)
	return pcmk.ExitOK
}

func metadata(r *service.Runner, o *options) (string, error) {
	if o.class == nil || o.typ == nil {
		return "", pcmk.RC(syscall.EINVAL)
	}
	if strings.EqualFold(*o.class, "stonith") {
		n, err := new(fence.Runner).Metadata(context.Background(), *o.typ, fence.MetadataTimeout)
		if err != nil {
			return "", fmt.Errorf("%w: %w", pcmk.RC(syscall.EIO), err)
		}
		fence.Complete(n)
		return string(n.AppendPacemaker(nil, xmltree.TextOptions{})), nil
	}
	text, err := r.Metadata(agent.Action{Class: *o.class, Provider: o.text(o.provider), Type: *o.typ})
	switch {
	case errors.Is(err, service.ErrNoAgent):
		return "", pcmk.RC(syscall.EINVAL)
	case err != nil:
		return "", pcmk.RC(syscall.EIO)
	}
	return text, nil
}

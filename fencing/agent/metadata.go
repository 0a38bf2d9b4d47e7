package agent

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// md5sum is the sum that cibsecret writes beside a secret.
func md5sum(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// MetadataTimeout is what the fencer gives an agent to describe itself.
const MetadataTimeout = 10 * time.Second

// Metadata asks an agent to describe itself. The error wraps the result's
// return code.
func (r *Runner) Metadata(ctx context.Context, agent string, limit time.Duration) (*xmltree.Node, error) {
	run := device.Run{Agent: agent, Action: "metadata", Params: []wire.Pair{{Name: "action", Value: "metadata"}}, Timeout: limit, Retries: 2}
	if agent == ipmiAgent && !r.Installed(agent) {
		return ipmiMetadata(), nil
	}
	res, _ := r.Run(ctx, run, nil)
	if !res.OK() {
		return nil, fmt.Errorf("metadata of %s: %s, exit status %d: %w", agent, res.Text(), res.Exit, res.RC())
	}
	return ReadMetadata(res.Output)
}

// ReadMetadata reads an agent's description.
func ReadMetadata(text string) (*xmltree.Node, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("no metadata")
	}
	n, err := xmltree.ParseString(text, xmltree.Limits{Bytes: maxOutput})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return n, nil
}

// Limits of what a description may hold; agents have less than a hundred.
const (
	maxActions = 1024
)

// Describe takes from a description what the fencer needs
// (read_action_metadata, stonith__device_parameter_flags).
func Describe(n *xmltree.Node) *device.Metadata {
	m := &device.Metadata{}
	n.Find(func(e *xmltree.Node) bool {
		switch e.Name {
		case "action":
			if len(m.Actions) < maxActions {
				m.Actions = append(m.Actions, device.Action{
					Name: e.Attr("name"), Automatic: isTrue(e.Attr("automatic")) || isTrue(e.Attr("required")), OnTarget: isTrue(e.Attr("on_target")),
				})
			}
		case "parameter":
			name := e.Attr("name")
			m.Port = m.Port || strings.EqualFold(name, "port")
			m.Plug = m.Plug || strings.EqualFold(name, "plug")
			m.NodeID = m.NodeID || name == "nodeid"
		}
		return false
	})
	return m
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}

// Complete adds to a description what the cluster itself provides, as users see
// it: the actions start and stop, and no parameter that it sets is required
// (stonith__rhcs_get_metadata).
func Complete(n *xmltree.Node) {
	var actions *xmltree.Node
	stop := false
	n.Find(func(e *xmltree.Node) bool {
		if e.Name == "actions" && actions == nil {
			actions = e
		}
		stop = stop || e.Name == "action" && e.Attr("name") == "stop"
		return false
	})
	if !stop && actions != nil {
		for _, name := range [...]string{"stop", "start"} {
			actions.AddNew("action", xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "timeout", Value: "20s"})
		}
	}
	for _, name := range [...]string{"action", "plug", "port"} {
		p := n.Find(func(e *xmltree.Node) bool { return e.Name == "parameter" && e.Attr("name") == name })
		if p != nil {
			p.Set("required", "0")
		}
	}
}

// Validate has an agent check parameters, the cluster's own left out. A target
// is invented, because agents may ask for one (stonith_api_validate).
func (r *Runner) Validate(ctx context.Context, agent string, params []wire.Pair, limit time.Duration) wire.Result {
	if !r.Installed(agent) {
		return wire.Result{Exit: int(pcmk.ExitNotInstalled), Status: pcmk.ExecNotInstalled, Stderr: "Agent " + agent + " not found"}
	}
	begin, host := time.Now(), ""
	own := make([]wire.Pair, 0, len(params))
	for _, p := range params {
		if p.Name == "pcmk_host_argument" {
			host = p.Value
		}
		if !device.ClusterParam(p.Name) {
			own = append(own, p)
		}
	}
	if host == "" {
		if n, err := r.Metadata(ctx, agent, limit); err == nil {
			m := Describe(n)
			switch {
			case m.Port:
				host = "port"
			case m.Plug:
				host = "plug"
			}
		}
	} else if strings.EqualFold(host, "none") {
		host = ""
	}
	limit -= time.Since(begin).Truncate(time.Second)
	if limit <= 0 {
		return wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, "")
	}
	run := device.Run{Agent: agent, Action: "validate-all", Timeout: limit, Retries: 1}
	run.Params = device.Args(agent, run.Action, "node1", "node1", 0, own, host)
	res, _ := r.Run(ctx, run, nil)
	return res
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	ipmi "github.com/pacesync/pacesync/ipmi/client"
)

// ipmiAgent is the agent that this package also is itself.
const ipmiAgent = "fence_ipmilan"

// maxIPMI bounds the devices whose client is kept; a cluster has one per node.
const maxIPMI = 256

// ipmiCache keeps one client for each set of parameters: it remembers refused
// passwords, so that no BMC locks its account because of retries.
type ipmiCache struct {
	mu      sync.Mutex
	clients map[string]*ipmi.Client
}

func (c *ipmiCache) get(o ipmi.Options) (*ipmi.Client, error) {
	key := o
	key.Trace = nil
	name := fmt.Sprintf("%+v", key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl := c.clients[name]; cl != nil {
		return cl, nil
	}
	cl, err := ipmi.New(o)
	if err != nil {
		return nil, err
	}
	if c.clients == nil || len(c.clients) >= maxIPMI {
		c.clients = map[string]*ipmi.Client{}
	}
	c.clients[name] = cl
	return cl, nil
}

// inert says whether a parameter changes nothing here: what the cluster adds,
// what is about logs, and about how fence_ipmilan calls ipmitool.
func inert(name string) bool {
	switch name {
	case "action", "nodename", "nodeid", "plug", "port", "quiet", "verbose", "verbose_level", "debug", "debug_file",
		"plug_separator", "separator", "disable_timeout", "ipmitool_path", "login_timeout", "shell_timeout", "sudo", "use_sudo", "sudo_path":
		return true
	}
	return false
}

// runIPMI does an action in process. ok is false when it asks for something that
// only the agent itself can do, and the agent is there to do it.
func (r *Runner) runIPMI(ctx context.Context, run device.Run, limit time.Duration) (res wire.Result, ok bool) {
	params, action := map[string]string{}, run.Action
	for _, p := range run.Params {
		params[p.Name] = p.Value
		if p.Name == "action" {
			action = p.Value
		}
	}
	if action == "metadata" {
		if r.Installed(ipmiAgent) {
			return res, false
		}
		return wire.Result{Output: string(ipmiMetadata().AppendIndent(nil))}, true
	}
	if params["target"] != "" || params["passwd_script"] != "" || params["password_script"] != "" {
		return r.refuse(errors.New("target and password_script need the agent fence_ipmilan, which is not installed"))
	}
	o, ignored, err := ipmi.Parse(params)
	if err != nil {
		return wire.Failure(pcmk.ExitError, pcmk.ExecDone, err.Error()), true
	}
	for _, name := range ignored {
		if !inert(name) {
			return r.refuse(fmt.Errorf("parameter %s needs the agent fence_ipmilan, which is not installed", name))
		}
	}
	o.Trace = func(format string, args ...any) { r.log(7, run.Device+": "+format, args...) }
	cl, err := r.ipmi.get(o)
	if err != nil {
		return wire.Failure(pcmk.ExitError, pcmk.ExecDone, err.Error()), true
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.ipmiAction(ctx, cl, run, action, limit)
}

// refuse leaves an action to the agent, if it is installed.
func (r *Runner) refuse(why error) (wire.Result, bool) {
	return wire.Failure(pcmk.ExitNotInstalled, pcmk.ExecNotInstalled, why.Error()), !r.Installed(ipmiAgent)
}

func (r *Runner) ipmiAction(ctx context.Context, cl *ipmi.Client, run device.Run, action string, limit time.Duration) (wire.Result, bool) {
	var err error
	switch action {
	case "off":
		err = cl.PowerOff(ctx)
	case "on":
		err = cl.PowerOn(ctx)
	case "reboot":
		var rb ipmi.Reboot
		if rb, err = cl.Fence(ctx); err == nil && rb.OnErr != nil {
			r.log(4, "%s: %s is off and could not be switched on again: %v", run.Device, run.Target, rb.OnErr)
		}
	case "status", "monitor":
		return r.ipmiStatus(ctx, cl, run, action, limit)
	case "list", "list-status":
		return wire.Result{Output: "N/A\n"}, true // as the agent: it has one machine
	case "validate-all":
		return wire.Done(), true
	default:
		return r.refuse(fmt.Errorf("action %s needs the agent fence_ipmilan, which is not installed", action))
	}
	return r.ipmiResult(ctx, err, run, limit), true
}

// Exit statuses of the action status.
const statusOff = 2

func (r *Runner) ipmiStatus(ctx context.Context, cl *ipmi.Client, run device.Run, action string, limit time.Duration) (wire.Result, bool) {
	s, err := cl.Status(ctx)
	res := r.ipmiResult(ctx, err, run, limit)
	if err != nil || action == "monitor" {
		return res, true
	}
	res.Output = "Status: ON\n"
	if !s.On {
		res.Output, res.Exit = "Status: OFF\n", statusOff
	}
	return res, true
}

// ipmiResult is the outcome as an agent would have it, and the reason as no
// agent gives it.
func (r *Runner) ipmiResult(ctx context.Context, err error, run device.Run, limit time.Duration) wire.Result {
	if err == nil {
		return wire.Done()
	}
	r.log(4, "%s (%s) '%s'%s: %v", run.Device, ipmiAgent, run.Action, targeting(run.Target), err)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, fmt.Sprintf("Fence agent did not complete within %s: %v", interval(limit), err))
	}
	return wire.Result{Exit: int(pcmk.ExitError), Status: pcmk.ExecDone, Reason: err.Error(), Stderr: err.Error()}
}

func targeting(target string) string {
	if target == "" {
		return ""
	}
	return " targeting " + target
}

// ipmiMetadata describes what this package does as fence_ipmilan, for nodes
// without the agent.
func ipmiMetadata() *xmltree.Node {
	n := xmltree.New("resource-agent", xmltree.Attr{Name: "name", Value: ipmiAgent},
		xmltree.Attr{Name: "shortdesc", Value: "Fence agent for IPMI, built into the fencer"})
	n.AddNew("longdesc").Add(&xmltree.Node{Kind: xmltree.Text,
		Name: "Switches a machine's power through its BMC by IPMI 1.5 or 2.0, and reads the power state back."})
	ps := n.AddNew("parameters")
	for _, p := range [...]struct{ name, typ, value, desc string }{
		{"action", "string", "reboot", "Fencing action"},
		{"ip", "string", "", "Address of the BMC"},
		{"ipport", "integer", "623", "UDP port of the BMC"},
		{"username", "string", "", "Login name"},
		{"password", "string", "", "Login password"},
		{"lanplus", "boolean", "0", "Use IPMI 2.0"},
		{"cipher", "string", "", "Cipher suite of IPMI 2.0; without it 17, then 3"},
		{"auth", "select", "", "Authentication of IPMI 1.5"},
		{"privlvl", "select", "administrator", "Privilege level"},
		{"hexadecimal_kg", "string", "", "Kg key in hexadecimal digits"},
		{"method", "select", "onoff", "How to reboot: onoff or cycle"},
		{"plug", "string", "", "Name of the machine, not used"},
		{"power_timeout", "second", "20", "Time for the power state to show after a command"},
		{"power_wait", "second", "2", "Time between a command and the first look"},
		{"stonith_status_sleep", "second", "1", "Time between two looks"},
		{"ipmitool_timeout", "second", "2", "Time to wait for an answer to a packet"},
		{"retry_on", "integer", "1", "Attempts to switch on"},
		{"delay", "second", "0", "Time to wait before fencing"},
	} {
		e := ps.AddNew("parameter", xmltree.Attr{Name: "name", Value: p.name}, xmltree.Attr{Name: "unique", Value: "0"}, xmltree.Attr{Name: "required", Value: "0"})
		c := e.AddNew("content", xmltree.Attr{Name: "type", Value: p.typ})
		if p.value != "" {
			c.Set("default", p.value)
		}
		e.AddNew("shortdesc", xmltree.Attr{Name: "lang", Value: "en"}).Add(&xmltree.Node{Kind: xmltree.Text, Name: p.desc})
	}
	as := n.AddNew("actions")
	for _, a := range [...]string{"on", "off", "reboot", "status", "monitor", "metadata", "validate-all"} {
		as.AddNew("action", xmltree.Attr{Name: "name", Value: a})
	}
	return n
}

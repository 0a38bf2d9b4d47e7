package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/ipmi/bmctest"
	ipmiwire "github.com/pacesync/pacesync/ipmi/wire"
)

// install writes an agent into a folder of its own.
func install(t *testing.T, name, script string) *Runner {
	t.Helper()
	r := &Runner{Dir: t.TempDir(), Secrets: t.TempDir(), Log: func(_ int, format string, args ...any) { t.Logf(format, args...) }}
	if err := os.WriteFile(filepath.Join(r.Dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

func run(t *testing.T, r *Runner, x device.Run) wire.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if x.Agent == "" {
		x.Agent, x.Action, x.Device = "fence_t", "off", "dev"
	}
	if x.Timeout == 0 {
		x.Timeout = 10 * time.Second
	}
	res, _ := r.Run(ctx, x, nil)
	return res
}

func TestChild(t *testing.T) {
	r := install(t, "fence_t", "cat; echo oops >&2; exit 3")
	res := run(t, r, device.Run{Params: []wire.Pair{{Name: "action", Value: "off"}, {Name: "ip", Value: "a b"}}})
	if res.Output != "action=off\nip=a b\n" || res.Exit != 3 || res.Status != pcmk.ExecDone || res.Stderr != "oops\n" {
		t.Errorf("%+v", res)
	}
}

// TestTimeout: a child that takes too long ends with all its children, and is
// not tried again.
func TestTimeout(t *testing.T) {
	r := install(t, "fence_t", `echo x >> "$0.count"; sleep 60 & echo $! > "$0.pid"; wait`)
	begin := time.Now()
	res := run(t, r, device.Run{Timeout: 300 * time.Millisecond, Retries: 3})
	if res.Status != pcmk.ExecTimeout || res.Reason != "Fence agent did not complete within 0.3s" || time.Since(begin) > 5*time.Second {
		t.Errorf("%+v after %v", res, time.Since(begin))
	}
	b, _ := os.ReadFile(filepath.Join(r.Dir, "fence_t.pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(st), ") Z ") {
		t.Errorf("its child lives: %s", st)
	}
	if c, _ := os.ReadFile(filepath.Join(r.Dir, "fence_t.count")); len(c) != 2 {
		t.Errorf("attempts: %q", c)
	}
}

// TestRetry: a failure is tried again, as often as allowed.
func TestRetry(t *testing.T) {
	r := install(t, "fence_t", `echo x >> "$0.count"; [ $(wc -l < "$0.count") -ge 2 ]`)
	if res := run(t, r, device.Run{Retries: 2}); !res.OK() {
		t.Errorf("%+v", res)
	}
	r = install(t, "fence_t", `echo x >> "$0.count"; [ $(wc -l < "$0.count") -ge 2 ]`)
	if res := run(t, r, device.Run{Retries: 1}); res.OK() {
		t.Errorf("%+v", res)
	}
}

func TestMissing(t *testing.T) {
	r := &Runner{Dir: t.TempDir()}
	res := run(t, r, device.Run{})
	if res.Status != pcmk.ExecNotInstalled || !strings.Contains(res.Reason, "fence_t: No such file or directory") {
		t.Errorf("%+v", res)
	}
}

// TestSecrets: a value kept outside the CIB is read, if its sum is right.
func TestSecrets(t *testing.T) {
	r := install(t, "fence_t", "cat")
	dir := filepath.Join(r.Secrets, "dev")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	params := []wire.Pair{{Name: "password", Value: "lrm://"}}
	if res := run(t, r, device.Run{Params: params}); res.Status != pcmk.ExecNoSecrets {
		t.Errorf("%+v", res)
	}
	put("password", "geheim\n")
	put("password.sign", md5sum("geheim")+"\n")
	if res := run(t, r, device.Run{Params: params}); res.Output != "password=geheim\n" {
		t.Errorf("%+v", res)
	}
	put("password.sign", md5sum("other"))
	if res := run(t, r, device.Run{Params: params}); res.Status != pcmk.ExecNoSecrets {
		t.Errorf("%+v", res)
	}
}

const metadataText = `<?xml version="1.0"?><resource-agent name="fence_t"><parameters><parameter name="plug" required="1"/><parameter name="nodeid"/></parameters>
<actions><action name="on" automatic="1" on_target="1"/><action name="off"/><action name="list"/></actions></resource-agent>`

func TestDescribe(t *testing.T) {
	n, err := ReadMetadata(metadataText)
	if err != nil {
		t.Fatal(err)
	}
	m := Describe(n)
	want := []device.Action{{Name: "on", Automatic: true, OnTarget: true}, {Name: "off"}, {Name: "list"}}
	if !slices.Equal(m.Actions, want) || !m.Plug || m.Port || !m.NodeID {
		t.Errorf("%+v", m)
	}
	Complete(n)
	if s := n.String(); !strings.Contains(s, `<action name="start" timeout="20s"/>`) || !strings.Contains(s, `name="plug" required="0"`) {
		t.Error(s)
	}
}

// FuzzMetadata reads whatever an agent writes.
func FuzzMetadata(f *testing.F) {
	f.Add(metadataText)
	f.Add("<a><actions/><action/><parameter name='PORT'/></a>")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ReadMetadata(s)
		if err != nil {
			return
		}
		if m := Describe(n); len(m.Actions) > maxActions {
			t.Errorf("%d actions", len(m.Actions))
		}
		Complete(n)
		if _, err := xmltree.ParseString(n.String(), xmltree.Limits{}); err != nil {
			t.Error(err)
		}
	})
}

// machine is a BMC and the parameters of a device for it.
func machine(t *testing.T, password string) (*bmctest.Machine, []wire.Pair) {
	t.Helper()
	m := bmctest.NewMachine()
	b, err := bmctest.Listen("127.0.0.1:0", bmctest.Config{Users: []bmctest.Account{{Name: "admin", Password: "secret"}}, Switch: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return m, []wire.Pair{{Name: "ip", Value: "127.0.0.1"}, {Name: "ipport", Value: strconv.Itoa(b.Addr().Port)}, {Name: "username", Value: "admin"},
		{Name: "password", Value: password}, {Name: "lanplus", Value: "1"}, {Name: "power_wait", Value: "0"}, {Name: "stonith_status_sleep", Value: "0.01"},
		{Name: "plug", Value: "n1"}, {Name: "nodename", Value: "n1"}, {Name: "verbose", Value: "1"}}
}

// TestIPMI: each action in process, read back.
func TestIPMI(t *testing.T) {
	r := &Runner{Dir: t.TempDir()}
	m, params := machine(t, "secret")
	for _, c := range []struct {
		action string
		on     bool
		exit   int
		did    []ipmiwire.Control
	}{
		{"monitor", true, 0, nil},
		{"status", true, 0, nil},
		{"off", true, 0, []ipmiwire.Control{ipmiwire.ControlOff}},
		{"status", false, 2, nil},
		{"monitor", false, 0, nil},
		{"on", false, 0, []ipmiwire.Control{ipmiwire.ControlOn}},
		{"reboot", true, 0, []ipmiwire.Control{ipmiwire.ControlOff, ipmiwire.ControlOn}},
		{"list", true, 0, nil},
		{"nonsense", true, int(pcmk.ExitNotInstalled), nil},
	} {
		m.SetOn(c.on)
		before := len(m.Done())
		res := run(t, r, device.Run{Agent: ipmiAgent, Device: "dev", Action: c.action, Target: "n1", Params: append([]wire.Pair{{Name: "action", Value: c.action}}, params...)})
		if res.Exit != c.exit || !slices.Equal(m.Done()[before:], c.did) {
			t.Errorf("%s: %+v, did %v", c.action, res, m.Done()[before:])
		}
	}
	if n, err := r.Metadata(t.Context(), ipmiAgent, time.Second); err != nil || !Describe(n).Plug {
		t.Error(n, err)
	}
}

// TestIPMIErrors: the reason says what is wrong.
func TestIPMIErrors(t *testing.T) {
	r := &Runner{Dir: t.TempDir()}
	_, wrong := machine(t, "wrong")
	_, fine := machine(t, "secret")
	nobody := slices.Clone(fine)
	nobody[1].Value = "9"
	for _, c := range []struct {
		params []wire.Pair
		want   string
		status pcmk.ExecStatus
	}{
		{wrong, "password", pcmk.ExecDone},
		{append(nobody, wire.Pair{Name: "ipmitool_timeout", Value: "0.05"}), "no answer", pcmk.ExecDone},
		{append(slices.Clone(fine), wire.Pair{Name: "power_wait", Value: "x"}), "power_wait", pcmk.ExecDone},
		{append(slices.Clone(fine), wire.Pair{Name: "target", Value: "7"}), "not installed", pcmk.ExecNotInstalled},
		{append(slices.Clone(fine), wire.Pair{Name: "port_as_ip", Value: "1"}), "port_as_ip", pcmk.ExecNotInstalled},
	} {
		res := run(t, r, device.Run{Agent: ipmiAgent, Device: "dev", Action: "off", Target: "n1", Params: c.params, Retries: 1})
		if res.OK() || res.Status != c.status || !strings.Contains(res.Reason, c.want) || strings.Contains(res.Reason, "secret") {
			t.Errorf("%s: %+v", c.want, res)
		}
	}
}

// TestIPMILeftToAgent: what only the agent can do is left to it.
func TestIPMILeftToAgent(t *testing.T) {
	r := install(t, ipmiAgent, "echo the agent itself")
	_, params := machine(t, "secret")
	for _, p := range []wire.Pair{{Name: "target", Value: "7"}, {Name: "unheard_of", Value: "1"}} {
		if res := run(t, r, device.Run{Agent: ipmiAgent, Device: "dev", Action: "off", Params: append(slices.Clone(params), p)}); !strings.Contains(res.Output, "itself") {
			t.Errorf("%s: %+v", p.Name, res)
		}
	}
	if res := run(t, r, device.Run{Agent: ipmiAgent, Device: "dev", Action: "monitor", Params: params}); res.Output != "" {
		t.Errorf("%+v", res)
	}
}

func TestInterval(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 300 * time.Millisecond: "0.3s", 20 * time.Second: "20s", time.Minute: "1m", 3661 * time.Second: "1h1m1s", 25 * time.Hour: "1d1h"} {
		if got := interval(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

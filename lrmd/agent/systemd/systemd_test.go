package systemd

import (
	"context"
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
)

func TestUnit(t *testing.T) {
	for _, c := range []struct {
		name     string
		instance bool
		want     string
	}{
		{"nginx", false, "nginx.service"}, {"nginx.service", false, "nginx.service"}, {"x.socket", true, "x.socket"}, {"x.target", false, "x.target.service"},
		{"t@", true, "t@pacemaker.service"}, {"t@", false, "t@.service"}, {"t@.service", false, "t@pacemaker.service"}, {"t@3", true, "t@3.service"}, {"@.service", false, "@.service"},
	} {
		if got := Unit(c.name, c.instance); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.name, c.instance, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[string]agent.Result{
		"active": {}, "reloading": {}, "activating": {RC: pcmk.OCFUnknown, Status: pcmk.ExecPending}, "deactivating": {RC: pcmk.OCFUnknown, Status: pcmk.ExecPending},
		"inactive": {RC: pcmk.OCFNotRunning, Reason: "inactive"}, "failed": {RC: pcmk.OCFNotRunning, Reason: "failed"},
	} {
		if got := stateResult(state); got != want {
			t.Errorf("%s: %+v, want %+v", state, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	m := &Manager{}
	missing := dbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit"}
	for _, c := range []struct {
		action string
		err    error
		want   agent.Result
	}{
		{"start", missing, agent.Result{RC: pcmk.OCFNotInstalled, Status: pcmk.ExecNotInstalled, Reason: "systemd unit u not found"}},
		{"stop", missing, agent.Result{}},
		{"start", dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied"}, agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: "why"}},
		{"start", context.DeadlineExceeded, agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecTimeout, Reason: "start action for systemd unit u did not complete in time"}},
		{"monitor", errors.New("x"), agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: "why"}},
	} {
		r := m.Start(agent.Action{Rsc: "r", Type: "u", Name: c.action})
		if got := r.refused(c.err, "why"); got != c.want {
			t.Errorf("%s %v: %+v, want %+v", c.action, c.err, got, c.want)
		}
	}
}

// Without a bus an operation fails; it never looks like a unit that is stopped.
func TestNoBus(t *testing.T) {
	m := &Manager{Dial: func() (*dbus.Conn, error) { return nil, errors.New("no bus") }}
	for _, action := range []string{"start", "stop", "monitor"} {
		got := m.Start(agent.Action{Rsc: "r", Type: "u", Name: action}).Do()
		if want := (agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: "No DBus connection", Class: "systemd"}); got != want {
			t.Errorf("%s: %+v, want %+v", action, got, want)
		}
	}
	if m.Exists("u") || m.Agents() != nil {
		t.Error("units without a bus")
	}
}

func TestDropIn(t *testing.T) {
	m := &Manager{Dir: "/d"}
	for name, want := range map[string]string{"nginx": "/d/nginx.service.d", "a@1": "/d/a@1.service.d", "x.socket": "/d/x.socket.d", "y.service": "/d/y.service.d"} {
		if got := m.dropInDir(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

package service

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/systemd"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// runner has agents of its own, no bus and no secrets but r1's.
func runner(t *testing.T, files map[string]string) *Runner {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		mode := os.FileMode(0o755)
		if filepath.Base(filepath.Dir(name)) == "plain" {
			mode = 0o644
		}
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return &Runner{OCFPath: dir + "/ocf", LSBDir: dir + "/init.d", NagiosDir: dir + "/nagios", Secrets: dir + "/secrets", Env: os.Environ(),
		Systemd: &systemd.Manager{Dial: func() (*dbus.Conn, error) { return nil, errors.New("no bus") }}}
}

func TestRun(t *testing.T) {
	r := runner(t, map[string]string{
		"ocf/p/T":           "#!/bin/sh\necho \"$1 $OCF_RESKEY_passwd\"; echo 'ocf-exit-reason:so' >&2; exit 6\n",
		"ocf/plain/T":       "#!/bin/sh\n",
		"init.d/L":          "#!/bin/sh\n[ $1 = status ] && exit 3; exit 0\n",
		"secrets/r1/passwd": "top\n", "secrets/r1/passwd.sign": "b28354b543375bfa94dabaeda722927f\n",
		"secrets/r2/passwd": "top\n", "secrets/r2/passwd.sign": "0\n",
	})
	secret := wire.Params{{Name: "passwd", Value: "lrm://"}}
	for _, c := range []struct {
		name string
		a    agent.Action
		want agent.Result // without what differs: PID and Stderr
	}{
		{"an OCF agent with a secret", agent.Action{Rsc: "r1", Class: "ocf", Provider: "p", Type: "T", Name: "start", Params: secret},
			agent.Result{RC: 6, Exit: 6, Reason: "so", Stdout: "start top\n", Class: "ocf"}},
		{"a secret that was changed", agent.Action{Rsc: "r2", Class: "ocf", Provider: "p", Type: "T", Name: "start", Params: secret},
			agent.Result{RC: 2, Exit: 2, Reason: "Unable to load CIB secrets", Class: "ocf"}},
		{"a stop goes on without", agent.Action{Rsc: "r2", Class: "ocf", Provider: "p", Type: "T", Name: "stop", Params: secret},
			agent.Result{RC: 6, Exit: 6, Reason: "so", Stdout: "stop lrm://\n", Class: "ocf"}},
		{"no such agent", agent.Action{Rsc: "r", Class: "OCF", Provider: "p", Type: "no", Name: "start"},
			agent.Result{RC: 5, Status: pcmk.ExecNotInstalled, Reason: "no: No such file or directory", Class: "ocf", Final: true}},
		{"no provider", agent.Action{Rsc: "r", Class: "ocf", Type: "T", Name: "start"},
			agent.Result{RC: 1, Status: pcmk.ExecErrorFatal, Reason: "Required agent or action information missing", Class: "ocf", Final: true}},
		{"not executable", agent.Action{Rsc: "r", Class: "ocf", Provider: "plain", Type: "T", Name: "start"},
			agent.Result{RC: 4, Exit: 4, Reason: "Child process was unable to execute file", Class: "ocf"}},
		{"an init script", agent.Action{Rsc: "r", Class: "lsb", Type: "L", Name: "monitor"}, agent.Result{RC: 7, Exit: 3, Class: "lsb"}},
		{"class service", agent.Action{Rsc: "r", Class: "service", Type: "L", Name: "status"}, agent.Result{RC: 7, Exit: 3, Class: "lsb"}},
		{"class service without script or unit", agent.Action{Rsc: "r", Class: "service", Type: "M", Name: "start"},
			agent.Result{RC: 5, Status: pcmk.ExecNotInstalled, Reason: r.LSBDir + "/M: No such file or directory", Class: "lsb"}},
		{"an unknown class", agent.Action{Rsc: "r", Class: "heartbeat", Type: "X", Name: "start"},
			agent.Result{RC: 5, Status: pcmk.ExecNotInstalled, Reason: "X: No such file or directory", Class: "heartbeat", Final: true}},
	} {
		got := r.Start(c.a).Do()
		got.PID, got.Stderr = 0, ""
		if got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.name, got, c.want)
		}
	}
}

func TestLists(t *testing.T) {
	r := runner(t, map[string]string{"ocf/p/A": "", "ocf/q/B": "", "ocf/q/.hidden": "", "ocf/plain/C": "", "init.d/L": ""})
	for _, c := range []struct {
		got  []string
		want string
	}{
		{r.Providers("ocf"), "[p plain q]"}, {r.Agents("ocf", "q"), "[B]"}, {r.Agents("ocf", ""), "[A B]"}, {r.Agents("", ""), "[L A B]"},
		{r.Agents("service", ""), "[L]"}, {r.Agents("systemd", ""), "[]"}, {r.Standards(), "[ocf lsb service]"},
	} {
		if s := sprint(c.got); s != c.want {
			t.Errorf("%s, want %s", s, c.want)
		}
	}
}

func sprint(list []string) string {
	s := "["
	for i, x := range list {
		if i > 0 {
			s += " "
		}
		s += x
	}
	return s + "]"
}

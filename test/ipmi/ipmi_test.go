package ipmi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
	"github.com/pacesync/pacesync/ipmi/bmctest"
	"github.com/pacesync/pacesync/ipmi/client"
	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

const (
	ipmitool = "/usr/bin/ipmitool"
	ipmiSim  = "/usr/bin/ipmi_sim"
	fence    = "/usr/sbin/fence_ipmilan"
	python   = "/usr/bin/python3"
	pyghmi   = "/usr/lib/python3/dist-packages/pyghmi/ipmi/bmc.py"
)

// freePort is a UDP port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// start runs a BMC of others until the test ends.
func start(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", program, &out)
		}
	})
}

func options(t *testing.T, port int) client.Options {
	o := client.Defaults()
	o.Host, o.Port, o.User, o.Password = "127.0.0.1", port, "admin", "secret"
	o.Timeout, o.Retries, o.PowerWait = 500*time.Millisecond, 2, 0
	o.PowerTimeout, o.StatusInterval = 5*time.Second, 50*time.Millisecond
	o.Trace = t.Logf
	return o
}

func connect(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// up waits until a BMC answers.
func up(t *testing.T, o client.Options) {
	t.Helper()
	o.Timeout, o.Retries = 200*time.Millisecond, 0
	c := connect(t, o)
	testwait.For(t, 15*time.Second, "BMC answers", func() bool {
		_, err := c.Status(labtest.Context(t, 5*time.Second))
		return err == nil
	})
}

// drive takes a machine through off, on and a fencing, and reads it back each time.
func drive(t *testing.T, o client.Options) {
	t.Helper()
	c := connect(t, o)
	ctx := labtest.Context(t, 20*time.Second)
	look := func(want bool) {
		t.Helper()
		if s, err := c.Status(ctx); err != nil || s.On != want {
			t.Errorf("status %+v, %v; want on: %v", s, err, want)
		}
	}
	look(true)
	if err := c.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	look(false)
	if err := c.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	look(true)
	if r, err := c.Fence(ctx); err != nil || !r.Off || !r.On {
		t.Errorf("fence: %+v, %v", r, err)
	}
	if err := c.Reset(ctx); err != nil {
		t.Error(err)
	}
	look(true)
}

// refused wants an error of a kind.
func refused(t *testing.T, o client.Options, want error) {
	t.Helper()
	if _, err := connect(t, o).Status(labtest.Context(t, 10*time.Second)); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	} else {
		t.Log(err)
	}
}

// refusal is a way to log in that a BMC refuses, and the error of the client.
type refusal struct {
	change func(*client.Options)
	want   error
}

// judge has a foreign BMC judge our client: each way works, each mistake is recognised.
func judge(t *testing.T, o client.Options, ways map[string]func(*client.Options), mistakes map[string]refusal) {
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Trace = t.Logf
			change(&o)
			drive(t, o)
		})
	}
	for name, c := range mistakes {
		t.Run("refused "+name, func(t *testing.T) {
			o := o
			o.Trace, o.Timeout = t.Logf, 100*time.Millisecond
			c.change(&o)
			refused(t, o, c.want)
		})
	}
}

// pyghmiBMC is a BMC on pyghmi's classes: ARGV port user password.
const pyghmiBMC = `
import sys
import pyghmi.ipmi.bmc as bmc
class BMC(bmc.Bmc):
    state = 'on'
    def get_power_state(self): return self.state
    def power_off(self): self.state = 'off'
    def power_on(self): self.state = 'on'
    def power_cycle(self): return 0xd5 if self.state == 'off' else 0
    def power_reset(self): return 0xd5 if self.state == 'off' else 0
    def power_shutdown(self): self.state = 'off'
BMC({sys.argv[2]: sys.argv[3]}, port=int(sys.argv[1]), address='127.0.0.1').listen(3600)
`

func TestPyghmi(t *testing.T) {
	labtest.Need(t, python, pyghmi)
	dir, port := t.TempDir(), freePort(t)
	script := filepath.Join(dir, "bmc.py")
	if err := os.WriteFile(script, []byte(pyghmiBMC), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, dir, python, script, strconv.Itoa(port), "admin", "secret")
	o := options(t, port)
	o.Lanplus, o.Cipher = true, 3
	up(t, o)
	drive(t, o)
	auto := o // it answers a proposal of 17 with 3, which is among what we take
	auto.Cipher = 0
	drive(t, auto)
	only17 := o
	only17.Cipher = 17
	refused(t, only17, session.ErrCipher)
	wrong := o
	wrong.Password = "wrong"
	refused(t, wrong, session.ErrPassword)
	stranger := o
	stranger.User, stranger.Timeout = "stranger", 50*time.Millisecond
	refused(t, stranger, session.ErrUser)
}

// startSim runs OpenIPMI's BMC: users admin and, at level user, oper.
func startSim(t *testing.T) int {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	files := map[string]string{
		"conf": fmt.Sprintf(`name "sim"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 %d
  priv_limit admin
  allowed_auths_callback none md5 straight
  allowed_auths_user none md5 straight
  allowed_auths_operator none md5 straight
  allowed_auths_admin none md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
chassis_control "%s/chassis"
user 1 true "" "" user 10 none md5 straight
user 2 true "admin" "secret" admin 10 none md5 straight
user 3 true "oper" "operpw" user 10 none md5 straight
`, port, dir),
		"emu": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n",
		"chassis": `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>calls
case "$1 $2" in
"get power") echo "power:$(cat power 2>/dev/null || echo 1)" ;;
"set power") echo "$3" >power ;;
esac
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(dir, "calls"))
			t.Logf("chassis control: %s", b)
		}
	})
	start(t, dir, ipmiSim, "-c", filepath.Join(dir, "conf"), "-f", filepath.Join(dir, "emu"), "-s", dir, "-n")
	return port
}

func TestIpmiSim(t *testing.T) {
	labtest.Need(t, ipmiSim)
	o := options(t, startSim(t))
	up(t, o)
	judge(t, o, map[string]func(*client.Options){
		"1.5 auto":     func(o *client.Options) {},
		"1.5 md5":      func(o *client.Options) { o.Auth = wire.AuthMD5 },
		"1.5 password": func(o *client.Options) { o.Auth = wire.AuthPassword },
		"1.5 none":     func(o *client.Options) { o.Auth = wire.AuthNone },
		"2.0 suite 1":  func(o *client.Options) { o.Lanplus, o.Cipher = true, 1 },
		"2.0 suite 2":  func(o *client.Options) { o.Lanplus, o.Cipher = true, 2 },
		"2.0 suite 3":  func(o *client.Options) { o.Lanplus, o.Cipher = true, 3 },
		"2.0 auto":     func(o *client.Options) { o.Lanplus = true },
	}, map[string]refusal{
		"1.5 password":  {func(o *client.Options) { o.Password = "wrong" }, session.ErrPassword},
		"1.5 user":      {func(o *client.Options) { o.User = "stranger" }, session.ErrUser},
		"1.5 privilege": {func(o *client.Options) { o.User, o.Password = "oper", "operpw" }, session.ErrPrivilege},
		"2.0 password":  {func(o *client.Options) { o.Password, o.Lanplus, o.Cipher = "wrong", true, 3 }, session.ErrPassword},
		"2.0 user":      {func(o *client.Options) { o.User, o.Lanplus, o.Cipher = "stranger", true, 3 }, session.ErrUser},
		// In 2.0 ipmi_sim grants administrator to a user limited to less, to ipmitool as well.
		"2.0 suite": {func(o *client.Options) { o.Lanplus, o.Cipher = true, 17 }, session.ErrCipher},
	})
}

// TestGoIPMI has the only foreign BMC at hand that knows suite 17.
func TestGoIPMI(t *testing.T) {
	labtest.Need(t)
	program := filepath.Join(t.TempDir(), "goipmi")
	build := exec.Command("go", "build", "-C", "goipmi", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	port := freePort(t)
	start(t, t.TempDir(), program, strconv.Itoa(port), "admin", "secret")
	o := options(t, port)
	up(t, o)
	judge(t, o, map[string]func(*client.Options){
		"1.5 auto":     func(o *client.Options) {},
		"1.5 md5":      func(o *client.Options) { o.Auth = wire.AuthMD5 },
		"2.0 suite 3":  func(o *client.Options) { o.Lanplus, o.Cipher = true, 3 },
		"2.0 suite 17": func(o *client.Options) { o.Lanplus, o.Cipher = true, 17 },
		"2.0 auto":     func(o *client.Options) { o.Lanplus = true },
	}, map[string]refusal{
		"1.5 password":          {func(o *client.Options) { o.Password = "wrong" }, session.ErrPassword},
		"2.0 suite 3 password":  {func(o *client.Options) { o.Password, o.Lanplus, o.Cipher = "wrong", true, 3 }, session.ErrPassword},
		"2.0 suite 17 password": {func(o *client.Options) { o.Password, o.Lanplus, o.Cipher = "wrong", true, 17 }, session.ErrPassword},
		// It hides which users it knows.
		"2.0 suite 17 user": {func(o *client.Options) { o.User, o.Lanplus, o.Cipher = "stranger", true, 17 }, session.ErrPassword},
		"2.0 privilege": {func(o *client.Options) {
			o.User, o.Password, o.Lanplus, o.Cipher = "oper", "operpw", true, 17
		}, session.ErrPrivilege},
	})
}

// ours serves our BMC.
func ours(t *testing.T, cfg bmctest.Config) (*bmctest.Machine, string) {
	t.Helper()
	m := &bmctest.Machine{OffTime: 100 * time.Millisecond}
	m.SetOn(true)
	cfg.Switch, cfg.Users, cfg.Log = m, []bmctest.Account{{Name: "admin", Password: "secret"}}, func(s string) { t.Log(s) }
	b, err := bmctest.Listen("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return m, strconv.Itoa(b.Addr().Port)
}

func run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

func TestIpmitool(t *testing.T) {
	labtest.Need(t, ipmitool)
	for _, how := range []string{"-I lan", "-I lan -A PASSWORD", "-I lan -A NONE", "-I lanplus", "-I lanplus -C 3", "-I lanplus -C 17"} {
		t.Run(how, func(t *testing.T) {
			m, port := ours(t, bmctest.Config{Auth: []wire.AuthType{wire.AuthNone, wire.AuthMD5, wire.AuthPassword}})
			base := append(strings.Fields(how), "-N", "2", "-R", "2", "-H", "127.0.0.1", "-p", port, "-U", "admin", "-P", "secret", "chassis")
			tool := func(want string, args ...string) {
				t.Helper()
				out, err := run(t, ipmitool, append(base[:len(base):len(base)], args...)...)
				if err != nil || !strings.Contains(out, want) {
					t.Errorf("%v: %q, %v; want %q", args, out, err, want)
				}
			}
			tool("Chassis Power is on", "power", "status")
			tool("Down/Off", "power", "off")
			tool("System Power         : off", "status")
			tool("Up/On", "power", "on")
			tool("Reset", "power", "reset")
			tool("Cycle", "power", "cycle")
			tool("Chassis Power is o", "power", "status")
			testwait.For(t, 5*time.Second, "on again after the cycle", func() bool { return m.On(time.Now()) })
			tool("Soft", "power", "soft")
			want := []wire.Control{wire.ControlOff, wire.ControlOn, wire.ControlReset, wire.ControlCycle, wire.ControlSoft}
			if fmt.Sprint(m.Done()) != fmt.Sprint(want) {
				t.Errorf("executed %v, want %v", m.Done(), want)
			}
		})
	}
}

func TestIpmitoolIsRefused(t *testing.T) {
	labtest.Need(t, ipmitool)
	m, port := ours(t, bmctest.Config{Suites: []int{3}})
	for _, args := range []string{
		"-I lanplus -C 3 -U admin -P wrong", "-I lanplus -C 3 -U stranger -P secret", "-I lanplus -C 17 -U admin -P secret", "-I lan -U admin -P wrong",
	} {
		out, err := run(t, ipmitool, append(strings.Fields(args), "-N", "1", "-R", "1", "-H", "127.0.0.1", "-p", port, "chassis", "power", "off")...)
		if err == nil {
			t.Errorf("%s: %q", args, out)
		}
	}
	if len(m.Done()) > 0 {
		t.Errorf("executed %v", m.Done())
	}
}

// TestFenceIpmilan: the agent of the original stack fences through our BMC.
func TestFenceIpmilan(t *testing.T) {
	labtest.Need(t, fence, ipmitool)
	m, port := ours(t, bmctest.Config{})
	for _, c := range []struct{ action, want string }{
		{"status", "Status: ON"}, {"off", "Success: Powered OFF"}, {"status", "Status: OFF"}, {"on", "Success: Powered ON"}, {"reboot", "Success: Rebooted"},
	} {
		out, err := run(t, fence, "--ip=127.0.0.1", "--ipport="+port, "--username=admin", "--password=secret", "--lanplus", "--cipher=17",
			"--power-wait=0", "--stonith-status-sleep=1", "--action="+c.action)
		if !strings.Contains(out, c.want) || err != nil && c.want != "Status: OFF" { // status off has exit status 2
			t.Errorf("%s: %q, %v", c.action, out, err)
		}
	}
	if fmt.Sprint(m.Done()) != "[off on off on]" {
		t.Errorf("executed %v", m.Done())
	}
}

package nspawn

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

// makeBase makes the tree that all tests start from, unless it is there, and puts
// the packages named, and what they need, into apt's cache in it. Its file .complete
// names those that are.
const makeBase = `set -euo pipefail
base=$1; shift
if [ ! -e "$base/.complete" ]; then
	mirror=$(sed -nE 's/^URIs: *//p; s/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1 || true)
	mirror=${mirror:-http://deb.debian.org/debian}
	rm -rf --one-file-system "$base"; mkdir -p "$base"
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,procps,psmisc,python3,python3-psutil,python3-systemd bookworm "$base" "$mirror"
	for f in apt.conf.d; do [ ! -e /etc/apt/$f ] || cp -r /etc/apt/$f "$base/etc/apt/"; done
	echo "deb $mirror bookworm main" >"$base/etc/apt/sources.list"
	touch "$base/.complete"
fi
missing=
for package; do grep -qx "$package" "$base/.complete" || missing="$missing $package"; done
[ "$missing" ] || exit 0
cp /etc/resolv.conf "$base/etc/"
chroot "$base" apt-get update -qq
DEBIAN_FRONTEND=noninteractive chroot "$base" apt-get install -y -qq --no-install-recommends --download-only $missing
printf '%s\n' $missing >>"$base/.complete"
`

// enter runs the rest of a script with the tree, base and changes, at $tree, in a
// mount namespace of its own.
const enter = `set -euo pipefail
base=$1 dir=$2 tree=$2/tree; shift 2
mkdir -p "$dir/upper" "$dir/work" "$tree"
mount -t overlay overlay -o lowerdir="$base",upperdir="$dir/upper",workdir="$dir/work" "$tree"
`

// machine is a tree with changes of one test, booted or not.
type machine struct {
	t    *testing.T
	name string // its host name, too
	base string
	dir  string
	boot *exec.Cmd
	log  string
	init int
	hub  *hub   // of which it has an interface; nil: it has no network but the loopback interface
	addr string // on the hub
}

// newMachine is a machine to which our package, and more of Debian's, can be installed.
func newMachine(t *testing.T, more ...string) *machine {
	t.Helper()
	labtest.Need(t, "/usr/bin/systemd-nspawn", "/usr/sbin/debootstrap")
	base := os.Getenv("NSPAWN_BASE")
	if base == "" {
		base = "/var/tmp/pacesync-nspawn"
	}
	packages := append([]string{"pacemaker", "pacemaker-resource-agents", "resource-agents", "pacemaker-cli-utils", "nginx-light"}, more...)
	cmd := exec.Command("bash", append([]string{"-c", makeBase, "base", base}, packages...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		tail := out[max(0, len(out)-2000):]
		testneed.Missing(t, fmt.Sprintf("no Debian tree can be made: %v\n%s", err, tail))
	}
	// Not below /tmp, which may be a tmpfs without the features of an upper layer.
	dir, err := os.MkdirTemp("/var/tmp", "pacesync-nspawn-t")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, name: "pacesync", base: base, dir: dir, log: filepath.Join(dir, "boot.log")}
	t.Cleanup(func() {
		if t.Failed() && m.init != 0 {
			t.Log(m.run(context.Background(), "journalctl -b --no-pager | tail -60").out)
		}
		m.halt()
		if os.Getenv("KEEP") == "" {
			os.RemoveAll(dir)
		}
	})
	return m
}

// put writes a file into the machine before it is booted.
func (m *machine) put(path string, data []byte, mode os.FileMode) {
	m.t.Helper()
	file := filepath.Join(m.dir, "upper", path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, mode); err != nil {
		m.t.Fatal(err)
	}
}

// chroot runs a shell command in the machine that is not booted.
func (m *machine) chroot(command string) string {
	m.t.Helper()
	script := enter + `mount -t proc proc "$tree/proc"; mount --bind /dev "$tree/dev"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$tree" bash -c "$1"`
	out, err := exec.Command("unshare", "--mount", "--propagation", "private", "bash", "-c", script, "chroot", m.base, m.dir, command).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// hub is a network namespace with a bridge, for machines that talk to each other.
type hub struct{ namespace string }

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{fmt.Sprintf("pacesync-nspawn-%d", os.Getpid())}
	for _, args := range [][]string{
		{"netns", "add", h.namespace}, {"-n", h.namespace, "link", "add", "hub", "type", "bridge"}, {"-n", h.namespace, "link", "set", "hub", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.namespace).Run() })
	return h
}

// clone is a machine of another name with the same changes so far, on the same hub.
func (m *machine) clone(name, addr string) *machine {
	m.t.Helper()
	c := newMachine(m.t)
	c.name, c.hub, c.addr = name, m.hub, addr
	if out, err := exec.Command("cp", "-a", filepath.Join(m.dir, "upper"), c.dir).CombinedOutput(); err != nil {
		m.t.Fatalf("cp: %v\n%s", err, out)
	}
	return c
}

// start boots the machine and waits until systemd is done with it.
func (m *machine) start() {
	m.t.Helper()
	network, inside := "--private-network", ""
	if m.hub != nil {
		network, inside = "--network-bridge=hub", "nsenter --net=/run/netns/"+m.hub.namespace
		m.put("/etc/hostname", []byte(m.name+"\n"), 0o644)
	}
	script := enter + fmt.Sprintf("exec %s systemd-nspawn -q -D \"$tree\" --boot --register=no --keep-unit %s --machine=%s --resolv-conf=off --timezone=off --console=pipe", inside, network, m.name)
	log, err := os.Create(m.log)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.boot = exec.Command("unshare", "--mount", "--propagation", "private", "bash", "-c", script, "boot", m.base, m.dir)
	m.boot.Stdout, m.boot.Stderr = log, log
	m.boot.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.boot.Start(); err != nil {
		m.t.Fatal(err)
	}
	testwait.For(m.t, 30*time.Second, "systemd to be started in the tree", func() bool {
		m.init = child(m.boot.Process.Pid)
		return m.init != 0 && comm(m.init) == "systemd"
	})
	testwait.For(m.t, 2*time.Minute, "the machine to be up", func() bool {
		s := strings.TrimSpace(m.run(context.Background(), "systemctl is-system-running").out)
		return s == "running" || s == "degraded"
	})
	if m.hub != nil {
		m.must(context.Background(), "ip addr add "+m.addr+"/24 dev host0 && ip link set host0 up")
	}
}

func child(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	n, _ := strconv.Atoi(first)
	return n
}

func comm(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(b))
}

// halt ends the machine.
func (m *machine) halt() {
	if m.boot == nil {
		return
	}
	_ = m.boot.Process.Signal(syscall.SIGTERM) // an orderly shutdown
	done := make(chan struct{})
	go func() { _ = m.boot.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = m.boot.Process.Kill()
		<-done
	}
	m.boot, m.init = nil, 0
}

type outcome struct {
	out  string
	code int
}

// run runs a shell command in the booted machine.
func (m *machine) run(ctx context.Context, command string) outcome {
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(m.init), "-m", "-u", "-i", "-n", "-p", "-r", "-w",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "bash", "-c", command)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	_ = cmd.Run()
	return outcome{b.String(), cmd.ProcessState.ExitCode()}
}

// must is run for what has to go well.
func (m *machine) must(ctx context.Context, command string) string {
	m.t.Helper()
	o := m.run(ctx, command)
	if o.code != 0 {
		m.t.Fatalf("%s: exit status %d\n%s", command, o.code, o.out)
	}
	return o.out
}

// waitOutput waits until a command's output contains all the texts.
func (m *machine) waitOutput(ctx context.Context, limit time.Duration, command string, texts ...string) {
	m.t.Helper()
	last := ""
	defer func() {
		if m.t.Failed() {
			m.t.Log(last)
		}
	}()
	testwait.For(m.t, limit, command+" to say "+strings.Join(texts, ", "), func() bool {
		last = m.run(ctx, command).out
		for _, s := range texts {
			if !strings.Contains(last, s) {
				return false
			}
		}
		return true
	})
}

// buildDeb makes our package.
func buildDeb(t *testing.T) []byte {
	t.Helper()
	bin := labtest.Bin(t)
	cmd := exec.Command("packaging/build", t.TempDir(), filepath.Join(bin, "pacesync"), "0.1.0+test")
	cmd.Dir = filepath.Dir(bin)
	dist := cmd.Args[1]
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build: %v\n%s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dist, "*.deb"))
	if len(files) != 1 {
		t.Fatalf("packages made: %v", files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// install puts our package and what the tests use into the machine, with apt.
func (m *machine) install(more ...string) {
	m.t.Helper()
	m.put("/root/pacesync.deb", buildDeb(m.t), 0o644)
	m.apt(append(more, "/root/pacesync.deb", "resource-agents", "pacemaker-cli-utils")...)
}

// apt installs packages into the machine that is not booted.
func (m *machine) apt(packages ...string) {
	m.t.Helper()
	m.chroot("apt-get install -y -qq --no-install-recommends " + strings.Join(packages, " "))
}

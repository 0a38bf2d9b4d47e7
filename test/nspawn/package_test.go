package nspawn

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// TestPackage: a new machine, our package, systemctl. A resource of systemd and
// an OCF one are started, fail, and are recovered by our executor.
func TestPackage(t *testing.T) {
	m := newMachine(t)
	m.install("nginx-light")
	ctx := labtest.Context(t, 8*time.Minute)
	for _, name := range []string{"/usr/sbin/corosync", "/usr/sbin/pacemakerd", "/usr/lib/pacemaker/pacemaker-execd"} {
		if out := m.chroot("dpkg -S " + name); !strings.HasPrefix(out, "pacesync:") {
			t.Errorf("dpkg -S %s: %s", name, out)
		}
	}
	m.chroot("umount /proc; dpkg -i /root/pacesync.deb") // an upgrade, in a tree where nothing can be asked of the kernel
	m.chroot("systemctl disable nginx corosync corosync-notifyd pacemaker")
	m.start()
	m.must(ctx, "dbus-monitor --system interface=org.corosync >/run/signals 2>&1 & echo 'OPTIONS=\"-d -l\"' >/etc/default/corosync-notifyd; systemctl start corosync-notifyd pacemaker")
	for _, name := range []string{"corosync", "corosync-notifyd", "pacemakerd", "pacemaker-based", "pacemaker-fenced", "pacemaker-execd", "pacemaker-attrd", "pacemaker-schedulerd", "pacemaker-controld"} {
		m.waitOutput(ctx, 30*time.Second, "for p in $(pgrep -f '^/usr/(s?bin|lib/pacemaker)/"+name+"'); do readlink /proc/$p/exe; cat /proc/$p/comm; done", "/"+name+"\n")
	}
	m.waitOutput(ctx, 2*time.Minute, "crm_mon -1", "Online: [ node1 ]")
	m.must(ctx, "crm_attribute -n stonith-enabled -v false")
	for _, rsc := range []string{`id="web" class="systemd" type="nginx"`, `id="dum" class="ocf" provider="pacemaker" type="Dummy"`} {
		id := strings.Split(rsc, `"`)[1]
		m.must(ctx, `cibadmin -C -o resources --xml-text '<primitive `+rsc+`><operations><op id="`+id+`-m" name="monitor" interval="2s" timeout="20s"/></operations></primitive>'`)
	}
	running := []string{"web\t(systemd:nginx):\t Started node1", "dum\t(ocf:pacemaker:Dummy):\t Started node1"}
	m.waitOutput(ctx, time.Minute, "crm_mon -1", running...)
	const want = "[Unit]\nDescription=Cluster Controlled nginx\nBefore=pacemaker.service pacemaker_remote.service\n\n[Service]\nRestart=no\n\n"
	if got := m.must(ctx, "cat /run/systemd/system/nginx.service.d/50-pacemaker.conf"); got != want {
		t.Errorf("drop-in:\n%q\nwant\n%q", got, want)
	}
	before := m.must(ctx, "systemctl show -P MainPID nginx")

	m.must(ctx, "systemctl kill -s KILL nginx && rm /run/Dummy-dum.state")
	m.waitOutput(ctx, time.Minute, "crm_mon -1 -f; systemctl is-active nginx; ls /run", "web: migration-threshold=1000000 fail-count=1", "dum: migration-threshold=1000000 fail-count=1",
		"web 2s-interval monitor on node1 returned 'not running' (failed)", "\nactive\n", "Dummy-dum.state")
	m.waitOutput(ctx, time.Minute, "crm_mon -1", running...)
	if after := m.must(ctx, "systemctl show -P MainPID nginx"); after == before {
		t.Errorf("nginx has the process it had before it was killed: %s", after)
	}

	m.must(ctx, "systemctl stop pacemaker")
	m.waitOutput(ctx, time.Minute, "systemctl is-active nginx pacemaker corosync; ls /run/systemd/system/nginx.service.d", "inactive\ninactive\nactive\n")
	if o := m.run(ctx, "ls /run/systemd/system/nginx.service.d/50-pacemaker.conf /run/Dummy-dum.state"); o.code == 0 {
		t.Errorf("left behind by the stop: %s", o.out)
	}
	m.must(ctx, "corosync-cpgtool && systemctl stop corosync")
	m.notified(ctx)
	if failed := m.must(ctx, "systemctl --failed --no-legend --plain"); strings.Contains(failed, "corosync") || strings.Contains(failed, "pacemaker") {
		t.Errorf("failed units: %s", failed)
	}
	m.must(ctx, "DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq pacesync pacemaker-cli-utils")
	if o := m.run(ctx, "ls -d /usr/sbin/corosync /usr/sbin/pacemakerd /usr/lib/pacemaker/pacemaker-execd /usr/lib/pacesync /lib/systemd/system/corosync.service /etc/corosync/corosync.conf 2>/dev/null"); o.out != "" {
		t.Errorf("left behind by the purge: %s", o.out)
	}
}

// notified: corosync and its notifier logged to the journal, the notifier told of
// clients on the system's bus, and they began and ended in the order of their units.
func (m *machine) notified(ctx context.Context) {
	m.t.Helper()
	var order []string
	for line := range strings.Lines(m.must(ctx, "journalctl -b -o cat -t systemd | grep -E '^(Start|Stop)(ed|ing|ped|ping) corosync'")) {
		order = append(order, strings.TrimSpace(line))
	}
	if want := []string{
		"Starting corosync.service - Corosync Cluster Engine...", "Started corosync.service - Corosync Cluster Engine.",
		"Starting corosync-notifyd.service - Corosync Dbus and snmp notifier...", "Started corosync-notifyd.service - Corosync Dbus and snmp notifier.",
		"Stopping corosync-notifyd.service - Corosync Dbus and snmp notifier...", "Stopped corosync-notifyd.service - Corosync Dbus and snmp notifier.",
		"Stopping corosync.service - Corosync Cluster Engine...", "Stopped corosync.service - Corosync Cluster Engine.",
	}; !slices.Equal(order, want) {
		m.t.Errorf("order of the units:\n%s", strings.Join(order, "\n"))
	}
	for unit, lines := range map[string][]string{
		"corosync":         {"[TOTEM ] A new membership", "[MAIN  ] Completed service synchronization, ready to provide service.", "[MAIN  ] Corosync Cluster Engine exiting normally"},
		"corosync-notifyd": {"is now connected to corosync", "is now disconnected from corosync"},
	} {
		log := m.must(ctx, "journalctl -b -o cat -u "+unit)
		for _, want := range lines {
			if !strings.Contains(log, want) {
				m.t.Errorf("the journal of %s lacks %q:\n%s", unit, want, log)
			}
		}
	}
	signals := m.must(ctx, "cat /run/signals")
	for _, want := range []string{"path=/org/corosync; interface=org.corosync; member=ConnectionStateChange", "path=/org/corosync; interface=org.corosync; member=QuorumStateChange"} {
		if !strings.Contains(signals, want) {
			m.t.Errorf("no signal %s:\n%s", want, signals)
		}
	}
}

// TestReproducible: two runs of packaging/build give the same bytes.
func TestReproducible(t *testing.T) {
	labtest.Need(t, filepath.Join(labtest.Bin(t), "pacesync"))
	first, second := buildDeb(t), buildDeb(t)
	if !bytes.Equal(first, second) {
		t.Error("two packages of one binary differ")
	}
	sameFiles(t, first)
}

// notOurs are files of Debian's packages that ours has not (docs/compatibility.md).
var notOurs = regexp.MustCompile(`^/etc/init\.d/|^/usr/lib/ocf/|^/usr/sbin/fence_|^/usr/share/(augeas|lintian|doc)/|^/usr/share/corosync/xml2conf\.xsl$|/(fence_(legacy|watchdog)|ocf_\w+)\.\d\.gz$`)

// sameFiles: the package has every file of Debian's packages that it stands for, at
// the same path.
func sameFiles(t *testing.T, deb []byte) {
	file := filepath.Join(t.TempDir(), "x.deb")
	if err := os.WriteFile(file, deb, 0o644); err != nil {
		t.Fatal(err)
	}
	contents, err := exec.Command("dpkg-deb", "-c", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(contents)) {
		if fields := strings.Fields(line); len(fields) > 5 {
			have[strings.TrimPrefix(fields[5], ".")] = true
		}
	}
	theirs, err := exec.Command("dpkg", "-L", "corosync", "corosync-notifyd", "corosync-vqsim", "pacemaker").Output()
	if err != nil {
		testneed.Missing(t, "Debian's packages (make deps)")
	}
	seen := 0
	for line := range strings.Lines(string(theirs)) {
		path := strings.TrimSpace(line)
		if info, err := os.Stat(path); err != nil || info.IsDir() || notOurs.MatchString(path) {
			continue
		}
		seen++
		if !have[path] {
			t.Errorf("the package lacks %s", path)
		}
	}
	if seen < 20 {
		t.Errorf("only %d files of Debian's packages seen", seen)
	}
}

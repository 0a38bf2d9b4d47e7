package unchanged

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// pcsCommands and crmCommands are what pcs and crmsh do with corosync and its
// quorum, in the order in which they are given; each is run on n1.
var pcsCommands = []string{
	"pcs quorum status",
	"pcs quorum config",
	"pcs quorum expected-votes 3",
	"corosync-quorumtool -s",
	"pcs quorum expected-votes 1",
	"pcs quorum unblock --force",
	"pcs quorum device status",
	"pcs status corosync",
	"pcs status nodes corosync",
	"pcs cluster corosync",
	"pcs cluster config",
	"pcs cluster reload corosync",
}

var crmCommands = []string{
	"crm corosync status",
	"crm corosync status quorum",
	"crm corosync status ring",
	"crm corosync status qdevice",
	"crm corosync show",
	"crm corosync get quorum.provider",
	"crm corosync get nodelist.node.ring0_addr",
	"crm corosync get no.such.key",
	"crm corosync set totem.token 1500",
	"crm corosync get totem.token",
	"crm corosync reload",
	"corosync-cmapctl -g runtime.config.totem.token",
	"crm corosync get nodelist.node.name",
	"corosync-cfgtool -R",
	"corosync-cmapctl nodelist.",
	"crm cluster status",
}

// systemctl answers what crmsh asks of systemd, which labs do not run, by the
// processes.
const systemctl = `#!/bin/sh
case $1 in
is-active) pidof -s "${2%.service}" >/dev/null && echo active || { echo inactive; exit 3; } ;;
show) for unit; do :; done; pidof -s "${unit%.service}" >/dev/null && printf 'UnitFileState=enabled\nActiveState=active\nSubState=running\n' ;;
*) echo "systemctl $*: not asked before" >&2; exit 1 ;;
esac
`

// TestPcs and TestCrm: pcs and crmsh say of our daemon what they say of
// Debian's, and do the same to it.
func TestPcs(t *testing.T) {
	labtest.Long(t, "TestPcs of test/tools")
	labtest.Need(t, "/usr/sbin/pcs")
	playAdmin(t, pcsCommands)
}

// TestCrm see TestPcs.
func TestCrm(t *testing.T) {
	labtest.Long(t, "TestPcs of test/tools")
	labtest.Need(t, "/usr/sbin/crm")
	playAdmin(t, crmCommands)
}

func playAdmin(t *testing.T, commands []string) {
	labtest.Corosync(t)
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		r := newRing(t, daemon, 2, lab.Conf{Totem: []string{"cluster_name: administered"}}, "")
		told := map[string]said{}
		if s := r.shell("n1", "mkdir /run/stand-in && cat >/run/stand-in/systemctl <<'END' && chmod +x /run/stand-in/systemctl\n"+systemctl+"END\n"); s.status != 0 {
			t.Fatal(s)
		}
		for _, c := range commands {
			told[c] = adminMask(r.shell("n1", "PATH=/run/stand-in:$PATH timeout 150 "+c))
		}
		return told
	})
}

// adminMask hides what no two runs share.
func adminMask(s said) said {
	for _, m := range []struct{ re, to string }{
		{`(?m)^Date: .*$`, "Date: DATE"},
		{`(?m)^(Ring ID: +[0-9a-f]+)\.[0-9a-f]+`, "$1.SEQ"},
		{`(?m)^(crm_corosync\S*|\S+\\x00|\S+)\t +[0-9]+\t`, "$1\tPID\t"},
	} {
		s.text = regexp.MustCompile(m.re).ReplaceAllString(s.text, m.to)
	}
	s.text = strings.ReplaceAll(s.text, "\r", "")
	return s
}

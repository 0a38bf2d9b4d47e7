package e2e

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// originalTools are commands of Debian's unchanged packages, in an order in
// which later ones see the effects of earlier ones.
func originalTools() [][]string {
	var out [][]string
	for _, c := range []string{
		"corosync-quorumtool -s", "corosync-quorumtool -l", "corosync-quorumtool -i", "corosync-quorumtool -p",
		"corosync-cfgtool -s", "corosync-cfgtool -n", "corosync-cfgtool -b", "corosync-cfgtool -a 2",
		"corosync-cmapctl", "corosync-cmapctl -b", "corosync-cmapctl -m stats", "corosync-cmapctl nodelist.",
		"corosync-cpgtool", "corosync-cpgtool -e", "corosync-cpgtool -n",
		"pcs status corosync", "pcs quorum status", "pcs quorum config",
		"corosync-quorumtool -v 1 -n 2", "corosync-quorumtool -e 5", "corosync-quorumtool -s", "corosync-quorumtool -e 3",
		"corosync-cmapctl -s foo.bar u32 7", "corosync-cmapctl -g foo.bar", "corosync-cmapctl -s foo.bar str text", "corosync-cmapctl -d foo.bar",
		"corosync-cmapctl -g foo.bar", "corosync-cmapctl -s totem.version u32 3", "corosync-cmapctl -g totem.token",
		"corosync-cfgtool -R", "corosync-cmapctl -g totem.token",
		"corosync-cfgtool -k 77", "corosync-cfgtool -L",
	} {
		out = append(out, strings.Fields(c))
	}
	return out
}

// What differs from run to run: dates, rings, counters, addresses in memory.
var volatile = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^Date: .*$`), "Date: D"},
	{regexp.MustCompile(`(?m)^(Ring ID: +\d+)\.[0-9a-f]+$`), "$1.R"},
	{regexp.MustCompile(`(?m)^(stats\.ipcs\.service\d)\.\d+\.0x[0-9a-f]+\.(\w+ \(\w+\)) = .*$`), "$1.C.$2"},
	{regexp.MustCompile(`(?m)^((?:stats|runtime\.services)\.\S+ \(\w+\)) = \d+$`), "$1"},
	{regexp.MustCompile(`(?m)^(runtime\.members\.\d+\.join_count \(\w+\)) = \d+$`), "$1"},
}

func stable(text string) string {
	for _, v := range volatile {
		text = v.re.ReplaceAllString(text, v.with)
	}
	return text
}

// TestOriginalTools: Debian's unchanged tools and pcs say on a ring of ours what
// they say on the original's, with the same status.
func TestOriginalTools(t *testing.T) {
	clientProgram(t, "watch")
	labtest.Need(t, "/usr/sbin/pcs")
	said := map[string][]lab.Result{}
	for _, m := range mixes() {
		if len(m.ours) != 0 && len(m.ours) != 3 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"cluster_name: same"}})
			n := l.Node("n1")
			startWatcher(t, ctx, n, "some-group") // something for cpgtool to show
			conf := n.Path("/etc/corosync/corosync.conf")
			text, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range originalTools() {
				if slices.Equal(args, []string{"corosync-cfgtool", "-R"}) { // something to reload
					for _, node := range l.Members() {
						changed := strings.Replace(string(text), "version: 2\n", "version: 2\n  token: 2345\n", 1)
						if err := os.WriteFile(node.Path("/etc/corosync/corosync.conf"), []byte(changed), 0o644); err != nil {
							t.Fatal(err)
						}
					}
				}
				res, err := n.Exec(ctx, args...)
				if res.Code < 0 || res.Code > 128 {
					t.Errorf("%v: %v", args, err)
				}
				said[m.name] = append(said[m.name], res)
			}
		})
	}
	original, ours := said["0of3"], said["3of3"]
	if len(original) == 0 || len(ours) == 0 {
		t.Skip("only one half was run (MIX)")
	}
	for i, args := range originalTools() {
		compare(t, strings.Join(args, " "), original[i], ours[i])
	}
}

// compare reports lines that only one of two results has.
func compare(t *testing.T, command string, original, ours lab.Result) {
	t.Helper()
	if original.Code != ours.Code {
		t.Errorf("%s: status %d, the original's %d\nours: %s%s\noriginal: %s%s", command, ours.Code, original.Code, ours.Stdout, ours.Stderr, original.Stdout, original.Stderr)
	}
	pidRE := regexp.MustCompile(`\b` + `\d{2,7}\b`)
	a, b := stable(original.Stdout+original.Stderr), stable(ours.Stdout+ours.Stderr)
	if strings.Contains(command, "cpgtool") { // process ids
		a, b = pidRE.ReplaceAllString(a, "PID"), pidRE.ReplaceAllString(b, "PID")
	}
	if a == b {
		return
	}
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range la {
		if !slices.Contains(lb, l) {
			t.Errorf("%s: ours lacks %q", command, l)
		}
	}
	for _, l := range lb {
		if !slices.Contains(la, l) {
			t.Errorf("%s: ours has more: %q", command, l)
		}
	}
	if !t.Failed() {
		t.Errorf("%s: the same lines in another order\nours:\n%s\noriginal:\n%s", command, b, a)
	}
}

// TestAccess: user nobody is refused on every socket, and gets in once uidgid
// grants it; both as with the original.
func TestAccess(t *testing.T) {
	labtest.Corosync(t)
	labtest.Need(t, "/usr/bin/setpriv")
	const nobody = "65534"
	sockets := [][]string{ // one tool per socket
		{"corosync-cmapctl", "-g", "totem.version"}, {"corosync-cfgtool", "-s"}, {"corosync-cpgtool"}, {"corosync-quorumtool", "-s"},
		{clientProgram(t, "watch"), "g"},
	}
	said := map[lab.Impl][]lab.Result{}
	for _, whose := range []lab.Impl{lab.Debian, lab.Ours} {
		t.Run(whose.String(), func(t *testing.T) {
			ctx := labtest.Context(t, time.Minute)
			l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: whose}}})
			n := l.Node("n1")
			if err := l.StartRing(ctx, n); err != nil {
				t.Fatal(err)
			}
			try := func(how string, want bool, id ...string) {
				for _, args := range sockets {
					short, cancel := context.WithTimeout(ctx, 5*time.Second)
					res, _ := n.Exec(short, append(append([]string{"setpriv", "--reuid", id[0], "--regid", id[1], "--clear-groups", "timeout", "4"}, args...), id[2:]...)...)
					cancel()
					if in := res.Code == 0; in != want {
						t.Errorf("%s: %v: status %d, let in: %v, want %v\n%s%s", how, args, res.Code, in, want, res.Stdout, res.Stderr)
					}
					said[whose] = append(said[whose], res)
				}
			}
			try("user nobody", false, nobody, nobody)
			try("group nobody of another user", false, strconv.Itoa(4711), nobody)
			grant := "uidgid {\n  uid: nobody\n}\n"
			if err := os.WriteFile(n.Path("/etc/corosync/uidgid.d/nobody"), []byte(grant), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Exec(ctx, "corosync-cfgtool", "-R"); err != nil {
				t.Fatal(err)
			}
			testwait.For(t, 5*time.Second, "the grant", func() bool {
				res, _ := n.Exec(ctx, "corosync-cmapctl", "-g", "uidgid.config.uid."+nobody)
				return res.Code == 0
			})
			try("user nobody with a grant", true, nobody, nobody)
			try("another user", false, "4711", "4711")
		})
	}
	for i := range min(len(said[lab.Debian]), len(said[lab.Ours])) {
		a, b := said[lab.Debian][i], said[lab.Ours][i]
		if i%len(sockets) < 4 {
			compare(t, strings.Join(sockets[i%len(sockets)], " ")+" as a stranger", a, b)
		}
	}
}

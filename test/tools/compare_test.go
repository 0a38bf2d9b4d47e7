package tools

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// minRows guards the table against rows that get lost.
const minRows = 300

// TestTools compares our tools with the originals, on the original daemon and
// on ours; then the daemons with each other: the original tools must get the
// same answers from both.
func TestTools(t *testing.T) {
	labtest.Corosync(t)
	var said [2]map[string]said
	for i, daemon := range [2]lab.Impl{lab.Debian, lab.Ours} {
		t.Run(daemon.String(), func(t *testing.T) {
			s := newScene(t, daemon)
			s.udpuOnly = daemon == lab.Ours
			s.run()
			said[i] = s.reference
			t.Logf("%d comparisons", s.rows)
			if !t.Failed() && s.rows < minRows {
				t.Errorf("%d comparisons, expected at least %d", s.rows, minRows)
			}
		})
	}
	compared := 0
	for _, cmd := range slices.Sorted(maps.Keys(said[1])) {
		if strings.Contains(cmd, "od -c") || strings.HasPrefix(cmd, "cmap: corosync-cmapctl -q totem.") {
			continue // process ids digit by digit; a value without its key
		}
		original, ours := onAnyDaemon(said[0][cmd]), onAnyDaemon(said[1][cmd])
		if original != ours {
			t.Errorf("%s\non the original daemon: %v\non ours: %v", cmd, original, ours)
		}
		compared++
	}
	t.Logf("%d answers of the two daemons compared", compared)
	if compared < minRows {
		t.Errorf("%d answers of the two daemons compared, expected at least %d", compared, minRows)
	}
}

const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "

// run goes through the scenes.
func (s *scene) run() {
	dir := filepath.Join(s.lab.Shared(), "x")
	s.must(os.MkdirAll(dir, 0o755))
	for name, content := range files() {
		s.must(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	s.compare("usage", usageRows())
	s.compare("down", downRows())

	fast := []string{"token: 1000", "cluster_name: tools"}
	s.configure(lab.Conf{Totem: fast}, nil, "n1", "n2", "n3")
	s.compare("udpu links", cfgRows())
	s.compare("cmap", cmapRows())
	s.compare("quorum", quorumRows())
	s.compare("no groups", cpgRows())
	s.compare("nobody", anyDaemon(asNobody))
	s.groups()
	s.tracking()
	s.veto()
	s.losses()

	s.configure(lab.Conf{Totem: fast, Quorum: []string{"wait_for_all: 1", "last_man_standing: 1", "auto_tie_breaker: 1"}}, nil, "n1", "n2", "n3")
	s.compare("flags", lines("corosync-quorumtool\ncorosync-quorumtool -p"))
	s.configure(lab.Conf{Totem: fast, Quorum: []string{"two_node: 1"}}, only("n1", "n2"), "n1", "n2")
	s.compare("two nodes", lines("corosync-quorumtool\ncorosync-quorumtool -lp"))
	s.configure(lab.Conf{Totem: fast, Quorum: []string{"allow_downscale: 1"}}, nil, "n1", "n2", "n3")
	s.compare("downscale", lines("corosync-quorumtool"))
	s.reloadErrors()
	s.configure(lab.Conf{Totem: fast}, unnamed, "n1", "n2")
	s.compare("without names", lines("corosync-quorumtool\ncorosync-quorumtool -a\ncorosync-quorumtool -ai\ncorosync-quorumtool -l -o n\ncorosync-cfgtool -s"))
	s.configure(lab.Conf{Totem: fast}, func(conf string) string { return conf + "system {\n  qb_ipc_type: socket\n}\n" }, "n1", "n2", "n3")
	s.compare("socket connections", append(anyDaemon(""), cpgRows()...))
	s.device(fast)
	s.configure(lab.Conf{Totem: fast}, noProvider, "n1")
	s.compare("no provider", append(anyDaemon(""), lines("corosync-quorumtool -m\ncorosync-quorumtool -H\ncorosync-quorumtool -v 2 -n 9\ncorosync-quorumtool -la")...))
	s.shutdowns()
	if !s.udpuOnly {
		s.configure(lab.Conf{Totem: fast, Transport: "knet"}, nil, "n1", "n2", "n3")
		s.compare("knet links", cfgRows())
		s.must(s.lab.Node("n2").Link(1, false))
		s.must(lab.Wait(s.ctx, "the cut to be noticed", func() bool {
			return strings.Contains(s.shell(s.node, debianTools, "corosync-cfgtool -s").stdout, "disconnected")
		}))
		s.compare("knet link down", lines("corosync-cfgtool -s\ncorosync-cfgtool -sb\ncorosync-cfgtool -n"))
		s.must(s.lab.Node("n2").Link(1, true))
		s.kill(s.lab.Node("n3"))
		s.must(s.served(2))
		s.compare("knet node down", lines("corosync-cfgtool -s\ncorosync-cfgtool -sb\ncorosync-cfgtool -n"))
	}
}

// only keeps these node entries of a corosync.conf.
func only(names ...string) func(string) string {
	return func(conf string) string {
		for i := 1; i <= 3; i++ {
			keep := false
			for _, n := range names {
				keep = keep || n == fmt.Sprintf("n%d", i)
			}
			if !keep {
				start := strings.Index(conf, fmt.Sprintf("  node {\n    name: n%d\n", i))
				end := start + strings.Index(conf[start:], "  }\n") + len("  }\n")
				conf = conf[:start] + conf[end:]
			}
		}
		return conf
	}
}

// unnamed is a two-node ring of nodes without names.
func unnamed(conf string) string {
	conf = only("n1", "n2")(conf)
	return strings.NewReplacer("    name: n1\n", "", "    name: n2\n", "").Replace(conf)
}

// noProvider is a single node without a quorum provider.
func noProvider(conf string) string {
	return strings.Replace(only("n1")(conf), "  provider: corosync_votequorum\n", "", 1)
}

// groups compares listings with processes in groups, on two nodes.
func (s *scene) groups() {
	s.t.Helper()
	stop := s.guest("join", `one`, `a\x00`, `b\\c\x01\xff`, strings.Repeat("n", 128), "two words")
	other := s.node
	s.node = s.lab.Node("n2")
	stop2 := s.guest("join", "one", `a\x00`, "elsewhere")
	s.node = other
	s.compare("groups", cpgRows())
	stop2()
	stop()
}

// tracking compares what trackers print while keys change.
func (s *scene) tracking() {
	s.t.Helper()
	changes := strings.Join([]string{
		"corosync-cmapctl -s test.t u8 1", "corosync-cmapctl -s test.t u8 2", "corosync-cmapctl -s test.t u8 2", "corosync-cmapctl -s test.t str word",
		"corosync-cmapctl -s test.tt.a flt 1.5", "corosync-cmapctl -s test.tt.b bin /run/lab/x/text", "corosync-cmapctl -s test.tt.b bin /run/lab/x/random128",
		"corosync-cmapctl -s test.other str ''", "corosync-cmapctl -d test.t", "corosync-cmapctl -D test.", "corosync-cmapctl -s -- test.t i64 -5", "corosync-cmapctl -D test.t",
	}, "; ")
	// The tracker's stdout is made to come out at once, which shows that it tracks.
	script := func(args, end string) string {
		return "in=/run/lab/in.$$; out=/run/lab/out.$$; rm -f $in $out; mkfifo $in; stdbuf -oL corosync-cmapctl " + args + " <$in >$out & exec 3>$in; " +
			"until grep -q Type $out 2>/dev/null; do sleep 0.02; done; PATH=" + systemPath + "; " + changes + "; echo '" + end + "' >&3; exec 3>&-; " +
			"wait $!; r=$?; cat $out; rm -f $in $out; exit $r"
	}
	var rows []row
	for _, args := range []string{"-t test.t", "-T test.", "-bT test.", "-T test.t", "-t test.t test.tt.a", "-qt test.t", "-bqT test.tt", "-T test.t test.tt", "-T totem. test.", "-t nosuch"} {
		rows = append(rows, row{cmd: script(args, "q"), before: "corosync-cmapctl -D test."})
	}
	rows = append(rows,
		row{cmd: script("-T test.", "quit"), before: "corosync-cmapctl -D test."},
		row{cmd: "corosync-cmapctl -t totem.version </dev/null"},
		row{cmd: "corosync-cmapctl -m stats -t stats.ipcs.global.active </dev/null"},
		row{cmd: "echo q | corosync-cmapctl -T ''"},
	)
	s.compare("tracking", rows)
}

// veto compares a shutdown that somebody does not want.
func (s *scene) veto() {
	s.t.Helper()
	stop := s.guest("veto")
	s.compare("veto", lines("corosync-cfgtool -H\ncorosync-cfgtool --shutdown 2>&1"))
	stop()
}

// reloadErrors compares a reload with mistakes in corosync.conf.
func (s *scene) reloadErrors() {
	s.t.Helper()
	path := s.node.Path("/etc/corosync/corosync.conf")
	good, err := os.ReadFile(path)
	s.must(err)
	s.must(os.WriteFile(path, append(good, "nonsense {\n"...), 0o644))
	s.compare("reload with an error", lines("corosync-cfgtool -R\ncorosync-cfgtool -R 2>&1"))
	s.must(os.WriteFile(path, good, 0o644))
}

// losses compares monitors and trackers while nodes die, then a ring without
// quorum, then monitors and trackers that lose their daemon.
func (s *scene) losses() {
	s.t.Helper()
	s.name = "losses"
	watch := []string{"corosync-quorumtool -m", "corosync-quorumtool -mpH", "corosync-cmapctl -T runtime.members.", "corosync-cmapctl -T runtime.votequorum."}
	var stops [][2]func() said
	for _, cmd := range watch {
		// Their input stays open; only the end of the daemon ends them.
		stops = append(stops, [2]func() said{s.start(debianTools, "exec 3<&0; "+cmd+" <&3"), s.start(ourTools, "exec 3<&0; "+cmd+" <&3")})
	}
	s.must(lab.Wait(s.ctx, "the watchers to be connected", func() bool {
		r := s.shell(s.node, debianTools, "corosync-cmapctl -m stats stats.ipcs.service | grep -c 'procname.*corosync-\\(quorum\\|cmapct\\)'")
		return strings.TrimSpace(r.stdout) == "21" // 4 x 4 of the monitors, 4 trackers, itself
	}))
	s.kill(s.lab.Node("n3"))
	s.must(s.served(2))
	s.kill(s.lab.Node("n2"))
	s.must(s.served(1))
	s.compare("blocked", append(anyDaemon(""), lines("corosync-quorumtool -H\ncorosync-quorumtool -e 1\ncorosync-cfgtool -a 2\ncorosync-cfgtool -k 2")...))
	s.kill(s.node)
	s.name = "losses"
	for i, cmd := range watch {
		s.verdict(cmd, masked(stops[i][0](), false), masked(stops[i][1](), false))
	}
}

// device compares a ring with a quorum device on one node.
func (s *scene) device(totem []string) {
	s.t.Helper()
	s.configure(lab.Conf{Totem: totem}, func(conf string) string {
		return strings.Replace(conf, "  provider: corosync_votequorum\n",
			"  provider: corosync_votequorum\n  device {\n    model: net\n    votes: 2\n    timeout: 60000\n  }\n", 1)
	}, "n1", "n2", "n3")
	s.compare("no device yet", lines("corosync-quorumtool\ncorosync-quorumtool -p"))
	stop := s.guest("device", "Qdev")
	s.compare("device", lines("corosync-quorumtool\ncorosync-quorumtool -p\ncorosync-quorumtool -l\ncorosync-quorumtool -lpH\ncorosync-quorumtool -s -o i\ncorosync-quorumtool -ai"))
	other := s.node
	s.node = s.lab.Node("n2")
	s.compare("device elsewhere", lines("corosync-quorumtool\ncorosync-quorumtool -p"))
	s.node = other
	stop()
	s.compare("device gone", lines("corosync-quorumtool\ncorosync-quorumtool -p\ncorosync-quorumtool -f; corosync-quorumtool"))
}

// shutdowns compares the end of a daemon and of a peer.
func (s *scene) shutdowns() {
	s.t.Helper()
	s.configure(lab.Conf{Totem: []string{"token: 1000", "cluster_name: tools"}}, only("n1", "n2"), "n1", "n2")
	run := func(n *lab.Node) func(*scene) error {
		return func(s *scene) error {
			if err := lab.Wait(s.ctx, "the old daemon to end", func() bool { return n.Daemon(lab.PartCorosync) == 0 }); err != nil {
				return err
			}
			if err := n.Start(s.ctx, lab.PartCorosync); err != nil {
				return err
			}
			return s.served(2)
		}
	}
	n2 := s.lab.Node("n2")
	s.kill(n2)
	s.compare("kill a node", []row{{cmd: "corosync-cfgtool -k 2", prep: run(n2)}})
	s.must(run(n2)(s))
	s.kill(s.node)
	s.compare("shutdown", []row{
		{cmd: "corosync-cfgtool -H", prep: run(s.node)},
		{cmd: "corosync-cfgtool --shutdown --force", prep: run(s.node)},
		{cmd: "corosync-cfgtool -k 1", prep: run(s.node)},
	})
}

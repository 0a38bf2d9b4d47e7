package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const confFile = "/etc/corosync/corosync.conf"

// reloadRing is a running ring of ours, in the long form with one of Debian's, and the
// text of its file, whose nodelist stands last, so that no part of the file is one.
func reloadRing(t *testing.T, ctx context.Context) (l *lab.Lab, text string) {
	t.Helper()
	nodes := []lab.NodeSpec{{Corosync: lab.Ours}, {Corosync: lab.Ours}}
	if os.Getenv("E2E_LONG") != "" {
		nodes = append(nodes, lab.NodeSpec{Corosync: lab.Debian})
	}
	// Half a file asks for names; nobody is to be waited for.
	resolv := lab.File{Path: "/etc/resolv.conf", Content: "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"}
	l = labtest.Up(t, lab.Options{Nodes: nodes, Files: []lab.File{resolv}})
	var list strings.Builder
	for _, n := range l.Members() {
		fmt.Fprintf(&list, "  node {\n    name: %s\n    nodeid: %d\n    ring0_addr: %s\n  }\n", n.Name(), n.ID(), n.Addr(0))
	}
	text = "totem {\n  version: 2\n  cluster_name: whole\n  transport: udpu\n  token: 1000\n  merge: 150\n  interface {\n    mcastport: 5410\n  }\n}\n" +
		"logging {\n  to_stderr: no\n  to_syslog: no\n  to_logfile: yes\n  logfile: /var/log/corosync/corosync.log\n  debug: off\n}\n" +
		"quorum {\n  provider: corosync_votequorum\n}\nuidgid {\n  uid: 12\n}\nnodelist {\n" + list.String() + "}\n"
	for _, n := range l.Members() {
		putConf(t, n, text)
	}
	must(t, l.StartRing(ctx, l.Members()...))
	return l, text
}

func putConf(t *testing.T, n *lab.Node, text string) {
	t.Helper()
	must(t, os.WriteFile(n.Path(confFile), []byte(text), 0o644))
}

// settings are the keys of cmap that follow from the file. What a reload reports
// beside them is not among them.
func settings(t *testing.T, ctx context.Context, n *lab.Node) string {
	t.Helper()
	res, err := n.Exec(ctx, "corosync-cmapctl")
	must(t, err)
	return strings.Join(regexp.MustCompile(`(?m)^(?:totem|nodelist|quorum|logging|uidgid|nozzle|system|runtime\.config|config\.\w*in_progress)\b.*$`).FindAllString(res.Stdout, -1), "\n")
}

// differs lists the lines that only one of two texts has.
func differs(a, b string) (out []string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, s := range as {
		if !slices.Contains(bs, s) {
			out = append(out, "-"+s)
		}
	}
	for _, s := range bs {
		if !slices.Contains(as, s) {
			out = append(out, "+"+s)
		}
	}
	return out
}

// reloadOn asks a node for a reload and returns the tool's status.
func reloadOn(ctx context.Context, n *lab.Node) int {
	res, _ := n.Exec(ctx, "corosync-cfgtool", "-R") // its status is looked at
	return res.Code
}

func tokenIs(ctx context.Context, n *lab.Node, ms int) bool {
	res, _ := n.Exec(ctx, "corosync-cmapctl", "totem.token")
	return strings.Contains(res.Stdout, fmt.Sprintf("= %d\n", ms))
}

// badFiles are changes of the file with which it is refused, each with one that
// would be taken, and what the log says.
func badFiles(text string) []struct{ what, text, log string } {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
	gone := []string{"merge: 150", "join: 60", "  uid: 12\n", ""} // one key less, one more, one grant less
	with := func(pairs ...string) string { return edit(append(gone, pairs...)...) }
	return []struct{ what, text, log string }{
		{"cut at the end", text[:len(text)-3], "The section nodelist, opened in line"},
		{"cut in the middle", text[:strings.Index(text, "  debug: off")], "The section logging, opened in line"},
		{"cut in a line", text[:strings.Index(text, "ring0_addr")+3], "Line is not opening or closing section or key value"},
		{"no section", with("logging {", "logging"), "corosync.conf:11: Line is not opening or closing section or key value"},
		{"number", with("token: 1000", "token: 1s"), "corosync.conf:5: Did you mean 1000? It is in milliseconds."},
		{"word", with("token: 1000", "token: 1000\n  crypto_hash: sha265"), "corosync.conf:6: Did you mean sha256"},
		{"too short", with("token: 1000", "token: 10\n  token_coefficient: 0"), "see " + confFile + ":5: totem.token: 10"},
		{"name", with("ring0_addr", "name: x\n    ring0_addr", "nodeid: 2\n    ring0_addr: ", "nodeid: 2\n    ring0_addr: no.such.host.invalid"),
			"(There is no address of that name here"},
		{"not in the list", with("name: n2", "name: other", "nodeid: 2", "nodeid: 7"), "nodeid of the local node is 2 and cannot become 7"},
		{"another's id", with("nodeid: 1", "nodeid: 2"), "new config has different address for link 0"},
		{"crypto without knet", with("token: 1000", "token: 1000\n  secauth: on"), "see " + confFile + ":6: totem.secauth: on"},
		{"user", edit("merge: 150", "join: 60", "  uid: 12\n", "  uid: nobody.of.that.name\n"), "user is not found in /etc/passwd"},
	}
}

// TestReloadWhole: a file that is refused on one node changes nothing on it, whatever
// else is in it, while the others take theirs; what only a restart changes stays.
func TestReloadWhole(t *testing.T) {
	labtest.Corosync(t)
	ctx := labtest.Context(t, 3*time.Minute)
	l, text := reloadRing(t, ctx)
	n1, n2 := l.Node("n1"), l.Node("n2")
	if code := reloadOn(ctx, n2); code != 0 { // after it the keys that tell of reloads are there
		t.Fatalf("status %d", code)
	}
	token := 1000
	for i, c := range badFiles(text) {
		if i%3 != 0 && os.Getenv("E2E_LONG") == "" {
			continue
		}
		before := settings(t, ctx, n2)
		token += 10
		putConf(t, n1, strings.Replace(text, "token: 1000", fmt.Sprintf("token: %d", token), 1))
		putConf(t, n2, c.text)
		if code := reloadOn(ctx, n1); code != 0 || !tokenIs(ctx, n1, token) {
			t.Errorf("%s: n1, whose file is right, does not take it (status %d)", c.what, code)
		}
		if code := reloadOn(ctx, n2); code != 7 {
			t.Errorf("%s: status %d, want 7", c.what, code)
		}
		logged(t, n2, c.log)
		if diff := differs(before, settings(t, ctx, n2)); diff != nil {
			t.Errorf("%s: n2 has changed: %q", c.what, diff)
		}
	}
	t.Run("restart", func(t *testing.T) { fixedAtReload(t, ctx, l, text) })
}

// fixedAtReload: options that only a restart changes.
func fixedAtReload(t *testing.T, ctx context.Context, l *lab.Lab, text string) {
	n1, n2 := l.Node("n1"), l.Node("n2")
	for _, n := range l.Members() {
		putConf(t, n, text)
	}
	if code := reloadOn(ctx, n1); code != 0 {
		t.Fatalf("status %d", code)
	}
	testwait.For(t, 20*time.Second, "the reload on n2", func() bool { return tokenIs(ctx, n2, 1000) })
	before := settings(t, ctx, n2)
	putConf(t, n2, strings.NewReplacer("transport: udpu", "transport: knet\n  netmtu: 1400\n  ip_version: ipv4\n  version: 3", "cluster_name: whole", "cluster_name: part",
		"mcastport: 5410", "mcastport: 5420", "quorum {", "system {\n  sched_rr: no\n  state_dir: /tmp\n}\nquorum {").Replace(text))
	if code := reloadOn(ctx, n2); code != 0 {
		t.Errorf("status %d, want 0", code)
	}
	if diff := differs(before, settings(t, ctx, n2)); diff != nil {
		t.Errorf("n2 has changed: %q", diff)
	}
	for _, key := range []string{"totem.transport", "totem.netmtu", "totem.cluster_name", "system.sched_rr", "system.state_dir", "totem.interface.0.mcastport"} {
		logged(t, n2, "Modified entry '"+key+"' in corosync.conf cannot be changed at run-time")
	}
	putConf(t, n2, text)
}

// TestReloadAtAnyTime: reloads while the file is being written, many at once, and
// while members come and go: every node of ours has one file's settings or another's,
// never a mixture, and in the end the last one's.
func TestReloadAtAnyTime(t *testing.T) {
	labtest.Long(t, "TestReloadWhole")
	labtest.Corosync(t)
	ctx := labtest.Context(t, 5*time.Minute)
	l, text := reloadRing(t, ctx)
	other := strings.NewReplacer("token: 1000", "token: 1200", "merge: 150", "join: 60", "uid: 12", "gid: 13", "debug: off", "timestamp: on").Replace(text)
	known := map[string][]string{}
	for _, x := range []string{other, text} { // the first has been read at the start: not by a reload
		for _, n := range l.Members() {
			putConf(t, n, x)
		}
		if code := reloadOn(ctx, l.Node("n1")); code != 0 {
			t.Fatalf("status %d", code)
		}
		for _, n := range ours(l) {
			want := 1000
			if x == other {
				want = 1200
			}
			testwait.For(t, 20*time.Second, "the reload on "+n.Name(), func() bool { return tokenIs(ctx, n, want) })
			known[n.Name()] = append(known[n.Name()], settings(t, ctx, n))
		}
	}
	whole := func(when string) {
		t.Helper()
		for _, n := range ours(l) {
			if now := settled(t, ctx, n); !slices.Contains(known[n.Name()], now) {
				t.Errorf("%s: %s has neither file's settings: %q", when, n.Name(), differs(known[n.Name()][1], now))
			}
		}
	}
	both := []string{text, other}
	t.Run("half written", func(t *testing.T) { halfWritten(t, ctx, l, both, whole) })
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, ctx, l, both, whole) })
	t.Run("members come and go", func(t *testing.T) { whileSyncing(t, ctx, l, both, whole) })
}

func ours(l *lab.Lab) (out []*lab.Node) {
	for _, n := range l.Members() {
		if n.Corosync() == lab.Ours {
			out = append(out, n)
		}
	}
	return out
}

// settled are the settings of a node on which no reload runs.
func settled(t *testing.T, ctx context.Context, n *lab.Node) (now string) {
	t.Helper()
	testwait.For(t, 20*time.Second, "the end of the reload on "+n.Name(), func() bool {
		now = settings(t, ctx, n)
		return !strings.Contains(now, "in_progress (u8) = 1")
	})
	return now
}

// halfWritten: the files are written piece by piece while they are read.
func halfWritten(t *testing.T, ctx context.Context, l *lab.Lab, both []string, whole func(string)) {
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for _, n := range ours(l) {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n.ID())))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				f, err := os.Create(n.Path(confFile))
				if err != nil {
					t.Error(err)
					return
				}
				for rest := both[i%2]; rest != ""; {
					k := min(len(rest), 1+rng.IntN(60))
					_, _ = f.WriteString(rest[:k])
					rest = rest[k:]
				}
				f.Close()
			}
		})
	}
	taken, refused := 0, 0
	for range 60 {
		switch code := reloadOn(ctx, l.Node("n1")); code {
		case 0:
			taken++
		case 7:
			refused++
		default:
			t.Errorf("status %d", code)
		}
		whole("half written")
	}
	close(stop)
	writers.Wait()
	t.Logf("%d reloads taken, %d refused", taken, refused)
	if taken == 0 || refused == 0 {
		t.Error("the files were never, or always, read half")
	}
}

// manyAtOnce: reloads from all nodes while others run.
func manyAtOnce(t *testing.T, ctx context.Context, l *lab.Lab, both []string, whole func(string)) {
	for round := range 6 {
		for _, n := range l.Members() {
			putConf(t, n, both[round%2])
		}
		var all sync.WaitGroup
		for i := range 12 {
			n := ours(l)[i%2]
			all.Go(func() {
				if code := reloadOn(ctx, n); code != 0 {
					t.Errorf("%s: status %d", n.Name(), code)
				}
			})
		}
		all.Wait()
		whole("many at once")
		for _, n := range ours(l) {
			testwait.For(t, 20*time.Second, "the last file on "+n.Name(), func() bool { return tokenIs(ctx, n, 1000+200*(round%2)) })
		}
	}
}

// whileSyncing: a member is killed and comes back while reloads run.
func whileSyncing(t *testing.T, ctx context.Context, l *lab.Lab, both []string, whole func(string)) {
	last := l.Members()[len(l.Members())-1]
	rest := l.Members()[:len(l.Members())-1]
	for round := range 4 {
		for _, n := range l.Members() {
			putConf(t, n, both[round%2])
		}
		gone := make(chan error, 1)
		go func() {
			err := last.Kill(ctx, lab.PartCorosync)
			if err == nil {
				err = last.Start(ctx, lab.PartCorosync)
			}
			gone <- err
		}()
		for reload := true; reload; {
			select {
			case err := <-gone:
				must(t, err)
				reload = false
			default:
				if code := reloadOn(ctx, rest[round%len(rest)]); code != 0 {
					t.Errorf("status %d", code)
				}
			}
		}
		must(t, l.WaitRing(ctx, l.Members()...))
		whole("members come and go")
		for _, n := range l.Members() {
			testwait.For(t, 20*time.Second, "the last file on "+n.Name(), func() bool { return tokenIs(ctx, n, 1000+200*(round%2)) })
		}
	}
}

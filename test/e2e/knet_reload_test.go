package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestKnetLinksAtReload: a second and a third link come with a reload and go with
// another, started on either side; each carries the ring alone in between.
func TestKnetLinksAtReload(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range largeKnetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 3)
			conf := knet(crypto("aes256", "sha256")...)
			conf.Links = 1
			startConf(t, ctx, l, conf)
			waitLinks(t, ctx, l, 1, "the first link to be up", connected)
			reload := func(on string, links int) {
				conf.Links = links
				must(t, l.WriteConf(conf))
				if _, err := l.Node(on).Exec(ctx, "corosync-cfgtool", "-R"); err != nil {
					t.Fatal(err)
				}
				waitLinks(t, ctx, l, links, "the links of the reload on "+on, connected)
			}
			stays(t, ctx, l.Members(), "links come and go", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					reload("n1", 2)
					reload("n2", 3)
					must(t, l.CutNet(lab.Any, lab.Any, 0))
					waitLinks(t, ctx, l, 3, "link 0 to be down", upBut(0))
					must(t, l.Heal())
					waitLinks(t, ctx, l, 3, "link 0 to come back", connected)
					reload("n3", 1)
				})
			})
			res, err := l.Node("n1").Exec(ctx, "corosync-cfgtool", "-s")
			if err != nil || strings.Contains(res.Stdout, "LINK ID 1") || !strings.Contains(res.Stdout, "LINK ID 0") {
				t.Errorf("after links 1 and 2 are gone: %v\n%s", err, res.Stdout)
			}
		})
	}
}

// pcsConf is what `pcs cluster setup` writes for two nodes with two links each.
func pcsConf(t *testing.T, l *lab.Lab) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "corosync.conf")
	args := []string{"cluster", "setup", "--corosync_conf", file, "hacluster"}
	for _, n := range l.Members() {
		args = append(args, n.Name(), "addr="+n.Addr(0), "addr="+n.Addr(1))
	}
	if out, err := exec.Command("/usr/sbin/pcs", args...).CombinedOutput(); err != nil {
		t.Fatalf("pcs %v: %v\n%s", args, err, out)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	for _, want := range []string{"transport: knet", "crypto_cipher: aes256", "crypto_hash: sha256", "two_node: 1", "ring1_addr: "} {
		if !strings.Contains(string(text), want) {
			t.Fatalf("pcs writes no %q any more:\n%s", want, text)
		}
	}
	return string(text)
}

// TestKnetPcsConf: the corosync.conf that pcs writes runs unchanged.
func TestKnetPcsConf(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	labtest.Need(t, "/usr/sbin/pcs")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			load := clientProgram(t, "load")
			m.nodes = 2
			l := upMix(t, m, 2)
			text := pcsConf(t, l)
			for _, n := range l.Members() {
				must(t, n.AddFile(lab.File{Path: "/etc/corosync/corosync.conf", Content: text}))
			}
			must(t, l.StartRing(ctx, l.Members()...))
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			sendAndCompare(t, ctx, l.Members(), load, 30, time.Minute)
			for _, n := range l.Members() {
				res, err := n.Exec(ctx, "corosync-quorumtool", "-s")
				if err != nil || !regexp.MustCompile(`Flags: +2Node Quorate WaitForAll`).MatchString(res.Stdout) {
					t.Errorf("%s: %v\n%s", n.Name(), err, res.Stdout)
				}
			}
			must(t, l.Node("n2").Kill(ctx, lab.PartCorosync))
			must(t, l.WaitRing(ctx, l.Node("n1")))
			if q := l.Node("n1").Membership(ctx); !q.Quorate {
				t.Errorf("n1 alone: %+v, want two_node's quorum", q)
			}
			must(t, l.StartRing(ctx, l.Members()...))
		})
	}
}

// What of the knet numbers follows from the state alone.
var knetState = regexp.MustCompile(`^stats\.knet\.node\d+\.link\d+\.(connected|enabled|mtu) `)

// knetTools are what users look at a ring over knet with.
func knetTools() [][]string {
	var out [][]string
	for _, c := range []string{
		"corosync-cfgtool -s", "corosync-cfgtool -n", "corosync-cfgtool -b", "corosync-cfgtool -a 2",
		"corosync-cmapctl totem.", "corosync-cmapctl nodelist.", "corosync-cmapctl -m stats stats.knet.", "corosync-quorumtool -s",
	} {
		out = append(out, strings.Fields(c))
	}
	return out
}

// TestKnetTools: Debian's tools say on our ring what they say on Debian's, with all
// links up and with one cut; latencies and counters apart.
func TestKnetTools(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	said := map[string][]lab.Result{}
	var asked [][]string
	for _, m := range knetMixes() {
		if len(m.ours) != 0 && len(m.ours) != 3 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			l := upMix(t, m, 2)
			conf := knet(append(crypto("aes256", "sha256"), "cluster_name: same")...)
			conf.Interfaces[1] = append(conf.Interfaces[1], "knet_link_priority: 5")
			startConf(t, ctx, l, conf)
			asked = nil
			ask := func() {
				for _, args := range knetTools() {
					res, err := l.Node("n1").Exec(ctx, args...)
					if res.Code < 0 || res.Code > 128 {
						t.Errorf("%v: %v", args, err)
					}
					asked = append(asked, args)
					said[m.name] = append(said[m.name], res)
				}
			}
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			waitKnown(t, ctx, l)
			ask()
			must(t, l.CutNet("n3", lab.Any, 1))
			waitLinks(t, ctx, l, 2, "n1's link 1 to n3 to be down", func(k knetLink) bool { return k.connected == (k.link != 1 || k.node != 3) }, l.Node("n1"))
			ask()
		})
	}
	original, ours := said["0of3"], said["3of3"]
	if len(original) == 0 || len(ours) == 0 {
		t.Log("only one half was run (MIX): nothing to compare")
		return
	}
	for i, args := range asked {
		original[i].Stdout, ours[i].Stdout = knetStable(original[i].Stdout), knetStable(ours[i].Stdout)
		compare(t, strings.Join(args, " "), original[i], ours[i])
	}
}

// waitKnown waits until n1 knows the right MTU of all links in the stats map too.
func waitKnown(t *testing.T, ctx context.Context, l *lab.Lab) {
	t.Helper()
	testwait.For(t, 30*time.Second, "the MTU of all links", func() bool {
		return !slices.ContainsFunc(knetLinks(ctx, l.Node("n1")), func(k knetLink) bool { return k.mtu != 1397 })
	})
}

// knetStable leaves the numbers out that differ from run to run.
func knetStable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "stats.knet.") && !knetState.MatchString(line) {
			line, _, _ = strings.Cut(line, " = ")
			line += "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

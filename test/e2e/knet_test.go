package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// knetMixes are the rings over knet. Short runs have one of them.
func knetMixes() []mix {
	if os.Getenv("E2E_LONG") == "" && os.Getenv("MIX") == "" {
		return []mix{{name: "2of3", ours: []string{"n1", "n3"}}}
	}
	return mixes()
}

// largeKnetMixes are knetMixes and, in full count, rings of five.
func largeKnetMixes() []mix {
	if os.Getenv("E2E_LONG") == "" {
		return knetMixes()
	}
	five := []mix{{name: "0of5", nodes: 5}, {name: "3of5", ours: []string{"n1", "n3", "n4"}, nodes: 5}}
	if want := os.Getenv("MIX"); want != "" {
		five = slices.DeleteFunc(five, func(m mix) bool { return m.name != want })
	}
	return append(knetMixes(), five...)
}

// knet is a configuration over knet whose links find their faults soon and whose
// ring outlives that: a link that is just up is given ten times its timeout, which
// has to be well below the token's. In full count, where five nodes share the
// machine's processors and all of them send, both are longer.
func knet(totem ...string) lab.Conf {
	token, link := "token: 8000", []string{"knet_ping_interval: 100", "knet_ping_timeout: 300"}
	if os.Getenv("E2E_LONG") != "" {
		token, link = "token: 15000", []string{"knet_ping_interval: 250", "knet_ping_timeout: 900"}
	}
	c := lab.Conf{Transport: "knet", Totem: append([]string{token, "knet_pmtud_interval: 1"}, totem...)}
	for range lab.MaxNetworks {
		c.Interfaces = append(c.Interfaces, slices.Clone(link))
	}
	return c
}

// knetLink is what corosync-cfgtool -n says of a link to another node.
type knetLink struct {
	node, link int
	connected  bool
	mtu        int
}

var (
	linkNodeRE = regexp.MustCompile(`^nodeid: +(\d+)`)
	linkRE     = regexp.MustCompile(`^ +LINK: (\d+) udp \([^)]*\) (.*)mtu: (\d+)`)
)

// knetLinks asks a node for its links; none when it doesn't answer.
func knetLinks(ctx context.Context, n *lab.Node) []knetLink {
	res, _ := n.Exec(ctx, "corosync-cfgtool", "-n")
	var out []knetLink
	node := 0
	for line := range strings.Lines(res.Stdout) {
		if f := linkNodeRE.FindStringSubmatch(line); f != nil {
			node, _ = strconv.Atoi(f[1])
		} else if f := linkRE.FindStringSubmatch(line); f != nil {
			l := knetLink{node: node, connected: slices.Contains(strings.Fields(f[2]), "connected")}
			l.link, _ = strconv.Atoi(f[1])
			l.mtu, _ = strconv.Atoi(f[3])
			out = append(out, l)
		}
	}
	return out
}

// waitLinks waits until nodes, all members without a name, have so many links to
// each other member, all of them as ok says.
func waitLinks(t *testing.T, ctx context.Context, l *lab.Lab, links int, what string, ok func(knetLink) bool, nodes ...*lab.Node) {
	t.Helper()
	want := links * (len(l.Members()) - 1)
	if len(nodes) == 0 {
		nodes = l.Members()
	}
	wait, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	last, start := "", time.Now()
	err := lab.Wait(wait, what, func() bool {
		for _, n := range nodes {
			have := knetLinks(ctx, n)
			last = fmt.Sprintf("%s: %+v", n.Name(), have)
			if len(have) != want || slices.ContainsFunc(have, func(k knetLink) bool { return !ok(k) }) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("%v; last seen: %s", err, last)
	}
	t.Logf("%s: after %.1f s", what, time.Since(start).Seconds())
}

// connected is the usual wish: every link is up, and its MTU is known.
func connected(l knetLink) bool { return l.connected && l.mtu >= 1000 }

// upBut says that a link is up just when it has another number than that.
func upBut(down int) func(knetLink) bool {
	return func(k knetLink) bool { return k.connected == (k.link != down) }
}

// stays runs fn and fails the test when a node's ring is another one after it: a
// ring's number grows with each change of membership.
func stays(t *testing.T, ctx context.Context, nodes []*lab.Node, what string, fn func()) {
	t.Helper()
	before := make([]string, len(nodes))
	for i, n := range nodes {
		if before[i] = n.Membership(ctx).Ring; before[i] == "" {
			t.Fatalf("%s: corosync on %s does not answer", what, n.Name())
		}
	}
	fn()
	for i, n := range nodes {
		if after := n.Membership(ctx); after.Ring != before[i] || len(after.Members) != len(nodes) {
			t.Errorf("%s: %s had ring %s, now %s of %v", what, n.Name(), before[i], after.Ring, after.Members)
		}
	}
}

// underLoad runs fn while all nodes send, round after round of messages whose
// content and order is compared. The first node's name is in those of the groups, so
// that the parts of a ring may each be under a load of their own.
func underLoad(t *testing.T, ctx context.Context, nodes []*lab.Node, load string, fn func()) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start, round := time.Now(), 0
		defer func() { t.Logf("%d rounds of messages in %.1f s", round, time.Since(start).Seconds()) }()
		for ; !t.Failed(); round++ {
			sendInGroup(t, ctx, fmt.Sprintf("%s-%d", nodes[0].Name(), round), nodes, load, 20, 2*time.Minute)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	defer func() { <-ended }()
	defer close(stop)
	fn()
}

// knetStats are the numbers of the stats map below stats.knet.
func knetStats(t *testing.T, ctx context.Context, n *lab.Node) map[string]uint64 {
	t.Helper()
	res, err := n.Exec(ctx, "corosync-cmapctl", "-m", "stats", "stats.knet.")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(res.Stdout) {
		key, val, _ := strings.Cut(strings.TrimSpace(line), " = ")
		key, _, _ = strings.Cut(strings.TrimPrefix(key, "stats.knet."), " ")
		if v, err := strconv.ParseUint(val, 10, 64); err == nil {
			out[key] = v
		}
	}
	return out
}

// knetCase is one configuration of TestKnetOrder.
type knetCase struct {
	name  string
	links int
	conf  lab.Conf
}

func crypto(cipher, hash string) []string {
	return []string{"crypto_cipher: " + cipher, "crypto_hash: " + hash}
}

func compression(model string) []string {
	return []string{"knet_compression_model: " + model, "knet_compression_threshold: 100", "knet_compression_level: 5"}
}

func knetCases() []knetCase {
	with := func(name string, links int, totem ...string) knetCase {
		c := knet(totem...)
		c.Links = links
		return knetCase{name, links, c}
	}
	out := []knetCase{
		with("plain", 1), with("plain, 2 links", 2), with("plain, 8 links", 8),
		with("active", 2, "link_mode: active"), with("rr", 3, "link_mode: rr"),
		with("knet_mtu", 1, "knet_mtu: 1300"),
	}
	for _, c := range [][2]string{
		{"aes256", "sha256"}, {"aes128", "sha1"}, {"aes192", "sha384"}, {"aes256", "sha512"}, {"aes128", "md5"}, {"none", "sha256"},
	} {
		out = append(out, with(c[0]+" "+c[1], 1, crypto(c[0], c[1])...))
	}
	out = append(out, with("aes256 sha256, 8 links", 8, crypto("aes256", "sha256")...))
	for _, model := range []string{"zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"} {
		out = append(out, with(model, 1, compression(model)...))
	}
	return append(out, with("aes256 sha256 zlib", 2, append(crypto("aes256", "sha256"), compression("zlib")...)...))
}

// TestKnetOrder: all nodes send at once over knet, with every encryption and
// compression: every byte is right and the order is the same everywhere. Of five
// there are some of each; what Debian's do among themselves is seen with three.
func TestKnetOrder(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range largeKnetMixes() {
		if m.nodes == 5 && len(m.ours) == 0 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			load := clientProgram(t, "load")
			l := upMix(t, m, lab.MaxNetworks)
			for _, c := range knetCases() {
				t.Run(c.name, func(t *testing.T) { orderOver(t, l, load, c) })
			}
		})
	}
}

// orderOver starts the lab's ring with a configuration, sends, and stops it.
func orderOver(t *testing.T, l *lab.Lab, load string, c knetCase) {
	ctx := labtest.Context(t, 3*time.Minute)
	startConf(t, ctx, l, c.conf)
	defer func() { // also when the configuration has used up its time: the next one has its own
		stop := labtest.Context(t, time.Minute)
		for _, n := range l.Members() {
			if err := n.Stop(stop, lab.PartCorosync); err != nil {
				t.Error(err)
			}
		}
	}()
	waitLinks(t, ctx, l, c.links, "all links to be up", connected)
	stays(t, ctx, l.Members(), c.name, func() { sendAndCompare(t, ctx, l.Members(), load, 60, 2*time.Minute) })
	if !slices.ContainsFunc(c.conf.Totem, func(s string) bool { return strings.HasPrefix(s, "knet_compression_model") }) {
		return
	}
	for _, n := range l.Members() {
		s := knetStats(t, ctx, n)
		if s["handle.tx_compressed_packets"] == 0 || s["handle.rx_compressed_packets"] == 0 || s["handle.tx_compressed_size_bytes"] >= s["handle.tx_compressed_original_bytes"] {
			t.Errorf("%s has compressed nothing: %v", n.Name(), s)
		}
	}
}

// TestKnetSmall is the short form of this family: encrypted and compressed, two
// links; content and order, a link cut and back, smaller and larger cables, all
// without a change of membership.
func TestKnetSmall(t *testing.T) {
	for _, m := range largeKnetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 2)
			nodes := l.Members()
			startConf(t, ctx, l, knet(append(crypto("aes256", "sha256"), compression("zlib")...)...))
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			stays(t, ctx, nodes, "one ring", func() {
				underLoad(t, ctx, nodes, load, func() {
					must(t, l.CutNet("n1", lab.Any, 0))
					waitLinks(t, ctx, l, 2, "n1 to lose link 0", upBut(0), l.Node("n1"))
					must(t, l.Heal())
					waitLinks(t, ctx, l, 2, "link 0 to come back", connected)
					must(t, l.SetMTU(1, 1300), l.SetMTU(0, 9000))
					waitLinks(t, ctx, l, 2, "the MTU of both links to follow", func(k knetLink) bool {
						return k.connected && (k.link == 1 && k.mtu < 1300 && k.mtu > 1100 || k.link == 0 && k.mtu < 9000 && k.mtu > 8800)
					})
				})
			})
		})
	}
}

// must ends the test at an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

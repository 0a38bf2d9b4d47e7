package config_test

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

var (
	mutants     = flag.Int("mutants", 8, "how many changed configurations TestMutants compares")
	mutantsSeed = flag.Uint64("mutants-seed", 1, "where its random numbers begin")
)

// TestMutants compares `corosync -t` with the installed original's on files of the
// oracle that have been changed at random: lines gone, doubled, moved, cut, taken from
// other files, bytes and values replaced.
func TestMutants(t *testing.T) {
	cases := readCases(t)
	rng := rand.New(rand.NewPCG(*mutantsSeed, 7))
	for range *mutants {
		a, b := cases[rng.IntN(len(cases))], cases[rng.IntN(len(cases))]
		c := *a
		c.data = map[string]string{}
		for name, text := range a.data {
			c.data[name] = text
		}
		c.data["corosync.conf"] = mutate(rng, a.data["corosync.conf"], b.data["corosync.conf"])
		want, ok := c.original(t)
		if !ok {
			testneed.Missing(t, "corosync 3.1.7")
		}
		if knownDifference(&c, want) {
			continue
		}
		if got, _ := c.ours(t); got != want {
			t.Errorf("from %q:\n%s\nours:\n%s\noriginal:\n%s", a.name, c.data["corosync.conf"], got, want)
		}
	}
}

// mutate makes one to four changes.
func mutate(rng *rand.Rand, text, other string) string {
	lines, spare := strings.Split(text, "\n"), strings.Split(other, "\n")
	values := []string{"0", "1", "-1", "29", "30", "255", "256", "65536", "4294967296", "yes", "no", "on", "off", "none", "", "x", "127.0.0.1", "::1", "aes256", "sha256", "udp", "udpu", "knet", "3000"}
	for range 1 + rng.IntN(4) {
		i := rng.IntN(len(lines))
		switch rng.IntN(8) {
		case 0:
			lines = append(lines[:i:i], lines[i+1:]...)
		case 1:
			lines = append(lines[:i:i], append([]string{lines[i]}, lines[i:]...)...)
		case 2:
			j := rng.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
		case 3, 4:
			lines = append(lines[:i:i], append([]string{spare[rng.IntN(len(spare))]}, lines[i:]...)...)
		case 5:
			if k := len(lines[i]); k > 0 {
				lines[i] = lines[i][:rng.IntN(k)]
			}
		case 6:
			if key, _, ok := strings.Cut(lines[i], ":"); ok {
				lines[i] = key + ": " + values[rng.IntN(len(values))]
			}
		case 7:
			if k := len(lines[i]); k > 0 {
				at := rng.IntN(k)
				lines[i] = lines[i][:at] + string(" {}:#\t\r\x01\xff.9-"[rng.IntN(12)]) + lines[i][at+1:]
			}
		}
		if len(lines) == 0 {
			lines = []string{""}
		}
	}
	return strings.Join(lines, "\n")
}

// knownDifference: what docs/compatibility.md says is different: the original crashes;
// the first node has no address; a node without an id is counted twice.
func knownDifference(c *oracleCase, want string) bool {
	nodes := regexp.MustCompile(`node \{([^{}]*)`).FindAllStringSubmatch(c.data["corosync.conf"], -1)
	for i, n := range nodes {
		address, id := strings.Contains(n[1], "ring0_addr"), strings.Contains(n[1], "nodeid")
		if i == 0 && !address || address && !id {
			return true
		}
	}
	return strings.Contains(want, "status -1")
}

package unchanged

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// socketIPC has libraries and daemon talk over sockets instead of shared memory.
const socketIPC = "system {\n  qb_ipc_type: socket\n}\n"

// counts says how much of each a run does.
type counts struct {
	kills  int      // processes killed while they use a library
	groups int      // closed process groups with a connection each
	slow   []string // messages and their size for a member that takes none
}

// TestLibraries: each library's calls, good and bad, say the same; killed
// clients leave nothing behind; a slow one loses nothing.
func TestLibraries(t *testing.T) {
	playLibraries(t, "", counts{100, 30, []string{"3000 1000"}})
}

// TestLibrariesLong is the same in full count.
func TestLibrariesLong(t *testing.T) {
	labtest.Long(t, "TestLibraries")
	playLibraries(t, "", counts{1000, 1000, []string{"50000 1000", "200 1000000"}})
}

// TestLibrariesSocket is the same over libqb's socket type.
func TestLibrariesSocket(t *testing.T) {
	labtest.Long(t, "TestLibraries, and test/ipc for the socket type")
	playLibraries(t, socketIPC, counts{1000, 1000, []string{"50000 1000", "2000 50000"}})
}

// statistics are counters of the ring that have begun to count by then; its own
// multicasts come back to a node.
const statistics = `corosync-cmapctl -m stats stats.pg.msg_reserved
corosync-cmapctl -m stats stats.srp. | awk '
	/mcast_retx|_lost|consensus|continuous|dropped|firewall|mtt|avg|time_since/ {next}
	{n[$1] = $4; print $1, $2, ($4 > 0)}
	END {
		for (k in n) if (sub("_tx$", "", k) && k ~ /mcast|merge|hold/ && n[k "_rx"] < n[k "_tx"]) print k, n[k "_tx"], "sent", n[k "_rx"], "came"
	}'`

func playLibraries(t *testing.T, conf string, n counts) {
	dir := built(t)
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		r := newRing(t, daemon, 2, lab.Conf{}, conf)
		told := map[string]said{}
		told["calls_cpg"] = waitsMask(r.run("n1", dir+"/calls_cpg", strconv.Itoa(n.groups)))
		for _, p := range []string{"calls_cmap", "calls_quorum", "calls_votequorum", "calls_sam", "calls_cfg"} {
			told[p] = waitsMask(r.run("n1", dir+"/"+p))
		}
		r.shell("n1", "corosync-cmapctl -s uidgid.uid.4242 u8 1")
		told["calls_cpg of another user"] = waitsMask(r.run("n1", "setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups", dir+"/calls_cpg"))
		for _, s := range n.slow {
			// How much it had taken before it began is chance.
			told["slow "+s] = r.shell("n1", dir+"/slow "+s+" | sed 's/, taken .*//'")
		}
		r.kills(dir, n.kills)
		if n.groups >= 1000 {
			told["calls_cpg in another pid namespace"] = waitsMask(r.run("n1", "unshare", "--fork", "--pid", dir+"/calls_cpg"))
		}
		told["statistics"] = r.shell("n1", statistics)
		told["calls_sam lost"] = r.run("n1", dir+"/calls_sam", "lost")
		told["end"] = r.run("n1", dir+"/calls_cfg", "end")
		return told
	})
}

// waitsMask hides a remark of libcpg (lib/cpg.c: send_fragments): before it sends
// the next piece of a large message it waits while the ring's queue is three
// quarters full. Whether it is depends on who is faster, the client or the ring.
func waitsMask(s said) said {
	s.text = regexp.MustCompile(`(?m)^sleep\. counter=\d+\n`).ReplaceAllString(s.text, "")
	return s
}

// kills runs the killed clients and judges what is left of them.
func (r *ring) kills(dir string, n int) {
	r.t.Helper()
	before := r.openFiles()
	if s := r.run("n1", dir+"/kills", strconv.Itoa(n)); s.text != fmt.Sprintf("killed %d\n", n) {
		r.t.Errorf("kills: %v", s)
	}
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	var files int
	var left, groups said
	err := lab.Wait(ctx, "the killed clients to be forgotten", func() bool {
		files = r.openFiles()
		left = r.shell("n1", "ls /dev/shm | grep -v blackbox")
		groups = r.shell("n1", "corosync-cpgtool")
		return left.text == "" && files <= before && groups.text == "Group Name\t       PID\t   Node ID\n"
	})
	switch {
	case err == nil:
	case r.Node("n1").Corosync() == lab.Ours:
		r.t.Errorf("%v: %d files open, %d before; /dev/shm: %s; groups: %s", err, files, before, left.text, groups.text)
	default:
		r.t.Logf("the original: %v: %d files open, %d before; /dev/shm: %s; groups: %s", err, files, before, left.text, groups.text)
	}
}

// openFiles counts the open files of the daemon on n1.
func (r *ring) openFiles() int {
	r.t.Helper()
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(r.Node("n1").Daemon(lab.PartCorosync)), "fd"))
	if err != nil {
		r.t.Fatal(err)
	}
	return len(list)
}

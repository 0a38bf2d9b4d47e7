package quorum

import (
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/vote"
)

// ReadConfig reads what votequorum needs from the configuration map
// (votequorum.c: votequorum_readconfig and what it calls).
func ReadConfig(m *cmap.Map) *vote.Config {
	flag := func(key string) (on, set bool) {
		x, set := m.U8(key)
		return x != 0, set
	}
	c := &vote.Config{
		Nodes:         readNodes(m),
		Votes:         1,
		Device:        readDevice(m),
		LastManWindow: millis(m, "quorum.last_man_standing_window", vote.DefaultLastManWindow),
	}
	c.ExpectedVotes, _ = m.U32("quorum.expected_votes")
	if votes, ok := m.U32("quorum.votes"); ok {
		c.Votes = votes
	}
	c.TwoNode, _ = m.U8("quorum.two_node")
	c.WaitForAll, c.WaitForAllSet = flag("quorum.wait_for_all")
	c.LastManStanding, _ = flag("quorum.last_man_standing")
	c.AutoTieBreaker, _ = flag("quorum.auto_tie_breaker")
	c.AutoTieBreakerNode, _ = m.Str("quorum.auto_tie_breaker_node")
	c.AllowDownscale, _ = flag("quorum.allow_downscale")
	c.ExpectedVotesTracking, _ = flag("quorum.expected_votes_tracking")
	return c
}

// Check says what votequorum makes of a configuration without running it: why it
// refuses to start ("" if it does not), and what else it complains of, each at level
// warning or worse.
func Check(m *cmap.Map) (refused string, complaints []string) {
	switch provider, _ := m.Str("quorum.provider"); provider {
	case providerVote:
	case "":
		return "", nil
	default:
		return errProvider, nil
	}
	v, err := vote.New(1, ReadConfig(m))
	for _, e := range v.Take() {
		if l, ok := e.(vote.Log); ok && l.Level <= service.LevelWarning {
			complaints = append(complaints, l.Text)
		}
	}
	if err != nil {
		refused = err.Error()
	}
	return refused, complaints
}

func millis(m *cmap.Map, key string, def time.Duration) time.Duration {
	if ms, ok := m.U32(key); ok {
		return time.Duration(ms) * time.Millisecond
	}
	return def
}

// readNodes sums up the nodelist; nil without one that has us.
func readNodes(m *cmap.Map) *vote.NodeList {
	own, ok := m.U32("nodelist.local_node_pos")
	if !ok {
		return nil
	}
	l := &vote.NodeList{}
	const prefix = "nodelist.node."
	last := ""
	for key := range m.All(prefix) {
		pos, rest, ok := strings.Cut(key[len(prefix):], ".")
		if !ok || rest == "" || pos == last {
			continue
		}
		n, err := strconv.ParseUint(pos, 10, 32)
		if err != nil {
			continue
		}
		last = pos
		votes, ok := m.U32(prefix + pos + ".quorum_votes")
		if !ok {
			votes = 1
		}
		l.Count++
		l.Votes += votes
		if uint32(n) == own {
			l.OwnVotes = votes
		}
	}
	return l
}

// readDevice reads quorum.device; nil if there is none.
func readDevice(m *cmap.Map) *vote.Device {
	if model, _ := m.Str("quorum.device.model"); model == "" {
		return nil
	}
	d := &vote.Device{
		Votes:       vote.DeviceVotesAuto,
		Timeout:     millis(m, "quorum.device.timeout", vote.DefaultDeviceTimeout),
		SyncTimeout: millis(m, "quorum.device.sync_timeout", vote.DefaultDeviceSyncTimeout),
	}
	if votes, ok := m.U32("quorum.device.votes"); ok {
		d.Votes = int64(votes)
	}
	return d
}

package vote

import (
	"errors"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Defaults (votequorum.c: DEFAULT_LMS_WIN, VOTEQUORUM_QDEVICE_DEFAULT_*).
const (
	DefaultLastManWindow     = 10 * time.Second
	DefaultDeviceTimeout     = 10 * time.Second
	DefaultDeviceSyncTimeout = 30 * time.Second
)

// Config is the quorum and nodelist part of the configuration. At a reload
// Nodes, Device, TwoNode, ExpectedVotes and Votes are read again; the features
// are those of the start.
type Config struct {
	Nodes *NodeList // nil: no nodelist, or we are not in it
	// ExpectedVotes is quorum.expected_votes, 0 if absent; Votes is quorum.votes.
	ExpectedVotes, Votes uint32
	TwoNode              uint8
	Device               *Device // nil: quorum.device.model is absent or empty

	WaitForAll            bool
	WaitForAllSet         bool // else it follows two_node
	LastManStanding       bool
	LastManWindow         time.Duration
	AutoTieBreaker        bool
	AutoTieBreakerNode    string // auto_tie_breaker_node
	AllowDownscale        bool
	ExpectedVotesTracking bool
	// TrackingBarrier is what SaveBarrier stored last; read if
	// ExpectedVotesTracking or AllowDownscale is set.
	TrackingBarrier uint32
}

// NodeList sums up the nodelist.
type NodeList struct {
	Count    uint32
	Votes    uint32 // of all nodes
	OwnVotes uint32
}

// DeviceVotesAuto stands for an absent quorum.device.votes: one less than the
// number of nodes.
const DeviceVotesAuto = -1

// Device is quorum.device.
type Device struct {
	Votes                int64
	Timeout, SyncTimeout time.Duration
}

// TieBreaker is the way in which a tie of two halves is broken; the numbers
// are those of the key atb_type.
type TieBreaker uint8

const (
	ATBNone TieBreaker = iota
	ATBLowest
	ATBHighest
	ATBList
)

// features are the settings in force.
type features struct {
	twoNode           uint8
	waitForAll        bool
	waitForAllAuto    bool // follows two_node
	lastMan           bool
	lastManWindow     time.Duration
	tieBreaker        TieBreaker
	tieBreakerAtStart TieBreaker
	tieList           []uint32
	allowDownscale    bool
	tracking          bool
	deviceTimeout     time.Duration
	deviceSyncTimeout time.Duration
}

// start applies the configuration of the start; the error's text is upstream's.
func (v *Vote) start(c *Config) error {
	if err := v.checkBasics(c, false); err != nil {
		return err
	}
	v.twoNode = c.TwoNode
	if c.TwoNode != 0 && c.Device != nil {
		return errors.New(errTwoNodeDevice)
	}
	v.allowDownscale = c.AllowDownscale
	v.waitForAll, v.waitForAllAuto = c.WaitForAll, !c.WaitForAllSet
	v.lastMan, v.lastManWindow = c.LastManStanding, c.LastManWindow
	v.tracking = c.ExpectedVotesTracking || c.AllowDownscale
	if c.AutoTieBreaker {
		v.tieBreaker = ATBLowest
		v.key("atb_type", KeyU32, uint32(v.tieBreaker))
		if c.AutoTieBreakerNode != "" {
			v.parseTieBreaker(c.AutoTieBreakerNode)
		}
	} else if c.AutoTieBreakerNode != "" {
		v.logf(service.LevelWarning, "auto_tie_breaker_node: is meaningless if auto_tie_breaker is set to 0")
	}
	v.tieBreakerAtStart = v.tieBreaker
	if v.tracking {
		v.setTrackingBarrier(c.TrackingBarrier)
	}
	return v.apply(c, false)
}

// Reload applies a changed configuration and tells the other nodes. What does
// not fit together is logged, and the device or two_node is switched off.
func (v *Vote) Reload(c *Config) {
	votes, expected := v.us.votes, v.us.expected
	v.tieBreaker = v.tieBreakerAtStart
	v.key("atb_type", KeyU32, uint32(v.tieBreaker))
	v.twoNode = c.TwoNode
	if v.checkBasics(c, true) == nil {
		if c.TwoNode != 0 && c.Device != nil {
			v.logf(service.LevelCrit, errTwoNodeDevice)
			if v.us.flags&wire.FlagQdeviceRegistered != 0 {
				v.logf(service.LevelCrit, "quorum device is registered, disabling two_node")
				v.twoNode = 0
			} else {
				v.logf(service.LevelCrit, "quorum device is not registered, allowing two_node")
				v.setCanOperate(false)
			}
		}
		_ = v.apply(c, true) // logged
	}
	v.sendInfo(v.us)
	v.sendInfo(&v.device)
	if v.us.votes != votes {
		v.emit(SendReconfigure{wire.Reconfigure{Node: v.us.id, Value: v.us.votes, Param: wire.ParamNodeVotes}})
	}
	if v.us.expected != expected {
		v.emit(SendReconfigure{wire.Reconfigure{Node: v.us.id, Value: v.us.expected, Param: wire.ParamExpectedVotes}})
	}
}

// Texts of configurations that cannot work (votequorum.c: votequorum_readconfig).
const (
	errNoVotes        = "configuration error: nodelist or quorum.expected_votes must be configured!"
	errTwoNodeDevice  = "configuration error: two_node and quorum device cannot be configured at the same time!"
	errOddTieBreaker  = "configuration error: auto_tie_breaker & last_man_standing not available in odd sized cluster"
	errDeviceLMS      = "configuration error: quorum.device is not compatible with last_man_standing"
	errDeviceATB      = "configuration error: quorum.device is not compatible with auto_tie_breaker"
	errDeviceDown     = "configuration error: quorum.device is not compatible with allow_downscale"
	errDeviceNoVotes  = "configuration error: quorum.device.votes must be specified when quorum.expected_votes is set"
	errDeviceUneven   = "configuration error: quorum.device.votes must be specified when not all nodes votes 1"
	errDeviceTooManyV = "configuration error: quorum.device.votes is too high or expected_votes is too low"
)

// checkBasics takes over the device's settings and checks that there are votes
// at all.
func (v *Vote) checkBasics(c *Config, running bool) error {
	if c.Device != nil {
		v.deviceTimeout, v.deviceSyncTimeout = c.Device.Timeout, c.Device.SyncTimeout
		v.setCanOperate(true)
	}
	if c.Nodes != nil || c.ExpectedVotes != 0 {
		return nil
	}
	if running {
		v.logf(service.LevelCrit, errNoVotes)
		v.logf(service.LevelCrit, "will continue with current runtime data")
	}
	return errors.New(errNoVotes)
}

func (v *Vote) setCanOperate(on bool) {
	v.canOperate = on
	var x uint32
	if on {
		x = 1
	}
	v.key("qdevice_can_operate", KeyU8, x)
}

// apply checks what start and reload check alike, then sets the votes.
func (v *Vote) apply(c *Config, running bool) error {
	if v.waitForAllAuto {
		v.waitForAll = v.twoNode != 0
	}
	if v.twoNode != 0 && v.tieBreaker != ATBNone {
		v.logf(service.LevelCrit, "two_node and auto_tie_breaker are both specified but are not compatible.")
		v.logf(service.LevelCrit, "two_node has been disabled, please fix your corosync.conf")
		v.twoNode = 0
	}
	if err := v.checkOdd(c); err != nil {
		return err
	}
	if c.Device != nil {
		if err := v.checkDevice(c, running); err != nil {
			return err
		}
	}
	v.setVotes(c)
	v.setBarrier(v.us.expected)
	v.key("two_node", KeyU8, uint32(v.twoNode))
	switch {
	case v.waitForAll && !running:
		v.setWaiting(true)
	case !v.waitForAll && v.waitForAllAuto && v.waiting:
		v.setWaiting(false)
	}
	return nil
}

// checkOdd: in a cluster of an odd number of votes the larger half without the
// tie breaker would have quorum after a reboot, unless it waits for all.
func (v *Vote) checkOdd(c *Config) error {
	if v.tieBreaker == ATBNone || c.Nodes == nil || c.Nodes.Votes%2 == 0 || v.waitForAll {
		return nil
	}
	if v.lastMan {
		for _, s := range [...]string{
			"auto_tie_breaker is set, the cluster has an odd number of nodes",
			"and last_man_standing is also set. With this situation a better",
			"solution would be to disable LMS, leave ATB enabled, and also",
			"enable wait_for_all (mandatory for ATB in odd-numbered clusters).",
			"Due to this ambiguity, corosync will fail to start. Please fix your corosync.conf",
		} {
			v.logf(service.LevelCrit, "%s", s)
		}
		return errors.New(errOddTieBreaker)
	}
	v.logf(service.LevelCrit, "auto_tie_breaker is set and the cluster has an odd number of nodes.")
	v.logf(service.LevelCrit, "wait_for_all needs to be set for this configuration but it is missing")
	v.logf(service.LevelCrit, "Therefore auto_tie_breaker has been disabled. Please fix your corosync.conf")
	v.tieBreaker = ATBNone
	v.key("atb_type", KeyU32, uint32(v.tieBreaker))
	return nil
}

// checkDevice finds what a quorum device does not go with. At a reload the
// device is switched off instead of an error.
func (v *Vote) checkDevice(c *Config, running bool) error {
	auto := c.Device.Votes == DeviceVotesAuto
	for _, x := range [...]struct {
		bad  bool
		text string
	}{
		{v.lastMan, errDeviceLMS},
		{v.tieBreaker != ATBNone, errDeviceATB},
		{v.allowDownscale, errDeviceDown},
		{c.ExpectedVotes != 0 && auto, errDeviceNoVotes},
		{auto && c.Nodes != nil && c.Nodes.Count != c.Nodes.Votes, errDeviceUneven},
		{c.ExpectedVotes != 0 && c.Device.Votes > 0 && int64(c.ExpectedVotes)-c.Device.Votes < 2, errDeviceTooManyV},
	} {
		if !x.bad {
			continue
		}
		if !running {
			return errors.New(x.text)
		}
		v.logf(service.LevelCrit, "%s", x.text)
		v.logf(service.LevelCrit, "disabling quorum device operations")
		v.setCanOperate(false)
	}
	return nil
}

// setVotes sets the votes of this node and of the device, and the expected ones.
func (v *Vote) setVotes(c *Config) {
	expected := c.ExpectedVotes
	nodeExpected := uint32(0)
	if c.Nodes != nil {
		nodeExpected = c.Nodes.Votes
	}
	deviceVotes := int64(0)
	if c.Device != nil {
		deviceVotes = c.Device.Votes
		if deviceVotes == DeviceVotesAuto && expected == 0 && c.Nodes != nil && c.Nodes.Count == c.Nodes.Votes {
			deviceVotes = int64(nodeExpected) - 1
			nodeExpected += uint32(deviceVotes)
		}
	}
	// The barrier replaces quorum.expected_votes even when it is 0, as upstream: the
	// nodelist counts then. Without one, a node that tracks for the first time would
	// expect no votes and be quorate alone.
	if v.tracking && (v.trackingBarrier != 0 || v.literal || c.Nodes != nil) {
		expected = v.trackingBarrier
	}
	if c.Nodes != nil {
		v.us.votes, v.us.expected = min(c.Nodes.OwnVotes, votesMax), min(nodeExpected, votesMax)
	} else {
		v.us.votes = min(c.Votes, votesMax)
	}
	if expected != 0 {
		v.us.expected = min(expected, votesMax)
	}
	if deviceVotes != DeviceVotesAuto {
		v.device.votes = uint32(min(max(deviceVotes, 0), votesMax))
	}
}

// parseTieBreaker reads auto_tie_breaker_node: lowest, highest, or node ids
// separated by spaces, up to the first thing that is not one.
func (v *Vote) parseTieBreaker(s string) {
	v.tieBreaker, v.tieList = ATBNone, nil
	switch s {
	case "lowest":
		v.tieBreaker = ATBLowest
	case "highest":
		v.tieBreaker = ATBHighest
	default:
		v.tieList = leadingNumbers(s)
		if len(v.tieList) > 0 {
			v.tieBreaker = ATBList
		}
	}
	v.key("atb_type", KeyU32, uint32(v.tieBreaker))
	if v.tieBreaker == ATBNone {
		v.logf(service.LevelWarning, "auto_tie_breaker_nodes is not valid. It must be 'lowest', 'highest' or a "+
			"space-separated list of node IDs. auto_tie_breaker is disabled")
	}
}

// leadingNumbers reads numbers as repeated strtol does: white space, digits,
// until nothing or a zero is read.
func leadingNumbers(s string) []uint32 {
	var out []uint32
	for {
		for len(s) > 0 && (s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r') {
			s = s[1:]
		}
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		x, err := strconv.ParseUint(s[:n], 10, 32)
		if err != nil || x == 0 {
			return out
		}
		out = append(out, uint32(x))
		s = s[n:]
	}
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// runTimeSteps are keys that an operator sets or deletes (-) while corosync runs. After
// each one every setting is what it is on the original; steps of which a comment
// says why not are left out of that, and the next one has to be equal again.
const runTimeSteps = `
totem.token u32 2000
totem.token u32 10 # refused: the original shows it in runtime.config
totem.token u32 1500
totem.token u64 1700
totem.token str abc
- totem.token
totem.consensus u32 3000
totem.consensus u32 20 # refused
- totem.consensus
totem.join u32 70
totem.join u32 5 # refused
- totem.join
totem.hold u32 100
totem.token_retransmit u32 200
totem.token_retransmits_before_loss_const u32 7
totem.token_warning u32 200 # refused
totem.token_warning u32 0
totem.token_coefficient u32 100
totem.window_size u32 20
totem.window_size u32 1000
totem.max_messages u32 30
totem.max_messages u32 0
totem.miss_count_const u32 9
totem.fail_recv_const u32 50
totem.seqno_unchanged_const u32 3
totem.heartbeat_failures_allowed u32 2
totem.max_network_delay u32 60
totem.max_network_delay u32 6 # refused
totem.max_network_delay u32 61
totem.merge u32 300
totem.downcheck u32 900
totem.send_join u32 40
totem.netmtu u32 1400
totem.cancel_token_hold_on_retransmit str yes
totem.cancel_token_hold_on_retransmit str maybe
- totem.cancel_token_hold_on_retransmit
totem.block_unlisted_ips str no
totem.transport str udp
totem.config_version u64 3
totem.version u32 3
totem.secauth str on
totem.crypto_cipher str aes256
totem.knet_pmtud_interval u32 7
totem.knet_mtu u32 1300
totem.knet_compression_model str zlib
totem.knet_compression_level i32 3
totem.knet_compression_threshold u32 200
totem.link_mode str active
totem.interface.0.knet_link_priority u8 7
totem.interface.0.knet_ping_interval u32 300
totem.interface.0.knet_ping_timeout u32 900
totem.interface.0.knet_pong_count u32 4
totem.interface.0.mcastport u16 5555
totem.nosuch str x
nodelist.node.0.quorum_votes u32 3
nodelist.node.1.nodeid u32 7
quorum.expected_votes u32 3
quorum.expected_votes u32 0
quorum.expected_votes u32 1
quorum.votes u32 2
quorum.two_node u8 1
quorum.wait_for_all u8 1
quorum.device.model str net
quorum.device.votes u32 1
quorum.two_node u8 0
quorum.expected_votes u32 3
- quorum.device.votes # the original looks at it before it is gone
- quorum.device.model
quorum.leaving_timeout u32 5
quorum.last_man_standing u8 1
quorum.auto_tie_breaker u8 1
quorum.allow_downscale u8 1
quorum.provider str x
logging.debug str on
logging.debug str sometimes
- logging.debug
logging.timestamp str off
logging.timestamp str hires
logging.to_syslog str nope
logging.to_syslog str no
logging.syslog_facility str nosuch
logging.syslog_facility str daemon
logging.logfile_priority str noprio
logging.logfile_priority str info
logging.logfile str /nosuch/dir/x.log
logging.logfile str /var/log/corosync/corosync.log
logging.logger_subsys.CPG.debug str on
logging.logger_subsys.CPG.debug str off
uidgid.uid.0 u8 1
uidgid.config.uid.0 u8 1
config.totemconfig_reload_in_progress u8 1
config.reload_in_progress u8 1
runtime.force_gather str yes
runtime.config.totem.token u32 7
resources.system.load_15min.recovery str none
system.sched_rr str no
internal_configuration.x u8 1
totem.token u32 3000
`

var runTimeRE = regexp.MustCompile(`(?m)^(?:totem|quorum|logging|nodelist|uidgid|system|config|internal_configuration|runtime\.config|runtime\.votequorum|resources)\..*$`)

// TestRunTimeKeys: keys set and deleted one after the other while corosync runs have the
// same effect, or are refused with the same words, on the original and on ours.
func TestRunTimeKeys(t *testing.T) {
	labtest.Long(t, "TestReloadWhole")
	for _, transport := range []string{"udpu", "knet"} {
		t.Run(transport, func(t *testing.T) {
			labtest.Corosync(t)
			ctx := labtest.Context(t, 5*time.Minute)
			l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Corosync: lab.Debian}, {Corosync: lab.Ours}}})
			for _, n := range l.Members() { // each is a ring of its own
				putConf(t, n, lab.Conf{Transport: transport, Totem: []string{"token: 1000"}}.Render("runtime", []*lab.Node{n}, 1))
				must(t, os.WriteFile(n.Path("/etc/corosync/authkey"), lab.Authkey("x"), 0o400))
				must(t, l.StartRing(ctx, n))
			}
			for line := range strings.Lines(strings.TrimPrefix(runTimeSteps, "\n")) {
				step, why, _ := strings.Cut(strings.TrimSpace(line), " # ")
				runTimeStep(t, ctx, l, step, why)
			}
		})
	}
}

// runTimeStep does it on both nodes and compares: what the tool says, then all settings.
func runTimeStep(t *testing.T, ctx context.Context, l *lab.Lab, step, why string) {
	t.Helper()
	args := append([]string{"corosync-cmapctl", "-s"}, strings.Fields(step)...)
	if key, ok := strings.CutPrefix(step, "- "); ok {
		args = []string{"corosync-cmapctl", "-d", key}
	}
	var said [2]string
	ours := l.Node("n2")
	before := runTimeSettings(ctx, ours)
	for i, n := range l.Members() {
		res, _ := n.Exec(ctx, args...) // its status is compared
		said[i] = fmt.Sprint(res.Code, " ", res.Stdout, res.Stderr)
	}
	if said[0] != said[1] {
		t.Errorf("%s: the original's %q, ours %q", step, said[0], said[1])
	}
	if strings.HasPrefix(why, "refused") {
		ofRing := regexp.MustCompile(`(?m)^runtime\.config\..*$`)
		used := func(settings string) string { return strings.Join(ofRing.FindAllString(settings, -1), "\n") }
		if diff := differs(used(before), used(runTimeSettings(ctx, ours))); diff != nil {
			t.Errorf("%s: what is refused has an effect: %q", step, diff)
		}
	}
	if why != "" {
		return
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var now [2]string
	if err := lab.Wait(wait, "equal settings", func() bool {
		for i, n := range l.Members() {
			now[i] = runTimeSettings(ctx, n)
		}
		return now[0] == now[1]
	}); err != nil {
		t.Errorf("%s: settings of the original alone (-), of ours alone (+): %q", step, differs(now[0], now[1]))
	}
}

// runTimeSettings are the settings of a node, as if it were n1.
func runTimeSettings(ctx context.Context, n *lab.Node) string {
	res, _ := n.Exec(ctx, "corosync-cmapctl") // without an answer nothing is equal
	text := strings.Join(runTimeRE.FindAllString(res.Stdout, -1), "\n")
	text = strings.ReplaceAll(text, n.Addr(0), "ADDRESS")
	text = regexp.MustCompile(`(nodeid|node_id) \(u32\) = `+fmt.Sprint(n.ID())+`\b`).ReplaceAllString(text, "$1 (u32) = ID")
	return regexp.MustCompile(`= `+n.Name()+`\b`).ReplaceAllString(text, "= NAME")
}

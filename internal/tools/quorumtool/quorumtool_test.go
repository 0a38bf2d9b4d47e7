package quorumtool

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/quorum/wire"
)

func TestArguments(t *testing.T) {
	help := fmt.Sprintf(usage, "/usr/sbin/corosync-quorumtool")
	for _, tt := range []struct {
		args      string
		status    int
		out, errs string
	}{
		{"-h", 0, help, ""},
		{"-x", 1, help, "/usr/sbin/corosync-quorumtool: invalid option -- 'x'\n"},
		{"-V", 0, "corosync-quorumtool version: 3.1.7\n", ""},
		{"-e 0", 1, "", "New expected votes value was not valid, try a positive number\n"},
		{"-v x", 1, "", "New votes value was not valid, try a positive number or zero\n"},
		{"-n 4294967296", 1, "", "The nodeid was not valid, try a positive number\n"},
		{"-o x", 1, "", "Invalid ordering option. valid orders are a(address), i(node ID) or n(name)\n"},
	} {
		var out, errs bytes.Buffer
		status := Run(&applet.Env{Name: "corosync-quorumtool", Argv0: "/usr/sbin/corosync-quorumtool", Args: strings.Fields(tt.args), Stdout: &out, Stderr: &errs})
		if status != tt.status || out.String() != tt.out || errs.String() != tt.errs {
			t.Errorf("%s: %d %q %q, want %d %q %q", tt.args, status, &out, &errs, tt.status, tt.out, tt.errs)
		}
	}
}

func TestVotequorumPart(t *testing.T) {
	var out bytes.Buffer
	p := &program{out: libc.NewStdout(&out)}
	p.votequorum(&wire.VoteInfo{Expected: 3, HighestExpected: 3, TotalVotes: 2, Quorum: 2, Flags: wire.InfoQuorate | wire.InfoTwoNode})
	p.votequorum(&wire.VoteInfo{Expected: 3, HighestExpected: 3, TotalVotes: 1, Quorum: 2})
	p.out.Flush()
	want := "\nVotequorum information\n----------------------\nExpected votes:   3\nHighest expected: 3\nTotal votes:      2\n" +
		"Quorum:           2  \nFlags:            2Node Quorate \n" +
		"\nVotequorum information\n----------------------\nExpected votes:   3\nHighest expected: 3\nTotal votes:      1\n" +
		"Quorum:           2 Activity blocked\nFlags:            \n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestDeviceRow(t *testing.T) {
	for flags, want := range map[wire.InfoFlags]string{
		0: "NR", wire.InfoQdeviceRegistered: "NA,NV,NMW",
		wire.InfoQdeviceRegistered | wire.InfoQdeviceAlive | wire.InfoQdeviceCastVote | wire.InfoQdeviceMasterWins: "A,V,MW",
	} {
		if got := deviceState(flags); got != want {
			t.Errorf("%d: %s, want %s", flags, got, want)
		}
	}
	var out bytes.Buffer
	p := &program{out: libc.NewStdout(&out)}
	info := wire.VoteInfo{QdeviceVotes: 2, QdeviceName: "Qdev"}
	p.device(&info, wire.InfoQdeviceCastVote)
	p.device(&info, 0)
	p.out.Flush()
	if want := "         0          2            Qdev\n         0          0            Qdev (votes 2)\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

package quorumtool

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/quorum/wire"
)

func TestArguments(t *testing.T) {
	help := fmt.Sprintf(usage, "/usr/sbin/corosync-quorumtool")
	applettest.Check(t, Run, "/usr/sbin/corosync-quorumtool", []applettest.Case{
		{Args: "-h", Stdout: help},
		{Args: "-x", Status: 1, Stdout: help, Stderr: "/usr/sbin/corosync-quorumtool: invalid option -- 'x'\n"},
		{Args: "-V", Stdout: "corosync-quorumtool version: 3.1.7\n"},
		{Args: "-e 0", Status: 1, Stderr: "New expected votes value was not valid, try a positive number\n"},
		{Args: "-v x", Status: 1, Stderr: "New votes value was not valid, try a positive number or zero\n"},
		{Args: "-n 4294967296", Status: 1, Stderr: "The nodeid was not valid, try a positive number\n"},
		{Args: "-o x", Status: 1, Stderr: "Invalid ordering option. valid orders are a(address), i(node ID) or n(name)\n"},
	}...)
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

package cfgtool

import (
	"bytes"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/libc"
)

func TestArguments(t *testing.T) {
	applettest.Check(t, Run, "corosync-cfgtool", []applettest.Case{
		{Args: "", Stdout: usage},
		{Args: "-h", Stdout: usage},
		{Args: "-r -b --force", Stdout: usage},
		{Args: "-x", Status: 1, Stderr: "corosync-cfgtool: invalid option -- 'x'\n"},
		{Args: "--help", Stdout: usage},
		{Args: "--bogus", Status: 1, Stderr: "corosync-cfgtool: unrecognized option '--bogus'\n"},
		{Args: "-k 0", Status: 1, Stderr: "The nodeid was not valid, try a positive number\n"},
		{Args: "-a x", Status: 1, Stderr: "The nodeid was not valid, try a positive number\n"},
	}...)
}

func TestIsNodeID(t *testing.T) {
	for key, want := range map[string]bool{
		"nodelist.node.0.nodeid": true, "nodelist.node.12.nodeid": true, "nodelist.node.0.nodeidx": false,
		"nodelist.node.0.name": false, "nodelist.node.x.nodeid": false, "nodelist.node.nodeid": false, "totem.version": false,
	} {
		if got := isNodeID(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func TestLinkTexts(t *testing.T) {
	status := make([]cfgclient.NodeStatus, 3)
	for i := range status {
		status[i].Node = uint32(i + 1)
	}
	status[1].Links[0] = cfgclient.Link{Enabled: true, Connected: true, DynConnected: true, MTU: 1446, Source: "10.0.0.1", Destination: "10.0.0.2"}
	status[2].Links[0] = cfgclient.Link{Enabled: true}
	var out bytes.Buffer
	p := &program{out: libc.NewStdout(&out)}
	p.briefStates(status, 0, 0)
	p.states(status, 0, 0)
	p.showLink(&cluster{transport: "knet", link: [8]string{"udp"}}, 0, &status[1].Links[0])
	p.showLink(&cluster{transport: "udpu"}, 0, &status[1].Links[0])
	p.out.Flush()
	want := "\tstatus\t= n31\n\tstatus:\n\t\tnodeid:          1:\tlocalhost\n\t\tnodeid:          2:\tconnected\n\t\tnodeid:          3:\tdisconnected\n" +
		"   LINK: 0 udp (10.0.0.1->10.0.0.2) enabled connected dynconnected mtu: 1446\n" +
		"   LINK: 0  (10.0.0.110.0.0.2) enabled connected dynconnected mtu: 1446\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

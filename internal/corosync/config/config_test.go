package config

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

const confPath = "/etc/corosync/corosync.conf"

func load(t *testing.T, e *configtest.Env, conf string) (*Config, *cmap.Map, error) {
	t.Helper()
	if e.Files == nil {
		e.Files = map[string]string{}
	}
	e.Files[confPath] = conf
	m, err := Parse(e, confPath)
	if err != nil {
		return nil, nil, err
	}
	c, err := Derive(m, e)
	return c, m, err
}

const threeNodes = `
totem {
	version: 2
	transport: udpu
	cluster_name: demo
	token: 1000
}
nodelist {
	node {
		name: n1
		nodeid: 1
		ring0_addr: 10.0.0.1
	}
	node {
		name: n2
		nodeid: 2
		ring0_addr: 10.0.0.2
		quorum_votes: 3
	}
	node {
		ring0_addr: 10.0.0.3
	}
}
`

func TestThreeNodesOverUDPU(t *testing.T) {
	c, m, err := load(t, &configtest.Env{Host: "n2"}, threeNodes)
	if err != nil {
		t.Fatal(err)
	}
	if c.Transport != UDPU || c.NodeID != 2 || c.Self != 1 || len(c.Nodes) != 3 || c.Nodes[1].Votes != 3 {
		t.Errorf("config: %+v", c)
	}
	if c.Nodes[2].ID != 10<<24+3 { // made from the address
		t.Errorf("generated node id %d", c.Nodes[2].ID)
	}
	if c.Totem.Token != 1650*time.Millisecond || c.Totem.Consensus != 1980*time.Millisecond || c.Totem.Hold != 303*time.Millisecond {
		t.Errorf("timers: %+v", c.Totem)
	}
	for key, want := range map[string]cmap.Value{
		"runtime.config.totem.token":                          cmap.U32(1650),
		"runtime.config.totem.interface.0.knet_ping_interval": cmap.U32(412),
		"runtime.config.totem.knet_compression_level":         cmap.I32(0),
		"runtime.config.totem.block_unlisted_ips":             cmap.U32(1),
		"nodelist.local_node_pos":                             cmap.U32(1),
		"nodelist.node.2.nodeid":                              cmap.U32(10<<24 + 3),
		"totem.interface.0.bindnetaddr":                       cmap.Str("10.0.0.2"),
		"totem.token":                                         cmap.U32(1000),
	} {
		if got, _ := m.Get(key); got != want {
			t.Errorf("%s = %v %v, want %v %v", key, got.Type, got, want.Type, want)
		}
	}
	if l := c.Links[0]; l.Port != 5405 || l.Local.String() != "10.0.0.2" || len(l.Members) != 3 {
		t.Errorf("link 0: %+v", l)
	}
}

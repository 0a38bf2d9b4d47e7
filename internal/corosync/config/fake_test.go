package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// fakeEnv is a machine of the test's making.
type fakeEnv struct {
	files map[string]string
	host  string
	local []string
	names map[string][]string // name -> addresses
	rev   map[string]string
}

func (e *fakeEnv) ReadFile(path string, limit int) ([]byte, error) {
	s, ok := e.files[path]
	if !ok {
		return nil, fileError("No such file or directory")
	}
	return []byte(s[:min(limit, len(s))]), nil
}

func (e *fakeEnv) ListFiles(dir string) []string {
	var out []string
	for path := range e.files {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

func (e *fakeEnv) UserID(name string) (uint32, bool)  { return 107, name == "hacluster" }
func (e *fakeEnv) GroupID(name string) (uint32, bool) { return 113, name == "haclient" }
func (e *fakeEnv) Hostname() string                   { return e.host }
func (e *fakeEnv) NameOf(a netip.Addr) string         { return e.rev[a.String()] }

func (e *fakeEnv) LocalAddrs() []netip.Addr {
	var out []netip.Addr
	for _, s := range e.local {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func (e *fakeEnv) Resolve(name string, v4, v6 bool) []netip.Addr {
	list := e.names[name]
	if _, err := netip.ParseAddr(name); err == nil {
		list = []string{name}
	}
	var out []netip.Addr
	for _, s := range list {
		if a := netip.MustParseAddr(s); a.Is4() && v4 || a.Is6() && v6 {
			out = append(out, a)
		}
	}
	return out
}

const confPath = "/etc/corosync/corosync.conf"

func load(t *testing.T, e *fakeEnv, conf string) (*Config, *cmap.Map, error) {
	t.Helper()
	if e.files == nil {
		e.files = map[string]string{}
	}
	e.files[confPath] = conf
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
	c, m, err := load(t, &fakeEnv{host: "n2"}, threeNodes)
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

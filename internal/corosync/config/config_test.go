package config

import (
	"errors"
	"fmt"
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

func TestUpdateAfterAWriteIntoCmap(t *testing.T) {
	c, m, err := load(t, &configtest.Env{Host: "n2"}, threeNodes)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Set("totem.token", cmap.U32(5000))
	next, err := Update(m, c)
	if err != nil || next.Totem.Token != 5650*time.Millisecond || c.Totem.Token != 1650*time.Millisecond {
		t.Fatalf("token %v, before %v, %v", next.Totem.Token, c.Totem.Token, err)
	}
	if n, _ := m.U32("runtime.config.totem.consensus"); n != 6780 {
		t.Errorf("runtime consensus %d", n)
	}
	_ = m.Delete("totem.token") // back to the default
	if next, err = Update(m, c); err != nil || next.Totem.Token != 3650*time.Millisecond {
		t.Errorf("without key: %v, %v", next.Totem.Token, err)
	}
	_ = m.Set("totem.join", cmap.U32(5))
	_, err = Update(m, c)
	if err == nil || err.Error() != "parse error in config: The join timeout parameter (5 ms) may not be less than (30 ms)." {
		t.Errorf("bad value: %v", err)
	}
	if n, _ := m.U32("runtime.config.totem.join"); n != 50 {
		t.Errorf("a refused value shows as effective: %d", n)
	}
	for key, want := range map[string]bool{"totem.token": true, "totem.token_coefficient": true, "totem.config_version": false, "totem.interface.0.ttl": false} {
		if Volatile(key) != want {
			t.Errorf("Volatile(%s) = %v", key, !want)
		}
	}
}

func TestFindLocalNode(t *testing.T) {
	const conf = `
totem {
	version: 2
	transport: udpu
}
nodelist {
	node {
		ring0_addr: 10.0.0.1
		name: alpha.example.org
	}
	node {
		ring0_addr: beta
		nodeid: 7
	}
	node {
		ring0_addr: 10.0.0.3
	}
}
`
	names := map[string][]string{"beta": {"10.0.0.2"}, "alpha.example.org": {"10.0.0.1"}}
	for _, x := range []struct {
		name string
		env  configtest.Env
		want int
	}{
		{"exact", configtest.Env{Host: "alpha.example.org"}, 0},
		{"ring0_addr", configtest.Env{Host: "beta"}, 1},
		{"host name stripped", configtest.Env{Host: "beta.some.where"}, 1},
		{"nodelist stripped", configtest.Env{Host: "alpha"}, 0},
		{"both stripped", configtest.Env{Host: "alpha.other.net"}, 0},
		{"name of an address", configtest.Env{Host: "zz", Local: []string{"172.16.0.1"}, Reverse: map[string]string{"172.16.0.1": "beta"}}, 1},
		{"name of an address stripped", configtest.Env{Host: "zz", Local: []string{"172.16.0.1"}, Reverse: map[string]string{"172.16.0.1": "beta.x.y"}}, 1},
		{"address", configtest.Env{Host: "zz", Local: []string{"127.0.0.1", "10.0.0.3"}}, 2},
		{"resolved name", configtest.Env{Host: "zz", Local: []string{"127.0.0.1", "10.0.0.2"}}, 1},
	} {
		x.env.Names = names
		c, m, err := load(t, &x.env, conf)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if pos, _ := m.U32("nodelist.local_node_pos"); int(pos) != x.want || c.Self != x.want {
			t.Errorf("%s: node %d, Self %d, want %d", x.name, pos, c.Self, x.want)
		}
	}
	_, _, err := load(t, &configtest.Env{Host: "zz", Local: []string{"127.0.0.1"}, Names: names}, conf)
	if err == nil || err.Error() != "parse error in config: No valid name found for local host" {
		t.Errorf("nobody: %v", err)
	}
}

// TestWhereWeDiffer: the original dumps core on the first, and misses the
// second because it compares in the order of the keys' bytes.
func TestWhereWeDiffer(t *testing.T) {
	e := &configtest.Env{Host: "n1"}
	_, _, err := load(t, e, "totem {\n\tconfig_version: abc\n}\n")
	want := `parser error: ` + confPath + `:2: Value of key "totem.config_version" is expected to be integer in range (0..18446744073709551615), but "abc" was given`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	conf := "totem {\n\tversion: 2\n\ttransport: udpu\n}\nnodelist {\n"
	for i := range 12 {
		id := i + 1
		if i == 11 {
			id = 3 // as the third
		}
		conf += fmt.Sprintf("\tnode {\n\t\tname: n%d\n\t\tring0_addr: 10.0.0.%d\n\t\tnodeid: %d\n\t}\n", i+1, i+1, id)
	}
	_, _, err = load(t, e, conf+"}\n")
	if err == nil || err.Error() != "Nodeid 3 appears twice in corosync.conf" {
		t.Errorf("duplicate among many: %v", err)
	}
}

// TestKeysOfSections: what becomes of keys in the odd corners of the file.
func TestKeysOfSections(t *testing.T) {
	_, m, err := load(t, &configtest.Env{Host: "n2", Files: map[string]string{"/etc/corosync/uidgid.d/a": "uidgid {\n uid: hacluster\n gid: haclient\n}\n"}}, threeNodes+`
uidgid {
	uid: 33
}
totem {
	interface {
		linknumber: 0
		mcastport: 5500
		mcastport: 5501
	}
	token.x: 7
}
logging {
	logger_subsys {
		subsys: CPG
		debug: on
		debug: off
	}
	logging_daemon {
		name: corosync
		subsys: QB
		to_syslog: no
	}
	logging_daemon {
		name: qdevice
		debug: on
	}
}
quorum {
	device {
		model: net
		net {
			host: q1
		}
	}
}
resources {
	system {
		load_15min {
			poll_period: 5000
			max: 8.56
		}
	}
	process {
		poll_period: 7
	}
}
pload {
	count: 5
}
totem.outside: 9
`)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]cmap.Value{
		"uidgid.config.uid.33": cmap.U8(1), "uidgid.config.uid.107": cmap.U8(1), "uidgid.config.gid.113": cmap.U8(1),
		"totem.interface.0.mcastport": cmap.U16(5501), "totem.token.x": cmap.Str("7"), "totem.outside": cmap.Str("9"),
		"logging.logger_subsys.CPG.debug": cmap.Str("on"), "logging.logger_subsys.CPG.subsys": cmap.Str("CPG"),
		"logging.logger_subsys.QB.to_syslog": cmap.Str("no"), "logging.logger_subsys.QB.subsys": cmap.Str("QB"),
		"logging.logging_daemon.qdevice.debug": cmap.Str("on"), "logging.logging_daemon.qdevice.name": cmap.Str("qdevice"),
		"quorum.device.net.host": cmap.Str("q1"), "resources.system.load_15min.poll_period": cmap.U64(5000),
		"resources.system.load_15min.max": cmap.Str("8.56"), "resources.process.poll_period": cmap.U64(7), "pload.count": cmap.Str("5"),
		"nodelist.node.1.quorum_votes": cmap.U32(3),
	} {
		if got, _ := m.Get(key); got != want {
			t.Errorf("%s = %v %v, want %v %v", key, got.Type, got, want.Type, want)
		}
	}
}

// FuzzParse: no file makes the parser or the checks fail in another way than
// with an *Error, and what is accepted has valid keys.
func FuzzParse(f *testing.F) {
	f.Add(threeNodes)
	f.Add("totem {\n interface {\n linknumber: 1\n member {\n memberaddr: 10.0.0.1\n }\n }\n}\n")
	f.Add("logging {\n logger_subsys {\n subsys: A\n debug: on\n }\n}\nuidgid {\n uid: hacluster\n}\n")
	f.Add("totem {\n version: 2\n crypto_hash: sha256\n key: x\n}\nnodelist {\n node.9 {\n ring-1_addr: x\n }\n}\n")
	f.Fuzz(func(t *testing.T, conf string) {
		e := &configtest.Env{Host: "n2", Files: map[string]string{confPath: conf}, Local: []string{"10.0.0.3", "fd00::1"}}
		m, err := Parse(e, confPath)
		if err == nil {
			for key := range m.All("") {
				if !cmap.ValidKey(key) {
					t.Fatalf("key %q", key)
				}
			}
			if _, logErr := ReadLogging(m); logErr != nil {
				err = logErr
			} else {
				_, err = Derive(m, e)
			}
		}
		var ce *Error
		if err != nil && (!errors.As(err, &ce) || ce.Text == "" || ce.Status == 0) {
			t.Fatalf("%T %v", err, err)
		}
		if err == nil {
			r := Prepare(e, confPath, Fixed(m), mustDerive(t, e))
			if r.Config == nil && len(r.Errors) == 0 {
				t.Fatal("a reload is refused without a reason")
			}
		}
	})
}

func mustDerive(t *testing.T, e *configtest.Env) *Config {
	m, err := Parse(e, confPath)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Derive(m, e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

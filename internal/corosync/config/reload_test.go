package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

const knetTwo = `
totem {
	version: 2
	interface {
		linknumber: 0
		mcastport: 6000
		knet_link_priority: 3
	}
	# more
}
nodelist {
	node {
		name: n1
		nodeid: 1
		ring0_addr: 10.0.0.1
		# ring1 n1
	}
	node {
		name: n2
		nodeid: 2
		ring0_addr: 10.0.0.2
		# ring1 n2
	}
}
`

// reload starts with one file and reads another.
func reload(t *testing.T, e *configtest.Env, first, second string) (*Config, *cmap.Map, *Reload) {
	t.Helper()
	c, m, err := load(t, e, first)
	if err != nil {
		t.Fatal(err)
	}
	e.Files[confPath] = second
	return c, m, Prepare(e, confPath, Fixed(m), c)
}

func TestReloadOfKnetLinks(t *testing.T) {
	e := &configtest.Env{Host: "n1", Files: map[string]string{"/key": strings.Repeat("k", 128)}}
	second := strings.NewReplacer("# ring1 n1", "ring1_addr: 10.0.1.1", "# ring1 n2", "ring1_addr: 10.0.1.2",
		"mcastport: 6000", "mcastport: 7000", "priority: 3", "priority: 9",
		"# more", "crypto_cipher: aes256\n crypto_hash: sha256\n keyfile: /key\n interface {\n linknumber: 1\n mcastport: 6100\n }\n").Replace(knetTwo)
	old, m, r := reload(t, e, knetTwo, second)
	if r.Config == nil {
		t.Fatalf("refused: %q", r.Errors)
	}
	l := r.Config.Links
	if !l[1].Configured || l[1].Port != 6100 || l[1].Local.String() != "10.0.1.1" || len(l[1].Members) != 2 || l[1].Priority != 1 {
		t.Errorf("new link: %+v", l[1])
	}
	if l[0].Port != 6000 || l[0].Priority != 9 {
		t.Errorf("old link: %+v", l[0])
	}
	if !r.CryptoChanged || !r.Config.Crypto.Enabled() || old.Crypto.Enabled() {
		t.Errorf("crypto: %+v", r.Config.Crypto)
	}
	if want := []string{"Modified entry 'totem.interface.0.mcastport' in corosync.conf cannot be changed at run-time"}; !slices.Equal(r.Notices, want) {
		t.Errorf("notices %q", r.Notices)
	}
	if err := r.Commit(m); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]cmap.Value{
		"totem.interface.0.mcastport": cmap.U16(6000), "totem.interface.1.mcastport": cmap.U16(6100),
		"totem.interface.0.knet_link_priority": cmap.U8(9), "totem.interface.1.bindnetaddr": cmap.Str("10.0.1.1"),
		"runtime.config.totem.interface.1.knet_ping_timeout": cmap.U32(1500), "nodelist.local_node_pos": cmap.U32(0),
	} {
		if got, _ := m.Get(key); got != want {
			t.Errorf("%s = %v, want %v", key, got, want)
		}
	}
	// And back: the link goes, its keys too.
	e.Files[confPath] = knetTwo
	back := Prepare(e, confPath, Fixed(m), r.Config)
	if back.Config == nil || back.Config.Links[1].Configured || !back.CryptoChanged || back.Config.Crypto.Key != "" {
		t.Fatalf("back: %+v %q", back.Config, back.Errors)
	}
	_ = back.Commit(m)
	for key := range m.All("totem.interface.1.") {
		t.Errorf("%s is left of the removed link", key)
	}
	if _, ok := m.Str("nodelist.node.0.ring1_addr"); ok {
		t.Error("address of the removed link is left")
	}
}

func TestReloadRefusals(t *testing.T) {
	for _, x := range []struct{ name, old, new, want string }{
		{"link on one node only", "# ring1 n1", "ring1_addr: 10.0.1.1", "Configuration is not valid: parse error in config: Not all nodes have the same number of links"},
		{"key too short", "# more", "crypto_hash: sha1\n key: abc\n", "Crypto configuration is not valid: key is too short"},
		{"knet transport", "mcastport: 6000", "knet_transport: sctp", "New config has different knet transport for link 0. Internal value was NOT changed."},
		{"duplicate id", "nodelist {", "nodelist {\n node {\n name: n1\n nodeid: 1\n ring0_addr: 10.0.0.1\n }\n node {\n nodeid: 5\n ring0_addr: 10.0.0.8\n }\n node {\n nodeid: 5\n ring0_addr: 10.0.0.9\n }\n}\nold {", "Configuration is not valid: parse error in config: Nodeid 5 appears twice in corosync.conf"},
		{"id missing", "nodeid: 2", "", "Cannot configure new interface definitions: Knet requires an explicit nodeid to be specified for address '10.0.0.2'."},
	} {
		e := &configtest.Env{Host: "n1"}
		_, m, r := reload(t, e, knetTwo, strings.Replace(knetTwo, x.old, x.new, 1))
		if r.Config != nil || !slices.Contains(r.Errors, x.want) {
			t.Errorf("%s: %q, want %q", x.name, r.Errors, x.want)
		}
		if n, _ := m.Uint("totem.interface.0.mcastport", cmap.Uint16); n != 6000 {
			t.Errorf("%s: the live map changed", x.name)
		}
	}
}

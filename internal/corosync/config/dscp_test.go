package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

func TestDSCP(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "63": 63, "0x2e": 46, "0X2E": 46, "056": 46, "cs0": 0, "cs7": 56, "af11": 10, "af13": 14, "af21": 18, "af43": 38, "ef": 46,
		"64": -1, "-1": -1, "": -1, "EF": -1, "cs8": -1, "cs": -1, "cs11": -1, "af14": -1, "af51": -1, "af01": -1, "af1": -1, "0b1": -1, "1_0": -1, "08": -1, "0x": -1, "46 ": -1,
	} {
		v, ok := readDSCP(text)
		if n, _ := v.AsUint(); ok != (want >= 0) || ok && (n != uint64(want) || v.Type != cmap.Uint8) {
			t.Errorf("%q: %v, %v; want %d", text, v, ok, want)
		}
	}
}

// TestDSCPInFile: a code point is in force from the start and until the end; what is none
// does not hinder the start, as it doesn't with 3.1.7.
func TestDSCPInFile(t *testing.T) {
	first := strings.Replace(knetTwo, "# more", "ip_dscp: ef", 1)
	c, m, r := reload(t, &configtest.Env{Host: "n1"}, first, strings.Replace(first, ": ef", ": af11", 1))
	if c.DSCP != 46 || r.Config == nil || r.Config.DSCP != 46 {
		t.Errorf("at the start %d, after a reload %+v", c.DSCP, r.Config)
	}
	if want := "Modified entry 'totem.ip_dscp' in corosync.conf cannot be changed at run-time"; !slices.Contains(r.Notices, want) {
		t.Errorf("notices of the reload: %q", r.Notices)
	}
	if v, _ := m.Get(dscpKey); v != cmap.U8(46) {
		t.Errorf("%s = %v", dscpKey, v)
	}
	c, m, err := load(t, &configtest.Env{Host: "n1"}, strings.Replace(first, ": ef", ": fast", 1))
	if err != nil || c.DSCP != 0 || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], `"totem.ip_dscp"`) {
		t.Fatalf("%v, %+v", err, c)
	}
	if v, _ := m.Get(dscpKey); v != cmap.Str("fast") {
		t.Errorf("%s = %v", dscpKey, v)
	}
}

package notifyd

import "testing"

func TestParse(t *testing.T) {
	for key, want := range map[string]int{
		"runtime.members.1.status": 1, "runtime.members.4294967295.status": 4294967295, "runtime.members.4294967296.status": -1,
		"runtime.members.1.ip": -1, "runtime.members..status": -1, "runtime.members.1.status.x": -1, "runtime.members": -1, "": -1,
	} {
		if id, ok := parseMember(key); ok != (want >= 0) || ok && int(id) != want {
			t.Errorf("%q: member %d, %v", key, id, ok)
		}
	}
	for text, want := range map[string]string{
		"r(0) ip(10.0.0.1) ": "10.0.0.1", "r(0) ip(10.0.0.1) r(1) ip(fd00::1) ": "fd00::1", "ip(": "-", "10.0.0.1": "-", "": "-",
	} {
		if addr, ok := parseAddr(text); ok != (want != "-") || ok && addr != want {
			t.Errorf("%q: address %q, %v", text, addr, ok)
		}
	}
	for key, want := range map[string]string{
		"stats.ipcs.service0.123.0x55d1.procname": "0x55d1.123", "stats.ipcs.service0.123.0x55d1.sent": "", "stats.ipcs.global.active": "",
		"stats.ipcs.service0.x.0x55d1.procname": "", "stats.ipcs.service0.123.0x55d1.procname.x": "",
	} {
		if name, ok := parseClient(key); ok != (want != "") || name != want {
			t.Errorf("%q: client %q, %v", key, name, ok)
		}
	}
	for key, want := range map[string]link{
		"stats.knet.node2.link7.connected": {node: 2, number: 7}, "stats.knet.node2.link7.enabled": {}, "stats.knet.node2.link.connected": {},
		"stats.knet.handle.x.connected": {}, "stats.knet.nodex.link1.connected": {},
	} {
		if l, ok := parseLink(key); ok != (want != link{}) || l != want {
			t.Errorf("%q: link %v, %v", key, l, ok)
		}
	}
}

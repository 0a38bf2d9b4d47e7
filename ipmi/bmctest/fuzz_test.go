package bmctest

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// FuzzCore gives a BMC any packet, before and during a log-in: no panic, and no
// power switched by somebody who has not logged in.
func FuzzCore(f *testing.F) {
	suite, _ := wire.SuiteByID(3)
	f.Add(wire.AppendPlain(nil, wire.PayloadOpenReq, wire.OpenRequest{Tag: 1, Privilege: 4, Console: 2, Suite: suite}.Append(nil)))
	f.Add(wire.AppendPlain(nil, wire.PayloadRAKP1, wire.RAKP1{Tag: 1, BMC: 0x01010101, Role: 0x14, Name: "admin"}.Append(nil)))
	f.Add(wire.AppendPlain(nil, wire.PayloadRAKP3, wire.RAKP3{Tag: 1, BMC: 0x01010101}.Append(nil)))
	f.Add(wire.Append15(nil, 0, 0, 0, nil, wire.Request(wire.NetFnApp, wire.CmdGetAuthCap, 1, []byte{0x8e, 4}).Append(nil)))
	f.Add(wire.Append15(nil, 0, 0, 0, nil, wire.Request(wire.NetFnApp, wire.CmdGetCipherSuites, 1, []byte{0x0e, 0, 0x80}).Append(nil)))
	f.Add(wire.Append15(nil, 0, 0, 0, nil, wire.Request(wire.NetFnApp, wire.CmdGetChallenge, 1, wire.ChallengeRequest{Auth: wire.AuthMD5, Name: [16]byte{'a', 'd', 'm', 'i', 'n'}}.Append(nil)).Append(nil)))
	f.Add(wire.Append15(nil, wire.AuthMD5, 0x01010101, 0, new(wire.Secret15), wire.Request(wire.NetFnApp, wire.CmdActivate, 2, wire.ActivateRequest{Auth: wire.AuthMD5, Privilege: 4}.Append(nil)).Append(nil)))
	f.Add(wire.AppendPing(nil, wire.Ping{Tag: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := NewMachine()
		c := NewCore(Config{Users: []Account{{Name: "admin", Password: "secret"}}, Switch: m, Rand: &counting{}})
		now := time.Unix(1e9, 0)
		open := wire.OpenRequest{Tag: 1, Privilege: 4, Console: 2, Suite: suite}
		c.Handle(now, wire.AppendPlain(nil, wire.PayloadOpenReq, open.Append(nil)))
		for range 3 {
			c.Handle(now, b)
		}
		if len(m.Done()) > 0 || c.Sessions() > 0 {
			t.Error("somebody is in without the password")
		}
	})
}

// counting is predictable randomness without equal ids.
type counting struct{ n byte }

func (r *counting) Read(b []byte) (int, error) {
	r.n++
	for i := range b {
		b[i] = r.n
	}
	return len(b), nil
}

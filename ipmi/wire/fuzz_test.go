package wire

import (
	"bytes"
	"testing"
)

// FuzzPacket takes any datagram: headers, and the protection of a session.
func FuzzPacket(f *testing.F) {
	for _, name := range []string{"suite3-pyghmi.txt", "md5-ipmisim.txt"} {
		for _, x := range readSession(f, name) {
			f.Add(x.bytes)
		}
	}
	suite, _ := SuiteByID(3)
	keys := (&Login{Suite: suite, Password: []byte("x")}).Keys()
	f.Add(keys.Seal(nil, 1, 2, [16]byte{}, PayloadIPMI, []byte{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParsePing(b)
		p, err := Parse(b)
		if err != nil {
			return
		}
		if p.V20() {
			keys.Open(&p)
			keys.decrypt(p.Body)
			return
		}
		again, err := Parse(Append15(nil, p.Auth, p.Session, p.Seq, new(Secret15), p.Body))
		if err != nil || !bytes.Equal(again.Body, p.Body) || again.Seq != p.Seq || again.Session != p.Session {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}

// FuzzPayload takes any payload: what is accepted survives being written and read.
func FuzzPayload(f *testing.F) {
	for _, name := range []string{"suite3-pyghmi.txt", "md5-ipmisim.txt"} {
		for _, x := range readSession(f, name) {
			if p, err := Parse(x.bytes); err == nil {
				f.Add(p.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMessage(b); err == nil {
			if !bytes.Equal(m.Append(nil), b) {
				t.Errorf("message %x became %x", b, m.Append(nil))
			}
			_ = Request(m.NetFn, m.Cmd, m.Seq, m.Data).Answer(Done, m.Data)
		}
		if r, err := ParseOpenRequest(b); err == nil {
			if q, err := ParseOpenRequest(r.Append(nil)); err != nil || q != r {
				t.Errorf("%+v became %+v, %v", r, q, err)
			}
		}
		if r, err := ParseOpenResponse(b); err == nil {
			if q, err := ParseOpenResponse(r.Append(nil)); err != nil || q != r {
				t.Errorf("%+v became %+v, %v", r, q, err)
			}
		}
		if r, err := ParseRAKP1(b); err == nil {
			if q, err := ParseRAKP1(r.Append(nil)); err != nil || q != r {
				t.Errorf("%+v became %+v, %v", r, q, err)
			}
		}
		if r, err := ParseRAKP2(b); err == nil && r.Status == StatusOK {
			if !bytes.Equal(r.Append(nil)[8:], b[8:]) {
				t.Errorf("%x became %x", b, r.Append(nil))
			}
		}
		if r, err := ParseRAKP3(b); err == nil && !bytes.Equal(r.Append(nil)[4:], b[4:]) {
			t.Errorf("%x became %x", b, r.Append(nil))
		}
		if r, err := ParseRAKP4(b); err == nil && !bytes.Equal(r.Append(nil)[4:], b[4:]) {
			t.Errorf("%x became %x", b, r.Append(nil))
		}
		fuzzCommands(t, b)
	})
}

// fuzzCommands reads b as the data of each command.
func fuzzCommands(t *testing.T, b []byte) {
	if r, err := ParseAuthCap(b); err == nil {
		if q, err := ParseAuthCap(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseAuthCapRequest(b); err == nil {
		if q, err := ParseAuthCapRequest(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseChallengeRequest(b); err == nil {
		if q, err := ParseChallengeRequest(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseChallenge(b); err == nil {
		if q, err := ParseChallenge(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseActivateRequest(b); err == nil {
		if q, err := ParseActivateRequest(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseActivated(b); err == nil {
		if q, err := ParseActivated(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
	if r, err := ParseChassisStatus(b); err == nil {
		if q, err := ParseChassisStatus(r.Append(nil)); err != nil || q != r {
			t.Errorf("%+v became %+v, %v", r, q, err)
		}
	}
}

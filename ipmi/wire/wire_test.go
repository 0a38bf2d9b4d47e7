package wire

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryPrefixIsRefused cuts each format everywhere: no panic, and an error
// wherever a needed byte is missing.
func TestEveryPrefixIsRefused(t *testing.T) {
	suite, _ := SuiteByID(17)
	login := Login{Suite: suite, Password: []byte("x")}
	type format struct {
		name  string
		bytes []byte
		parse func([]byte) error
	}
	formats := []format{
		{"open request", OpenRequest{1, 4, 2, suite}.Append(nil), func(b []byte) error { _, err := ParseOpenRequest(b); return err }},
		{"open response", OpenResponse{1, 0, 4, 2, 3, suite}.Append(nil), func(b []byte) error { _, err := ParseOpenResponse(b); return err }},
		{"rakp1", RAKP1{Tag: 1, BMC: 2, Name: "admin"}.Append(nil), func(b []byte) error { _, err := ParseRAKP1(b); return err }},
		{"rakp2", RAKP2{Tag: 1, Console: 2}.Append(nil), func(b []byte) error { _, err := ParseRAKP2(b); return err }},
		{"rakp3", RAKP3{Tag: 1, BMC: 2}.Append(nil), func(b []byte) error { _, err := ParseRAKP3(b); return err }},
		{"rakp4", RAKP4{Tag: 1, Console: 2}.Append(nil), func(b []byte) error { _, err := ParseRAKP4(b); return err }},
		{"message", Request(NetFnApp, CmdGetAuthCap, 3, []byte{1, 2}).Append(nil), func(b []byte) error { _, err := ParseMessage(b); return err }},
		{"auth cap request", AuthCapRequest{true, 14, 4}.Append(nil), func(b []byte) error { _, err := ParseAuthCapRequest(b); return err }},
		{"auth cap", AuthCap{Types: 0x17}.Append(nil), func(b []byte) error { _, err := ParseAuthCap(b); return err }},
		{"challenge request", ChallengeRequest{Auth: AuthMD5}.Append(nil), func(b []byte) error { _, err := ParseChallengeRequest(b); return err }},
		{"challenge", Challenge{Session: 1}.Append(nil), func(b []byte) error { _, err := ParseChallenge(b); return err }},
		{"activate", ActivateRequest{Auth: AuthMD5}.Append(nil), func(b []byte) error { _, err := ParseActivateRequest(b); return err }},
		{"activated", Activated{Session: 1}.Append(nil), func(b []byte) error { _, err := ParseActivated(b); return err }},
		{"chassis status", ChassisStatus{On: true}.Append(nil), func(b []byte) error { _, err := ParseChassisStatus(b); return err }},
		{"1.5 packet", Append15(nil, AuthMD5, 1, 2, new(Secret15), []byte{1, 2, 3}), func(b []byte) error { _, err := Parse(b); return err }},
		{"ping", AppendPing(nil, Ping{1}), func(b []byte) error { _, err := ParsePing(b); return err }},
		{"sealed packet", login.Keys().Seal(nil, 1, 2, [16]byte{}, PayloadIPMI, []byte{1, 2}), func(b []byte) error {
			p, err := Parse(b)
			if err == nil {
				_, err = login.Keys().Open(&p)
			}
			return err
		}},
	}
	for _, f := range formats {
		if err := f.parse(f.bytes); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		for n := range f.bytes {
			if f.parse(f.bytes[:n:n]) == nil {
				t.Errorf("%s: %d of %d bytes accepted", f.name, n, len(f.bytes))
			}
		}
	}
}

// TestBytes holds formats to bytes that ipmitool, ipmi_sim and pyghmi exchanged.
func TestBytes(t *testing.T) {
	caps := authCap(t, "0117050000000000")
	if !caps.Has(AuthNone) || !caps.Has(AuthMD5) || !caps.Has(AuthPassword) || caps.Extended || !caps.NamedUsers || !caps.Anonymous {
		t.Errorf("ipmi_sim: %+v", caps)
	}
	caps = authCap(t, "0180040200000000")
	if caps.Has(AuthMD5) || !caps.Extended || !caps.V20 || caps.V15 {
		t.Errorf("pyghmi: %+v", caps)
	}
	s, _ := SuiteByID(3)
	if got := s.AppendRecord(nil); !bytes.Equal(got, unhex(t, "c003014181")) { // §22.15.2, and pyghmi
		t.Errorf("record of suite 3: %x", got)
	}
	m, err := ParseMessage(unhex(t, "2018c88100388e04b5"))
	if err != nil || m.To != AddrBMC || m.NetFn != NetFnApp || m.From != AddrRemote || m.Cmd != CmdGetAuthCap || len(m.Data) != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := ParseMessage(unhex(t, "2018c88100388e04b6")); err == nil {
		t.Error("wrong checksum accepted")
	}
	st, _ := ParseChassisStatus(unhex(t, "610100"))
	if !st.On || st.RestorePolicy != 3 || st.LastEvent != 1 {
		t.Errorf("%+v", st)
	}
	if got := AppendPing(nil, Ping{0}); !bytes.Equal(got, unhex(t, "0600ff06000011be80000000")) {
		t.Errorf("ping %x", got)
	}
	if got := AppendPong(nil, Ping{0}); !bytes.Equal(got, unhex(t, "0600ff06000011be40000010000011be000000008100000000000000")) {
		t.Errorf("pong %x", got)
	}
}

// authCap reads capabilities.
func authCap(t *testing.T, s string) AuthCap {
	t.Helper()
	c, err := ParseAuthCap(unhex(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWindow(t *testing.T) {
	var w Window
	for i, step := range []struct {
		seq  uint32
		want bool
	}{
		{100, true}, {100, false}, {102, true}, {101, true}, {101, false}, {86, false}, {87, true}, {87, false},
		{1000, true}, {984, false}, {985, true}, {0xffffffff, false}, {1031, true}, {1000, false},
	} {
		if got := w.Take(step.seq); got != step.want {
			t.Errorf("step %d: %d: %v", i, step.seq, got)
		}
	}
	w = Window{}
	for _, seq := range []uint32{0xfffffffe, 0xffffffff, 1, 0} { // over the end, out of order
		if !w.Take(seq) || w.Take(seq) {
			t.Errorf("%#x around the end", seq)
		}
	}
}

// TestSuiteRoundTrip seals and opens in every suite and length.
func TestSuiteRoundTrip(t *testing.T) {
	for _, s := range suites {
		l := Login{Suite: s, Console: 1, BMC: 2, Name: "admin", Password: []byte("secret"), Kg: []byte("kg")}
		k := l.Keys()
		other := l
		other.Kg = nil
		for n := range 70 {
			body := bytes.Repeat([]byte{byte(n)}, n)
			p, err := Parse(k.Seal(nil, 7, 9, [16]byte{byte(n)}, PayloadIPMI, body))
			if err != nil || p.Session != 7 || p.Seq != 9 {
				t.Fatal(p, err)
			}
			if s.Crypt != AlgNone && n == 0 {
				continue // nothing to encrypt is no packet of ours
			}
			if got, err := k.Open(&p); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%v, %d bytes: %x, %v", s, n, got, err)
			}
			if _, err := other.Keys().Open(&p); err == nil && s.Integrity != AlgNone {
				t.Errorf("%v: opened with other keys", s)
			}
		}
	}
}

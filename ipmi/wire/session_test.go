package wire

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exchange is one captured packet.
type exchange struct {
	toBMC bool
	bytes []byte
}

// readSession reads a captured session: lines "> HEX" to the BMC, "< HEX" from it.
func readSession(t testing.TB, name string) (out []exchange) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "sessions", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		dir, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if dir != ">" && dir != "<" {
			continue
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, exchange{dir == ">", raw})
	}
	if len(out) < 8 {
		t.Fatalf("%s: %d packets", name, len(out))
	}
	return out
}

// TestSessions20 follows sessions between programs of others: every code must
// come out as they computed it, every packet must be written as they wrote it.
func TestSessions20(t *testing.T) {
	for _, name := range []string{"suite3-pyghmi.txt", "suite17-ipmitool.txt"} {
		t.Run(name, func(t *testing.T) {
			l := Login{Password: []byte("secret")}
			var keys *Keys
			inside := 0
			for i, x := range readSession(t, name) {
				p, err := Parse(x.bytes)
				if err != nil {
					t.Fatalf("packet %d: %v", i, err)
				}
				switch {
				case !p.V20():
				case p.Payload != PayloadIPMI:
					follow(t, &l, &p, x.bytes)
					if p.Payload == PayloadRAKP4 {
						keys = l.Keys()
					}
				case keys != nil:
					checkInside(t, keys, &p, x.bytes)
					inside++
				}
			}
			if inside < 10 {
				t.Errorf("%d packets inside the session", inside)
			}
		})
	}
}

// follow takes one packet of session setup, checks its codes and writes it again.
func follow(t *testing.T, l *Login, p *Packet, whole []byte) {
	t.Helper()
	var again []byte
	switch p.Payload {
	case PayloadOpenReq:
		r, err := ParseOpenRequest(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		again = r.Append(nil)
	case PayloadOpenResp:
		r, err := ParseOpenResponse(p.Body)
		if err != nil || r.Status != StatusOK {
			t.Fatal(r, err)
		}
		l.Suite, l.Console, l.BMC = r.Suite, r.Console, r.BMC
		again = r.Append(nil)
	case PayloadRAKP1:
		r, err := ParseRAKP1(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		l.Rm, l.Role, l.Name = r.Random, r.Role, r.Name
		again = r.Append(nil)
	case PayloadRAKP2:
		r, err := ParseRAKP2(p.Body)
		if err != nil || r.Status != StatusOK {
			t.Fatal(r, err)
		}
		l.Rc, l.GUID = r.Random, r.GUID
		if !bytes.Equal(r.Code, l.Code2()) {
			t.Errorf("code of message 2 is %x, want %x", l.Code2(), r.Code)
		}
		again = r.Append(nil)
	case PayloadRAKP3:
		r, err := ParseRAKP3(p.Body)
		if err != nil || !bytes.Equal(r.Code, l.Code3()) {
			t.Errorf("code of message 3 is %x, want %x, %v", l.Code3(), r.Code, err)
		}
		again = r.Append(nil)
	case PayloadRAKP4:
		r, err := ParseRAKP4(p.Body)
		if err != nil || !bytes.Equal(r.Code, l.Code4()) {
			t.Errorf("code of message 4 is %x, want %x, %v", l.Code4(), r.Code, err)
		}
		again = r.Append(nil)
	}
	// OpenResponse: pyghmi and we write the same reserved bytes.
	if got := AppendPlain(nil, p.Payload, again); !bytes.Equal(got, whole) {
		t.Errorf("payload %#x written as\n%x, want\n%x", uint8(p.Payload), got, whole)
	}
}

func checkInside(t *testing.T, k *Keys, p *Packet, whole []byte) {
	t.Helper()
	body, err := k.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMessage(body)
	if err != nil {
		t.Fatal(err)
	}
	var iv [16]byte
	copy(iv[:], p.Body)
	if got := k.Seal(nil, p.Session, p.Seq, iv, p.Payload, m.Append(nil)); !bytes.Equal(got, whole) {
		t.Errorf("written as\n%x, want\n%x", got, whole)
	}
	for i := range whole[:len(whole)-1] { // one bit anywhere spoils it
		if i < rmcpSize+1 {
			continue
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 0x10
		if q, err := Parse(bad); err == nil {
			if _, err := k.Open(&q); err == nil {
				t.Fatalf("byte %d changed, and the packet still opens", i)
			}
		}
	}
}

// TestSession15 does the same for a 1.5 session with MD5.
func TestSession15(t *testing.T) {
	var secret Secret15
	copy(secret[:], "secret")
	signed := 0
	for i, x := range readSession(t, "md5-ipmisim.txt") {
		if x.bytes[3] == classASF {
			continue // ping and pong: TestBytes
		}
		p, err := Parse(x.bytes)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if p.Auth == AuthMD5 {
			signed++
		}
		if !secret.Valid(&p) {
			t.Errorf("packet %d: code %x is not ours", i, p.Code)
		}
		m, err := ParseMessage(p.Body)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if got := Append15(nil, p.Auth, p.Session, p.Seq, &secret, m.Append(nil)); !bytes.Equal(got, x.bytes) {
			t.Errorf("packet %d written as\n%x, want\n%x", i, got, x.bytes)
		}
	}
	if signed < 10 {
		t.Errorf("%d packets with a code", signed)
	}
}

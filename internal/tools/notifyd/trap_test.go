package notifyd

import (
	"bytes"
	"encoding/asn1"
	"strings"
	"testing"
)

// TestTrapIsBER reads traps of all sizes back with the standard library.
func TestTrapIsBER(t *testing.T) {
	numbers := []uint32{0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff}
	for i, n := range numbers {
		text := strings.Repeat("x", []int{0, 1, 126, 127, 128, 254, 255, 256, 70000, 3, 4}[i])
		want := trap{community: text, request: n, uptime: n, kind: trapLink, objects: []object{
			{id: objectNodeName, tag: berString, text: text}, {id: objectNodeID, tag: berUnsigned, number: n},
			{id: objectLinkNumber, tag: berInteger, number: n},
		}}
		var msg struct {
			Version   int
			Community []byte
			PDU       asn1.RawValue
		}
		if rest, err := asn1.Unmarshal(want.append(nil), &msg); err != nil || len(rest) > 0 {
			t.Fatalf("%d: %v, %d bytes too many", n, err, len(rest))
		}
		if msg.Version != 1 || string(msg.Community) != text || msg.PDU.Class != asn1.ClassContextSpecific || msg.PDU.Tag != 7 {
			t.Errorf("%d: message %v", n, msg)
		}
		var request, status, index int64
		var bindings []struct {
			ID    asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		rest := msg.PDU.Bytes
		for _, into := range []any{&request, &status, &index, &bindings} {
			var err error
			if rest, err = asn1.Unmarshal(rest, into); err != nil {
				t.Fatal(err)
			}
		}
		if request != int64(n) || status != 0 || index != 0 || len(bindings) != 5 {
			t.Fatalf("%d: request %d, status %d, index %d, %d bindings", n, request, status, index, len(bindings))
		}
		for i, id := range []string{"1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0", "1.3.6.1.4.1.35488.1.1", "1.3.6.1.4.1.35488.1.2", "1.3.6.1.4.1.35488.1.60"} {
			if got := bindings[i].ID.String(); got != id {
				t.Errorf("%d: binding %d is %s, want %s", n, i, got, id)
			}
		}
		for i, class := range map[int]int{0: asn1.ClassApplication, 3: asn1.ClassApplication, 4: asn1.ClassUniversal} {
			if v := bindings[i].Value; v.Class != class || !bytes.Equal(v.Bytes, shortest(n)) {
				t.Errorf("%d: binding %d is %v", n, i, v)
			}
		}
		if string(bindings[2].Value.Bytes) != text {
			t.Errorf("%d: text of %d bytes, want %d", n, len(bindings[2].Value.Bytes), len(text))
		}
	}
}

// shortest is a number's content by the rule's words: no first nine bits alike.
func shortest(n uint32) []byte {
	b := []byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	for len(b) > 1 && b[0] == 0 && b[1] < 0x80 {
		b = b[1:]
	}
	return b
}

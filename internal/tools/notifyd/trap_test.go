package notifyd

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
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

// TestTrapOfOriginal: the bytes that Debian's corosync-notifyd 3.1.7 sent.
func TestTrapOfOriginal(t *testing.T) {
	text := func(id uint32, s string) object { return object{id: id, tag: berString, text: s} }
	number := func(id uint32, n uint32) object { return object{id: id, tag: berUnsigned, number: n} }
	for want, msg := range map[string]trap{
		"3081810201010406736563726574a7740204246e780b0201000201003066301006082b0601020101030043046b03b12d3018060a2b060106030101040100" +
			"060a2b0601040182952000023010060a2b06010401829520010104026e31300f060a2b0601040182952001024201013015060a2b060104018295200115" +
			"040771756f72617465": {community: "secret", request: 0x246e780b, uptime: 0x6b03b12d, kind: trapQuorum, objects: []object{
			text(objectNodeName, "n1"), number(objectNodeID, 1), text(objectQuorum, "quorate")}},
		"3081aa0201010406736563726574a7819c0204246e780c02010002010030818d301006082b0601020101030043046b03b1313018060a2b06010603010104" +
			"0100060a2b0601040182952000043010060a2b06010401829520010104026e31300f060a2b060104018295200105420101300f060a2b06010401829520" +
			"0102420102300f060a2b06010401829520013c020101301a060a2b06010401829520013d040c646973636f6e6e6563746564": {
			community: "secret", request: 0x246e780c, uptime: 0x6b03b131, kind: trapLink, objects: []object{
				text(objectNodeName, "n1"), number(objectLocalID, 1), number(objectNodeID, 2),
				{id: objectLinkNumber, tag: berInteger, number: 1}, text(objectLinkStatus, disconnected)}},
		"3081a00201010406736563726574a781920204246e780e020100020100308183301006082b0601020101030043046b03b1373018060a2b06010603010104" +
			"0100060a2b0601040182952000013017060a2b060104018295200101040931302e37382e312e32300f060a2b0601040182952001024201023017060a2b" +
			"060104018295200104040931302e37382e312e323012060a2b06010401829520010304046c656674": {
			community: "secret", request: 0x246e780e, uptime: 0x6b03b137, kind: trapNode, objects: []object{
				text(objectNodeName, "10.78.1.2"), number(objectNodeID, 2), text(objectNodeAddr, "10.78.1.2"), text(objectNodeStatus, "left")}},
	} {
		if got := hex.EncodeToString(msg.append(nil)); got != want {
			t.Errorf("trap %d\n got %s\nwant %s", msg.kind, got, want)
		}
	}
}

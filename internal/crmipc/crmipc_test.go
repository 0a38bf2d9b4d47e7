package crmipc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t *testing.T, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// message makes the bytes of a message as a client sends them.
func message(t *testing.T, text string, short int, id uint32, flags Flags) []byte {
	t.Helper()
	p, err := pack(append([]byte(text), 0), short, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var head [HeaderSize]byte
	p.header(id, flags).put(&head, len(p.body))
	return append(head[:], p.body...)
}

// golden is a request as the original's client lays it out: id 1, 45 bytes, 5
// of them text, a reply wanted, version 1.
const golden = "01000000 00000000 2d000000 00000000 00000000 00000000" +
	"05000000 00000000 00020000 01000000" + "3c612f3e 00"

func TestHeaderBytes(t *testing.T) {
	want, err := hex.DecodeString(strings.ReplaceAll(golden, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	got := message(t, "<a/>", 131072, 1, WantReply)
	if !bytes.Equal(got, want) {
		t.Fatalf("\n got %x\nwant %x", got, want)
	}
	h, text, err := Decode(got)
	if err != nil || text != "<a/>" || h != (Header{ID: 1, Plain: 5, Flags: WantReply}) {
		t.Errorf("%+v %q %v", h, text, err)
	}
}

func TestDecodePacked(t *testing.T) {
	text := "<a>" + strings.Repeat("<b c=\"d\"/>", 500) + "</a>"
	msg := message(t, text, 1000, 7, 0)
	if len(msg) > 1000 {
		t.Fatalf("%d bytes: it was not packed", len(msg))
	}
	h, got, err := Decode(msg)
	if err != nil || got != text || h.Flags&Compressed == 0 {
		t.Errorf("%+v, %d bytes: %v", h, len(got), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	plain := message(t, "<a/>", 131072, 1, 0)
	packed := message(t, "<a>"+strings.Repeat("<b/>", 500)+"</a>", 100, 1, 0)
	for _, msg := range [][]byte{plain, packed} {
		for i := range msg {
			if _, _, err := Decode(msg[:i]); !errors.Is(err, ErrBadMessage) {
				t.Errorf("the first %d bytes of %d: %v", i, len(msg), err)
			}
		}
	}
	for name, change := range map[string]func(b []byte){
		"higher version":    func(b []byte) { b[36] = 2 },
		"text of no bytes":  func(b []byte) { b[24] = 0 },
		"text too long":     func(b []byte) { b[27] = 0xff },
		"no NUL at the end": func(b []byte) { b[len(b)-1] = 'x' },
		"size wrong":        func(b []byte) { b[8]++ },
		"packed too long":   func(b []byte) { b[31] = 1 },
	} {
		b := bytes.Clone(plain)
		change(b)
		if _, _, err := Decode(b); !errors.Is(err, ErrBadMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := bytes.Clone(packed)
	b[24]-- // it unpacks to more than it says
	if _, _, err := Decode(b); !errors.Is(err, ErrBadMessage) {
		t.Errorf("packed text longer than said: %v", err)
	}
}

func TestEnvelope(t *testing.T) {
	req := NewRequest("ping", "", "pacemakerd", "crmadmin", "uuid", xmltree.New("x"))
	for attr, want := range map[string]string{"t": "crmd", "version": "3.16.1", "subt": "request", "crm_task": "ping",
		"crm_sys_to": "pacemakerd", "crm_sys_from": "uuid_crmadmin", "crm_host_to": ""} {
		if got := req.Attr(attr); got != want {
			t.Errorf("%s=%q, want %q", attr, got, want)
		}
	}
	if Data(req).Name != "x" {
		t.Error("no data")
	}
	req.Set("src", "n1")
	re := NewReply(req, nil)
	if re.Attr("reference") != req.Attr("reference") || re.Attr("crm_sys_to") != "uuid_crmadmin" ||
		re.Attr("crm_sys_from") != "pacemakerd" || re.Attr("crm_host_to") != "n1" || Data(re) != nil {
		t.Errorf("%s", re)
	}
}

// server starts one on a socket of its own and lets f serve its events.
func server(t *testing.T, f func(Event)) string {
	t.Helper()
	name := fmt.Sprintf("pacesync-test-%d-%s", os.Getpid(), t.Name())
	events := make(chan Event)
	srv, err := Listen(ServerOptions{Events: events}, name)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case ev := <-events:
				f(ev)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		srv.Close()
		close(stop)
		<-ended
	})
	return name
}

func dial(t *testing.T, name string) (*Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	c, err := Dial(ctx, name, DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, ctx
}

func TestCallEventAck(t *testing.T) {
	long := strings.Repeat("x<&>", 50_000)
	name := server(t, func(ev Event) {
		if ev.Kind != Message {
			return
		}
		switch ev.XML.Name {
		case "echo":
			ev.Client.Send(ev.ID, ev.XML)
		case "later":
			ev.Ack(pcmk.ExitIndeterminate)
			n := xmltree.New("event", xmltree.Attr{Name: "v", Value: long})
			ev.Client.Event(n)
			Broadcast([]*Client{ev.Client}, n)
		}
	})
	c, ctx := dial(t, name)
	for _, v := range []string{"1", long} {
		got, err := c.Call(ctx, xmltree.New("echo", xmltree.Attr{Name: "v", Value: v}))
		if err != nil || got.Attr("v") != v {
			t.Fatalf("echo of %d bytes: %v", len(v), err)
		}
	}
	got, err := c.Call(ctx, xmltree.New("later"))
	if status, ok := Status(got); err != nil || !ok || status != pcmk.ExitIndeterminate {
		t.Fatalf("%v %v", got, err)
	}
	for range 2 {
		in, err := c.Next(ctx)
		if err != nil || in.XML.Attr("v") != long || in.Flags&ServerEvent == 0 {
			t.Fatalf("event: %v", err)
		}
	}
	if err := c.Post(xmltree.New("later")); err != nil { // asks for no answer and gets no ack
		t.Fatal(err)
	}
	if got, err := c.Call(ctx, xmltree.New("echo")); err != nil || got.Name != "echo" {
		t.Errorf("%v %v", got, err)
	}
}

func TestClientIsKnown(t *testing.T) {
	seen := make(chan Event, 8)
	name := server(t, func(ev Event) { seen <- ev })
	c, _ := dial(t, name)
	ev := <-seen
	if ev.Kind != Connected || ev.Client.PID != os.Getpid() || ev.Client.UID != uint32(os.Getuid()) || len(ev.Client.ID) != 36 {
		t.Errorf("%+v", ev.Client)
	}
	if ev.Client.Privileged != (os.Getuid() == 0) {
		t.Error("Privileged")
	}
	if c.ServerPID() != os.Getpid() {
		t.Error("the server's process")
	}
	c.Close()
	if ev := <-seen; ev.Kind != Disconnected {
		t.Errorf("%+v", ev)
	}
}

func TestServerGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	events := make(chan Event, 8)
	name := fmt.Sprintf("pacesync-test-%d-gone", os.Getpid())
	srv, err := Listen(ServerOptions{Events: events}, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(ServerOptions{Events: events}, name); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second server: %v", err)
	}
	c, _ := dial(t, name)
	lost := make(chan error, 1)
	c.Pump(func(_ Incoming, err error) { lost <- err })
	srv.Close()
	if err := <-lost; ErrnoOf(err) != unix.ENOTCONN {
		t.Errorf("a waiting Next: %v", err)
	}
	if _, err := c.Call(ctx, parse(t, "<x/>")); ErrnoOf(err) != unix.ENOTCONN {
		t.Errorf("a call: %v", err)
	}
	if _, err := Dial(ctx, name, DialOptions{}); ErrnoOf(err) != unix.ECONNREFUSED {
		t.Errorf("a new connection: %v", err)
	}
}

func TestCallTimesOut(t *testing.T) {
	name := server(t, func(ev Event) {
		if ev.Kind == Message && ev.XML.Name == "echo" {
			ev.Client.Send(ev.ID, ev.XML)
		}
	})
	c, ctx := dial(t, name)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := c.Call(short, xmltree.New("silence")); ErrnoOf(err) != unix.ETIMEDOUT {
		t.Errorf("no answer: %v", err)
	}
}

func TestBadRequestIsAcked(t *testing.T) {
	name := server(t, func(Event) {})
	c, _ := dial(t, name)
	msg := message(t, "<a", 131072, 3, WantReply)
	b, err := c.ipc.Request(msg, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := Status(parse(t, text)); !ok || status != pcmk.ExitProtocol {
		t.Errorf("%s", text)
	}
}

// FuzzDecode checks that a message is refused or comes back the same.
func FuzzDecode(f *testing.F) {
	want, _ := hex.DecodeString(strings.ReplaceAll(golden, " ", ""))
	f.Add(want)
	f.Add(make([]byte, HeaderSize+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > HeaderSize && b[27] > 0 {
			return // a text of more than 16 MiB: allowed, and slow here
		}
		h, text, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrBadMessage) {
				t.Fatal(err)
			}
			return
		}
		if len(text)+1 != int(h.Plain) {
			t.Fatalf("%d bytes of text, header says %d", len(text), h.Plain)
		}
	})
}

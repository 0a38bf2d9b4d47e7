// Package knet_test lets totem/knet, with its encryption and its compression, talk to
// one host of Debian's libknet (peer.c) over the loopback interface. It needs gcc and
// libknet-dev.
package knet_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/totem/knet"
	"github.com/pacesync/pacesync/totem/knet/compress"
	"github.com/pacesync/pacesync/totem/knet/crypt"
)

const (
	self, other = 1, 2
	mtu         = 1500 // messages of more than 1.4 KB are cut into fragments
	patience    = 30 * time.Second
)

// pair is our engine and libknet's host, with a link between them.
type pair struct {
	t      *testing.T
	cfg    knet.Config
	keys   *crypt.Keys
	pack   *compress.Compression
	engine *knet.Engine
	socket *net.UDPConn
	local  netip.AddrPort
	in     [1 << 16]byte
	stdin  io.Writer
	lines  chan string // of the peer's stdout

	toUs   [][]byte // what our engine delivered
	toPeer []string // what libknet delivered, as hex
	path   int      // MTU of our sends: above it, they are refused; 0: no limit
	hint   bool     // the refusal names it
	logs   []string // what libknet logged since the last command
	drops  []string // what our engine dropped
}

// buildPeer compiles peer.c.
func buildPeer(t *testing.T) string {
	t.Helper()
	gcc := testneed.Program(t, "gcc")
	probe := exec.Command(gcc, "-E", "-include", "libknet.h", "-x", "c", "/dev/null")
	if probe.Run() != nil {
		testneed.Missing(t, "libknet.h is missing: libknet-dev is not installed (make deps)")
	}
	bin := filepath.Join(t.TempDir(), "peer")
	out, err := exec.Command(gcc, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", bin, "peer.c", "-lknet").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc peer.c: %v\n%s", err, out)
	}
	return bin
}

// newPair starts both ends, with an MTU set by hand, and waits for the link.
func newPair(t *testing.T) *pair { return newPairOf(t, mtu, &pair{}) }

// newPairOf starts both ends; with mtu 0 both discover it.
func newPairOf(t *testing.T, mtu int, p *pair) *pair {
	t.Helper()
	bin := buildPeer(t)
	*p = pair{path: p.path, hint: p.hint, t: t, keys: crypt.New(rand.Reader), pack: compress.New(), lines: make(chan string, 100)}
	p.socket, p.local = listen(t)
	spare, theirs := listen(t)
	spare.Close() // its port is free now, for the peer
	t.Cleanup(func() { p.socket.Close() })

	cmd := exec.Command(bin, strconv.Itoa(int(theirs.Port())), strconv.Itoa(int(p.local.Port())), strconv.Itoa(mtu))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p.stdin = stdin
	go func() {
		defer close(p.lines)
		for r := bufio.NewReader(stdout); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	p.cfg = knet.Config{
		Self: self, MTU: mtu, Crypto: p.keys, AllowClear: true, Compress: p.pack, CompressThreshold: 1,
		Hosts: []knet.HostConfig{{ID: other, Links: []knet.LinkConfig{{
			Local: p.local, Remote: theirs, Priority: 1,
			PingInterval: 100 * time.Millisecond, PongTimeout: 20 * time.Second, Precision: 2048, PongCount: 1,
		}}}},
	}
	if p.engine, err = knet.New(time.Now(), p.cfg); err != nil {
		t.Fatal(err)
	}
	up := false
	p.until("the link is up on both sides", func(line string) bool {
		up = up || line == "reachable 1"
		status, _ := p.engine.HostStatus(other)
		return up && status.Reachable
	})
	return p
}

func listen(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// until runs our end until done says so, which sees each line of the peer's, and
// "" when nothing was said.
func (p *pair) until(what string, done func(line string) bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		p.turn()
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s: libknet's host has ended; it logged %q", what, p.logs)
			}
			p.note(line)
			if done(line) {
				return
			}
		default:
			if done("") {
				return
			}
		}
	}
	status, _ := p.engine.HostStatus(other)
	p.t.Fatalf("%s: not after %s; reachable %v; libknet logged %q; we dropped %q", what, patience, status.Reachable, p.logs, p.drops)
}

// note keeps what the peer says beside its answers.
func (p *pair) note(line string) {
	if data, ok := strings.CutPrefix(line, "got "); ok {
		p.toPeer = append(p.toPeer, data)
	}
	if text, ok := strings.CutPrefix(line, "log "); ok {
		p.logs = append(p.logs, text)
	}
}

// turn runs our engine once: what came, what is due, what goes out.
func (p *pair) turn() {
	p.t.Helper()
	p.socket.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	if n, from, err := p.socket.ReadFromUDPAddrPort(p.in[:]); err == nil {
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		p.engine.Receive(time.Now(), p.local, from, p.in[:n])
	}
	p.engine.Step(time.Now())
	for out := p.engine.Output(); !out.Empty(); out = p.engine.Output() {
		for _, d := range out.Send {
			if p.path != 0 && len(d.Data)+28 > p.path {
				f := knet.Failure{Local: d.Local, To: d.To, Type: d.Type, Errno: knet.EMSGSIZE, Now: true}
				if p.hint {
					f.MTU = p.path
				}
				p.engine.Failed(time.Now(), f)
				continue
			}
			if _, err := p.socket.WriteToUDPAddrPort(d.Data, d.To); err != nil {
				p.t.Logf("sending: %v", err)
			}
		}
		for _, d := range out.Up {
			p.toUs = append(p.toUs, bytes.Clone(d.Data))
		}
		for _, e := range out.Events {
			if e.Kind == knet.EventDropped {
				p.drops = append(p.drops, fmt.Sprint(e.Drop))
			}
		}
	}
}

// tell gives the peer a command and waits for its answer, the return code.
func (p *pair) tell(format string, args ...any) (rc string) {
	p.t.Helper()
	p.logs = nil
	command := fmt.Sprintf(format, args...)
	name, _, _ := strings.Cut(command, " ")
	if _, err := io.WriteString(p.stdin, command+"\n"); err != nil {
		p.t.Fatal(err)
	}
	p.until("the answer to "+name, func(line string) bool {
		answer, ok := strings.CutPrefix(line, name+" ")
		rc, _, _ = strings.Cut(answer, " ")
		return ok
	})
	return rc
}

// ok is a command that has to succeed.
func (p *pair) ok(format string, args ...any) {
	p.t.Helper()
	if rc := p.tell(format, args...); rc != "0" {
		p.t.Fatalf("%.60s: libknet answers %s; it logged %q", fmt.Sprintf(format, args...), rc, p.logs)
	}
}

// exchange sends the message both ways.
func (p *pair) exchange(what string, message []byte) {
	p.t.Helper()
	p.toUs, p.toPeer, p.drops = nil, nil, nil
	p.ok("send %x", message)
	p.until(what+": libknet's message", func(string) bool { return len(p.toUs) > 0 })
	if !bytes.Equal(p.toUs[0], message) {
		p.t.Fatalf("%s: libknet sent %d bytes, we got %d others", what, len(message), len(p.toUs[0]))
	}
	p.engine.Send(time.Now(), 0, message)
	p.until(what+": our message", func(string) bool { return len(p.toPeer) > 0 })
	if p.toPeer[0] != hex.EncodeToString(message) {
		p.t.Fatalf("%s: we sent %d bytes, libknet got %d others", what, len(message), len(p.toPeer[0])/2)
	}
}

// TestKnetMTU: libknet answers our probes, and we answer its, so that both find what
// the path takes: the loopback interface everything, ours less in some cases.
func TestKnetMTU(t *testing.T) {
	type limit struct {
		path int
		hint bool
	}
	cases := []limit{{1500, false}}
	if os.Getenv("E2E_LONG") != "" {
		cases = append(cases, limit{0, false}, limit{9000, true}, limit{1500, true}, limit{576, false})
	}
	for _, c := range cases {
		p := newPairOf(t, 0, &pair{path: c.path, hint: c.hint})
		want := 65535 - 54
		if c.path != 0 {
			want = c.path - 54
		}
		p.until(fmt.Sprintf("data of %d bytes in a packet", want), func(string) bool { return p.engine.MTU() == want })
		p.exchange(fmt.Sprintf("MTU %d", c.path), bytes.Repeat([]byte("mtu"), 20000))
		p.until(fmt.Sprintf("MTU %d: a reply and a probe of libknet's", c.path), func(string) bool {
			var s knet.LinkStatus
			p.engine.Status(knet.LinkKey{Host: other}, &s)
			return s.Stats.RxPMTUPackets >= 2
		})
	}
}

func messages() [][]byte {
	noise := make([]byte, 3000)
	rand.Read(noise)
	text := bytes.Repeat([]byte("<nvpair id=\"have-watchdog\" name=\"have-watchdog\" value=\"false\"/>"), 900)
	return [][]byte{[]byte("0123456789abcdef")[:15], noise, text}
}

// suites are what TestKnetCrypto changes to, one after the other: each cipher and
// each hash once, or all of them together with both of libknet's models.
func suites() (list [][3]string) {
	if os.Getenv("E2E_LONG") == "" {
		return [][3]string{
			{"openssl", "none", "md5"}, {"nss", "aes128", "sha1"}, {"openssl", "aes192", "sha384"},
			{"nss", "aes256", "sha512"}, {"openssl", "aes256", "sha256"},
		}
	}
	for _, model := range []string{"openssl", "nss"} {
		for _, cipher := range []string{"none", "aes128", "aes192", "aes256"} {
			for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
				list = append(list, [3]string{model, cipher, hash})
			}
		}
	}
	return list
}

// TestKnetCrypto changes libknet's and our keys together, in the steps of a running
// cluster, through ciphers, hashes and both of libknet's models; after each step
// messages go both ways.
func TestKnetCrypto(t *testing.T) {
	p := newPair(t)
	slot := 1
	for i, s := range suites() {
		key := make([]byte, []int{128, 256, 1024, 4096}[i%4])
		if s[0] == "nss" { // its own limit where FIPS is on
			key = key[:min(len(key), 256)]
		}
		rand.Read(key)
		what := strings.Join(s[:], " ")
		p.changeKeys(what, slot, crypt.Config{Cipher: s[1], Hash: s[2], Key: key}, s[0])
		for _, m := range messages() {
			p.exchange(what, m)
		}
		slot = 3 - slot
	}
}

// changeKeys sets a slot on both ends, uses it first on libknet's, then on ours,
// and clears the other one.
func (p *pair) changeKeys(what string, slot int, cfg crypt.Config, model string) {
	p.t.Helper()
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
	}
	must(p.keys.Set(slot, cfg))
	p.ok("crypto %d %s %s %s %x", slot, model, cfg.Cipher, cfg.Hash, cfg.Key)
	first := p.keys.InUse() == 0
	if !first {
		p.exchange(what+", set on both", []byte("\x01\x00 still in the old key"))
	}
	p.ok("use %d", slot)
	if !first {
		p.exchange(what+", in use on libknet's side", []byte("one way each"))
	}
	must(p.keys.Use(slot))
	p.engine.CryptoChanged(time.Now())
	p.exchange(what+", in use on both", []byte("the new key"))
	if first {
		p.ok("clear-traffic 0")
		p.cfg.AllowClear = false
		must(p.engine.Reconfigure(time.Now(), p.cfg))
		return
	}
	must(p.keys.Clear(3 - slot))
	p.ok("crypto %d none none none 00", 3-slot)
}

// TestKnetCompress packs with every model here and there.
func TestKnetCompress(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct {
		model  string
		levels []int
	}{
		{"zlib", []int{0, -1, 1, 9}}, {"lz4", []int{0, 1, 50}}, {"lz4hc", []int{0, 1, 9, 12}}, {"lzo2", []int{0, 1, 11, 999}},
		{"lzma", []int{0, 6, 9}}, {"bzip2", []int{1, 9}}, {"zstd", []int{0, -5, 3, 22}},
	} {
		if os.Getenv("E2E_LONG") == "" {
			c.levels = c.levels[:1]
		}
		for _, level := range c.levels {
			what := fmt.Sprint(c.model, " ", level)
			p.ok("compress %s %d 1", c.model, level)
			if _, err := p.pack.Set(c.model, level); err != nil {
				t.Fatal(err)
			}
			var before, after knet.Stats
			p.engine.Stats(&before)
			for _, m := range messages() {
				p.exchange(what, m)
			}
			p.engine.Stats(&after)
			if after.RxCompressedPackets == before.RxCompressedPackets || after.TxCompressedPackets == before.TxCompressedPackets {
				t.Errorf("%s: nothing went packed: %+v", what, after)
			}
		}
	}
}

// TestKnetCompressLevels asks libknet what it makes of each level: taken or refused,
// and which warnings it logs.
func TestKnetCompressLevels(t *testing.T) {
	p := newPair(t)
	for _, model := range []string{"zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"} {
		for _, level := range []int{-200, -2, -1, 0, 1, 2, 9, 10, 11, 12, 13, 22, 23, 999, 1000, 70000} {
			rc := p.tell("compress %s %d 1", model, level)
			warnings, err := p.pack.Set(model, level)
			if (err == nil) != (rc == "0") {
				t.Errorf("%s level %d: libknet answers %s and logs %q, we say %v", model, level, rc, p.logs, err)
			}
			for i, w := range warnings {
				warnings[i] = "1 " + w
			}
			if err != nil {
				continue
			}
			p.until(fmt.Sprintf("%s level %d: the log lines %q", model, level, warnings), func(string) bool {
				p.logs = slices.DeleteFunc(p.logs, func(s string) bool { // errors come late and are in rc
					return !strings.HasPrefix(s, "1 compress: ") && !strings.Contains(s, "comp: ") || strings.HasPrefix(s, "0 ")
				})
				return slices.Equal(p.logs, warnings)
			})
		}
	}
}

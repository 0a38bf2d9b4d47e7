package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// knetPort is the UDP port of link 0.
const knetPort = 5405

// sniff looks at the knet packets between the nodes of a network until look has
// seen enough.
func sniff(l *lab.Lab, network int, limit time.Duration, look func(payload []byte) (enough bool)) error {
	var fd int
	if err := l.InSwitch(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(everything))
		if err != nil {
			return err
		}
		return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000})
	}); err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, 1<<16)
	for end := time.Now().Add(limit); time.Now().Before(end); {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p := buf[:n]
		if n < 28 || p[0]>>4 != 4 || p[9] != unix.IPPROTO_UDP || len(p) < int(p[0]&15)*4+8 {
			continue
		}
		udp := p[int(p[0]&15)*4:]
		if port := int(binary.BigEndian.Uint16(udp[2:])); port == knetPort+network && look(udp[8:]) {
			return nil
		}
	}
	return fmt.Errorf("nothing of the kind within %v", limit)
}

// everything is ETH_P_ALL in network byte order, as sockets want it: a bridge
// takes packets away before those who ask for one protocol see them.
const everything uint16 = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8

// sealedWith waits until the ring sends packets that a key authenticates: the last
// bytes are the HMAC of all before them (kronosnet, libknet/crypto_openssl.c).
func sealedWith(t *testing.T, l *lab.Lab, what string, hash func() hash.Hash, key []byte, nodes ...byte) {
	t.Helper()
	sealed, others := 0, 0
	err := sniff(l, 0, 20*time.Second, func(p []byte) bool {
		mac := hmac.New(hash, key)
		cut := len(p) - mac.Size()
		if cut < 16 {
			others++
			return false
		}
		mac.Write(p[:cut])
		if bytes.Equal(mac.Sum(nil), p[cut:]) {
			sealed++
		} else {
			others++
		}
		return sealed >= 50
	})
	if err != nil {
		t.Errorf("%s: %d packets are sealed with the key, %d are not: %v", what, sealed, others, err)
	}
}

// TestKnetRekey: another key, another cipher, then none and one again, by a reload
// that starts on either side, under load: the ring stays, and the packets are
// sealed with what the reload said. (Five of the original's lose their ring over it
// in half of the tries, on two processors under this load; three never did.)
func TestKnetRekey(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			startConf(t, ctx, l, knet(crypto("aes256", "sha256")...))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			sealedWith(t, l, "at the start", sha256.New, lab.Authkey(""))
			stays(t, ctx, l.Members(), "new keys and ciphers", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					rekey(t, ctx, l, "n1", "one", "aes256", "sha256", sha256.New)
					rekey(t, ctx, l, "n2", "two", "aes256", "sha256", sha256.New)
					rekey(t, ctx, l, "n3", "two", "aes128", "sha1", sha1.New)
					rekey(t, ctx, l, "n2", "three", "aes256", "sha256", sha256.New)
				})
			})
			for _, n := range l.Members() {
				res, err := n.Exec(ctx, "corosync-cmapctl", "-g", "totem.crypto_cipher")
				if err != nil || !regexp.MustCompile(`= aes256\n`).MatchString(res.Stdout) {
					t.Errorf("%s: %v %s", n.Name(), err, res.Stdout)
				}
			}
			comesBack(t, ctx, l)
		})
	}
}

// rekey gives all nodes a key and a cipher and reloads on one of them.
func rekey(t *testing.T, ctx context.Context, l *lab.Lab, on, key, cipher, digest string, hash func() hash.Hash) {
	t.Helper()
	conf := knet(crypto(cipher, digest)...)
	conf.Key = key
	must(t, l.WriteConf(conf))
	if _, err := l.Node(on).Exec(ctx, "corosync-cfgtool", "-R"); err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("reload on %s: key %s, %s, %s", on, key, cipher, digest)
	sealedWith(t, l, what, hash, lab.Authkey(key))
	waitLinks(t, ctx, l, 1, what+": all links to be up", connected)
}

// comesBack starts a node anew: it can talk to the others with the new key only.
func comesBack(t *testing.T, ctx context.Context, l *lab.Lab) {
	t.Helper()
	n := l.Members()[0]
	must(t, n.Stop(ctx, lab.PartCorosync), l.WaitRing(ctx, others(l, n)...), l.StartRing(ctx, l.Members()...))
}

// TestKnetStranger: a node with another key stays out, the others' ring holds, and
// the log says from where packets came that could not be opened.
func TestKnetStranger(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			conf := knet(append(crypto("aes256", "sha256"), "token: 4000")...)
			must(t, l.WriteConf(conf))
			stranger := l.Node("n3")
			conf.Key = "stranger"
			must(t, l.WriteConf(conf, stranger))
			ring := others(l, stranger)
			must(t, l.StartRing(ctx, ring...))
			stays(t, ctx, ring, "a stranger knocks", func() {
				must(t, stranger.Start(ctx, lab.PartCorosync), l.WaitRing(ctx, stranger))
				sendAndCompare(t, ctx, ring, load, 30, time.Minute)
				for _, n := range l.Members() {
					from := ring[0]
					if n.Name() != stranger.Name() {
						from = stranger
					}
					line := regexp.MustCompile(`decrypt packet from ` + regexp.QuoteMeta(from.Addr(0)) + `:5405`)
					testwait.For(t, 20*time.Second, n.Name()+" to tell whose packets it cannot open", func() bool {
						text, _ := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
						return line.Match(text)
					})
				}
				if slices.ContainsFunc(knetLinks(ctx, stranger), func(k knetLink) bool { return k.connected }) {
					t.Error("the stranger has links that are up")
				}
			})
			for _, n := range l.Members() {
				text, _ := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				t.Logf("%s: %d lines of log", n.Name(), bytes.Count(text, []byte("\n")))
			}
		})
	}
}

// TestKnetShortKey: an authkey that is no key is refused at the start, with a line
// that says so (CVE-2013-0250: never go on with a key that was not set up).
func TestKnetShortKey(t *testing.T) {
	labtest.Long(t, "TestKnetStranger")
	for _, m := range knetMixes() {
		if len(m.ours) == 2 { // nobody on n2
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			l := upMix(t, m, 1)
			n := l.Node("n2")
			for _, size := range []int{0, 16, 127} {
				must(t, l.WriteConf(knet(crypto("aes256", "sha256")...), n))
				must(t, n.AddFile(lab.File{Path: "/etc/corosync/authkey", Mode: 0o400, Content: string(make([]byte, size))}))
				short, cancel := context.WithTimeout(ctx, 20*time.Second)
				res, err := n.Exec(short, "/usr/sbin/corosync", "-f")
				cancel()
				if err == nil || res.Code <= 0 {
					t.Errorf("a key of %d bytes: corosync ended with %d, %v: want it to refuse", size, res.Code, err)
				}
				text, _ := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				if !bytes.Contains(text, []byte("key")) {
					t.Errorf("a key of %d bytes: the log doesn't speak of a key:\n%s", size, text)
				}
				t.Logf("a key of %d bytes: status %d", size, res.Code)
				must(t, os.Truncate(n.Path("/var/log/corosync/corosync.log"), 0))
			}
		})
	}
}

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

// seal tells whether a packet is one that a configuration makes.
type seal func(p []byte) bool

// sealed: the last bytes are the HMAC of all before them (kronosnet, libknet/crypto_openssl.c).
func sealed(hash func() hash.Hash, key []byte) seal {
	return func(p []byte) bool {
		mac := hmac.New(hash, key)
		cut := len(p) - mac.Size()
		if cut < 16 {
			return false
		}
		mac.Write(p[:cut])
		return bytes.Equal(mac.Sum(nil), p[cut:])
	}
}

// inClear: the header can be read.
func inClear(p []byte) bool {
	return len(p) > 14 && p[0] == 1 && (p[1] == knetData || p[1] == knetPing || p[1] == knetPong) && p[2] == 0 && p[3] <= 5
}

// sends waits until the ring sends packets of that kind.
func sends(t *testing.T, l *lab.Lab, what string, wanted seal) {
	t.Helper()
	as, others := 0, 0
	err := sniff(l, 0, 20*time.Second, func(p []byte) bool {
		if wanted(p) {
			as++
		} else {
			others++
		}
		return as >= 50
	})
	if err != nil {
		t.Errorf("%s: %d packets are as it wants, %d are not: %v", what, as, others, err)
	}
}

// TestKnetRekey: another key, another cipher, then none and one again, by a reload
// that starts on either side: the ring stays, and the packets are sealed with what
// the reload said. All of it happens under load, unless two of the nodes are the
// original's: one of those drops the old key while the messages of another, with
// which that would begin to use the new one, still wait behind its load, and they
// lose each other (exec/cfg.c: message_handler_req_exec_cfg_reconfig_crypto). Ours
// keeps the old key so long, and begins as soon as it hears the new one.
func TestKnetRekey(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			startConf(t, ctx, l, rekeyConf("", "aes256", "sha256"))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			sends(t, l, "at the start", sealed(sha256.New, lab.Authkey("")))
			ring := l.Members()
			changes := func() {
				rekey(t, ctx, l, 1, "n1", "one", "aes256", "sha256", sealed(sha256.New, lab.Authkey("one")))
				rekey(t, ctx, l, 2, "n2", "two", "aes256", "sha256", sealed(sha256.New, lab.Authkey("two")))
				rekey(t, ctx, l, 3, "n3", "two", "aes128", "sha1", sealed(sha1.New, lab.Authkey("two")))
				rekey(t, ctx, l, 4, "n1", "two", "none", "none", inClear)
				rekey(t, ctx, l, 5, "n2", "three", "aes256", "sha256", sealed(sha256.New, lab.Authkey("three")))
			}
			stays(t, ctx, ring, "new keys and ciphers", func() {
				if len(ring)-len(m.ours) < 2 {
					underLoad(t, ctx, ring, load, changes)
				} else {
					changes()
					sendAndCompare(t, ctx, ring, load, 20, 2*time.Minute)
				}
			})
			for _, n := range l.Members() {
				res, err := n.Exec(ctx, "corosync-cmapctl", "-g", "totem.crypto_cipher")
				if err != nil || !regexp.MustCompile(`= aes256\n`).MatchString(res.Stdout) {
					t.Errorf("%s: %v %s", n.Name(), err, res.Stdout)
				}
			}
			for _, n := range l.Members() {
				text, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				must(t, err)
				if line := regexp.MustCompile(`.*crypto.* failed.*`).Find(text); line != nil {
					t.Errorf("%s: %s", n.Name(), line)
				}
			}
			comesBack(t, ctx, l)
		})
	}
}

// rekeyConf has a key and a cipher, and CFG tell of its phases in the log.
func rekeyConf(key, cipher, digest string) lab.Conf {
	conf := knet(crypto(cipher, digest)...)
	conf.Key = key
	conf.Logging = []string{"logger_subsys {\n    subsys: CFG\n    debug: on\n  }"}
	return conf
}

// rekey gives all nodes a key and a cipher and reloads on one of them, for the nth
// time, and waits until all nodes have ended with it. The original cannot have
// the next change begin before: it would load that key where the old one is still
// in use, fail ("Device or resource busy") and keep the old one.
func rekey(t *testing.T, ctx context.Context, l *lab.Lab, nth int, on, key, cipher, digest string, wanted seal) {
	t.Helper()
	must(t, l.WriteConf(rekeyConf(key, cipher, digest)))
	if _, err := l.Node(on).Exec(ctx, "corosync-cfgtool", "-R"); err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("reload on %s: key %s, %s, %s", on, key, cipher, digest)
	for _, n := range l.Members() {
		testwait.For(t, 30*time.Second, what+": "+n.Name()+" to drop the old key", func() bool {
			text, _ := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
			return bytes.Count(text, []byte("Crypto reconfiguration phase 2")) >= nth
		})
	}
	sends(t, l, what, wanted)
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

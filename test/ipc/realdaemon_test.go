package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

const oneNode = `totem {
  version: 2
  cluster_name: ipc
  transport: udpu
}
nodelist {
  node {
    nodeid: 1
    name: n1
    ring0_addr: 127.0.0.1
  }
}
quorum {
  provider: corosync_votequorum
}
logging {
  to_syslog: no
  to_stderr: yes
}
system {
  sched_rr: no
  qb_ipc_type: TYPE
}
`

// startDaemon runs a corosync, Debian's or ours, with one node inside the sandbox.
func startDaemon(t *testing.T, corosync, ipcType string) *exec.Cmd {
	t.Helper()
	conf := bytes.ReplaceAll([]byte(oneNode), []byte("TYPE"), []byte(ipcType))
	if err := os.WriteFile("/etc/corosync/corosync.conf", conf, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(corosync, "-f")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("corosync:\n%s", &log)
		}
	})
	return cmd
}

// dial connects to a service of a daemon that may still be starting.
func dial(t *testing.T, service string) *qbipc.Client {
	t.Helper()
	var c *qbipc.Client
	testwait.For(t, 20*time.Second, "connection to "+service, func() bool {
		var err error
		c, err = qbipc.Dial(service, qbipc.DialOptions{})
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatal(err)
		}
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// cmapName is a key as the cmap service takes it: u16 length, 256 bytes @8.
func cmapName(b []byte, name string) {
	binary.LittleEndian.PutUint16(b, uint16(len(name)))
	copy(b[8:], name)
}

// cmapGet asks for a key with room for n bytes of value.
func cmapGet(t *testing.T, c *qbipc.Client, name string, n uint64) (code int32, value []byte) {
	t.Helper()
	req := make([]byte, 288)
	qbipc.PutRequestHeader(req, 2, len(req))
	cmapName(req[16:], name)
	binary.LittleEndian.PutUint64(req[280:], n)
	res, err := c.Request(req, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, size, code, ok := qbipc.ResponseHeader(res)
	if !ok || int(size) != len(res) {
		t.Fatalf("reply of %d bytes says %d", len(res), size)
	}
	if code != 1 {
		return code, nil
	}
	got := binary.LittleEndian.Uint64(res[24:])
	return code, res[40 : 40+got]
}

// TestClientWithOriginalDaemon: our client asks, tracks and outlives Debian's
// corosync, over shared memory and over sockets.
func TestClientWithOriginalDaemon(t *testing.T) {
	for _, typ := range []string{"shm", "socket"} {
		t.Run(typ, func(t *testing.T) { testOriginal(t, typ) })
	}
}

func testOriginal(t *testing.T, typ string) {
	if sandbox(t, "64m") {
		return
	}
	daemon := startDaemon(t, testneed.Program(t, "corosync"), typ)
	c := dial(t, "cmap")
	if c.ServerPID() != daemon.Process.Pid {
		t.Errorf("server is process %d, want %d", c.ServerPID(), daemon.Process.Pid)
	}
	code, value := cmapGet(t, c, "totem.cluster_name", 16)
	if code != 1 || string(value) != "ipc\x00" {
		t.Errorf("totem.cluster_name: code %d, %q", code, value)
	}
	if code, _ = cmapGet(t, c, "no.such.key", 16); code != 12 {
		t.Errorf("missing key: code %d, want 12", code)
	}
	// More requests than the ring has room for at once.
	for range 5000 {
		if code, _ := cmapGet(t, c, "totem.version", 16); code != 1 {
			t.Fatalf("code %d", code)
		}
	}
	trackAndSet(t, c)
	if _, err := c.Recv(10 * time.Millisecond); !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("Recv without events: %v, want ETIMEDOUT", err)
	}
	second := dial(t, "cmap")
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	testwait.For(t, 10*time.Second, "the daemon to remove a closed connection's folder", func() bool { return len(shmFolders(t)) == 1 })
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	daemon.Wait()
	req := make([]byte, 24)
	qbipc.PutRequestHeader(req, 0, len(req))
	if _, err := c.Request(req, time.Minute); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("request to a dead daemon: %v, want ENOTCONN", err)
	}
	if _, err := c.Recv(time.Minute); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("Recv from a dead daemon: %v, want ENOTCONN", err)
	}
	c.Close()
	if left := shmFolders(t); len(left) != 0 {
		t.Errorf("left after the daemon was killed and the client closed: %v", left)
	}
}

// shmFolders are the connection folders under /dev/shm.
func shmFolders(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// trackAndSet changes a tracked key 2000 times and reads as many events.
func trackAndSet(t *testing.T, c *qbipc.Client) {
	t.Helper()
	track := make([]byte, 296)
	qbipc.PutRequestHeader(track, 7, len(track))
	cmapName(track[16:], "test.")
	binary.LittleEndian.PutUint32(track[280:], 1|2|4|8)
	binary.LittleEndian.PutUint64(track[288:], 0x1234)
	res, err := c.Request(track, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, code, _ := qbipc.ResponseHeader(res); code != 1 {
		t.Fatalf("track: code %d", code)
	}
	const n = 2000
	set := make([]byte, 300)
	qbipc.PutRequestHeader(set, 0, len(set))
	cmapName(set[16:], "test.key")
	binary.LittleEndian.PutUint64(set[280:], 4)
	set[288] = 6 // ICMAP_VALUETYPE_UINT32
	for i := range uint32(n) {
		binary.LittleEndian.PutUint32(set[296:], i)
		res, err := c.Request(set, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, code, _ := qbipc.ResponseHeader(res); code != 1 {
			t.Fatalf("set %d: code %d", i, code)
		}
	}
	for i := range uint32(n) {
		ev, err := c.Recv(time.Minute)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		id, size, _, _ := qbipc.ResponseHeader(ev)
		if id != 9 || int(size) != len(ev) || binary.LittleEndian.Uint64(ev[24:]) != 0x1234 {
			t.Fatalf("event %d: id %d, size %d of %d", i, id, size, len(ev))
		}
		if got := binary.LittleEndian.Uint32(ev[336:]); got != i {
			t.Fatalf("event %d carries %d", i, got)
		}
	}
}

package ipc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/qbipc"
	"golang.org/x/sys/unix"
)

const serveVar = "PACESYNC_TEST_SERVE"

// TestMain turns this binary into the test service when a benchmark asks for
// one in a process of its own.
func TestMain(m *testing.M) {
	if name := os.Getenv(serveVar); name != "" {
		if err := serveAlone(name); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveAlone serves until the standard input ends.
func serveAlone(name string) error {
	l, err := loop.New()
	if err != nil {
		return err
	}
	s := &echoServer{loop: l}
	if s.srv, err = qbipc.NewServer(qbipc.OnLoop(l), qbipc.Options{Name: name, Handler: s}); err != nil {
		return err
	}
	l.EachTurn(s.sendEvents)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Post(s.srv.Close)
		l.Stop()
	}()
	fmt.Println("ready")
	return l.Run()
}

// benchServer starts the test service, ours or libqb's, in its own process.
// stop ends it and returns the processor time that it used.
func benchServer(b *testing.B, impl string) (name string, stop func() time.Duration) {
	b.Helper()
	name = fmt.Sprintf("bench-%d", os.Getpid())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVar+"="+name)
	if impl == "libqb" {
		cmd = exec.Command(build(b, "echo_server"), name, "shm")
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		b.Fatalf("server: %q %v", line, err)
	}
	return name, func() time.Duration {
		in.Close()
		if impl == "libqb" {
			if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
				b.Error(err)
			}
		}
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

// ownCPU is the processor time of this process.
func ownCPU(b *testing.B) time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkIPC measures one client against one server, each ours or libqb's, in
// two processes: a request with its answer (rtt), a request without (async), an
// event (events).
func BenchmarkIPC(b *testing.B) {
	bin := build(b, "echo_client")
	for _, mode := range []string{"rtt", "async", "events"} {
		for _, size := range []int{64, 4096, 100_000} {
			for _, client := range []string{"libqb", "ours"} {
				for _, server := range []string{"libqb", "ours"} {
					b.Run(fmt.Sprintf("%s/size=%d/client=%s/server=%s", mode, size, client, server), func(b *testing.B) {
						benchPair(b, bin, client, server, mode, size)
					})
				}
			}
		}
	}
}

// benchPair also reports the processor time of both processes together, which
// says more than the clock on a machine that does other things too.
func benchPair(b *testing.B, bin, client, server, mode string, size int) {
	name, stop := benchServer(b, server)
	var used time.Duration
	if client == "ours" {
		before := ownCPU(b)
		benchOurs(b, name, mode, size)
		b.StopTimer()
		used = ownCPU(b) - before
	} else {
		cmd := exec.Command(bin, name, mode, strconv.Itoa(b.N), strconv.Itoa(size))
		b.ResetTimer()
		out, err := cmd.Output()
		b.StopTimer()
		ns, err2 := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil || err2 != nil {
			b.Fatalf("%v: %q %v", cmd.Args, out, err)
		}
		b.ReportMetric(ns, "ns/op")
		used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(used+stop())/float64(b.N), "cpu-ns/op")
}

func benchOurs(b *testing.B, name, mode string, size int) {
	c, err := qbipc.Dial(name, qbipc.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, c.MaxMsg())
	req := make([]byte, qbipc.RequestHeaderSize+size)
	qbipc.PutRequestHeader(req, idEcho, len(req))
	ask := func(req []byte) {
		if _, err := c.RequestInto(buf, req, nil, -1); err != nil {
			b.Fatal(err)
		}
	}
	ask(req)
	b.ReportAllocs()
	b.ResetTimer()
	switch mode {
	case "rtt":
		for range b.N {
			ask(req)
		}
	case "async":
		qbipc.PutRequestHeader(req, idSilent, len(req))
		for range b.N {
			err := c.Send(req)
			for errors.Is(err, unix.EAGAIN) {
				<-time.After(50 * time.Microsecond) // as the C client's usleep
				err = c.Send(req)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		qbipc.PutRequestHeader(req, idEcho, qbipc.RequestHeaderSize)
		ask(req[:qbipc.RequestHeaderSize])
	case "events":
		ev := make([]byte, 24)
		qbipc.PutRequestHeader(ev, idEvents, len(ev))
		binary.LittleEndian.PutUint32(ev[16:], uint32(b.N))
		binary.LittleEndian.PutUint32(ev[20:], uint32(size))
		ask(ev)
		for range b.N {
			if _, err := c.Recv(time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	}
}

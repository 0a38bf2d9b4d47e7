package child

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testwait"
)

func sh(script string) *Spec {
	return &Spec{Path: "/bin/sh", Args: []string{"/bin/sh", "-c", script}, Env: os.Environ()}
}

func TestExit(t *testing.T) {
	x := New(sh("echo out; echo err >&2; exit 7")).Run()
	if x.Code != 7 || x.Signal != 0 || x.Stdout != "out\n" || x.Stderr != "err\n" || x.PID == 0 || x.Err != nil {
		t.Errorf("%+v", x)
	}
	x = New(sh("kill -SEGV $$")).Run()
	if x.Signal != syscall.SIGSEGV || x.TimedOut {
		t.Errorf("%+v", x)
	}
	x = New(&Spec{Path: "/nonexistent", Args: []string{"x"}}).Run()
	if !errors.Is(x.Err, syscall.ENOENT) {
		t.Errorf("%+v", x)
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("exit $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if x = New(&Spec{Path: file, Args: []string{file, "9"}}).Run(); x.Code != 9 {
		t.Errorf("script without interpreter line: %+v", x)
	}
}

// A child that leaves a process behind with its pipes open has ended all the same.
func TestLeftBehind(t *testing.T) {
	start := time.Now()
	x := New(sh("sleep 20 & echo $!")).Run()
	if time.Since(start) > 10*time.Second {
		t.Error("waited for the process left behind")
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(x.Stdout)); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	} else {
		t.Errorf("%+v", x)
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestTimeoutKillsTheGroup(t *testing.T) {
	for _, leave := range []bool{false, true} {
		s := sh("trap '' TERM; sleep 60 & echo $!; wait; wait")
		s.Timeout, s.LeaveGroup = 300*time.Millisecond, leave
		x := New(s).Run()
		if !x.TimedOut || x.Signal != syscall.SIGKILL {
			t.Errorf("%+v", x)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(x.Stdout))
		if err != nil {
			t.Fatalf("%+v", x)
		}
		if leave {
			if !alive(pid) {
				t.Error("the group was killed although it should be left")
			}
			_ = syscall.Kill(pid, syscall.SIGKILL)
			continue
		}
		testwait.For(t, 5*time.Second, "the process it started to be gone", func() bool { return !alive(pid) })
	}
}

func TestKill(t *testing.T) {
	c := New(sh("sleep 60"))
	c.Kill() // before it has begun
	if x := c.Run(); x.Signal != syscall.SIGKILL || x.TimedOut {
		t.Errorf("%+v", x)
	}
}

func TestChildIsClean(t *testing.T) {
	Seal()
	x := New(sh("ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; awk '{print $5==$1}' /proc/self/stat")).Run()
	descriptors, _, _ := strings.Cut(x.Stdout, "Sig") // what follows are masks, some of which look like numbers
	for _, l := range strings.Fields(descriptors) {
		if l != "0" && l != "1" && l != "2" && l != "3" { // 3: the directory that ls reads
			t.Errorf("descriptor %s is open in the child", l)
		}
	}
	if !strings.Contains(x.Stdout, "SigBlk:\t0000000000000000") || strings.Contains(x.Stdout, "SigIgn:\t0000000000001000") {
		t.Errorf("signals: %s", x.Stdout)
	}
}

func TestOutputIsBounded(t *testing.T) {
	x := New(sh("head -c 6000000 /dev/zero")).Run()
	if len(x.Stdout) != MaxOutput {
		t.Errorf("%d bytes kept", len(x.Stdout))
	}
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if x := New(&Spec{Path: "/bin/true", Args: []string{"true"}}).Run(); x.Code != 0 || x.Err != nil {
			b.Fatal(x)
		}
	}
}

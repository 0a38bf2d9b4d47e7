// Package ipc holds the end-to-end tests of internal/qbipc: our client with the
// original daemon, unchanged C programs with our server, and a hostile client.
//
// Whatever touches sockets or /dev/shm runs in private namespaces (network,
// mount, PID, IPC), made by running this test binary again under unshare.
package ipc

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

const insideVar = "PACESYNC_TEST_SANDBOX"

// sandbox runs the calling test again inside private namespaces and returns
// false there; outside it returns true once that run has passed. The private
// /dev/shm has the given size (mount option syntax).
func sandbox(t *testing.T, shmSize string) (outside bool) {
	t.Helper()
	if os.Getenv(insideVar) != "" {
		return false
	}
	if os.Getenv("E2E") == "" {
		t.Skip("needs root and private namespaces: set E2E=1, or use make e2e")
	}
	testneed.Root(t, "private namespaces")
	setup := fmt.Sprintf(`set -e
mount --make-rprivate /
ip link set lo up
mount -t tmpfs -o size=%s,mode=1777 shm /dev/shm
for d in /run /var/lib/corosync /var/log /etc/corosync; do [ -d $d ] && mount -t tmpfs tmpfs $d; done
mkdir -p /var/log/corosync /run/etc/upper /run/etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work etc /etc
exec "$@"`, shmSize)
	args := []string{"--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", setup, "sandbox", os.Args[0], "-test.run", "^" + t.Name() + "$", "-test.v", "-test.timeout", "2m"}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), insideVar+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("inside:\n%s", out)
	if err != nil {
		t.Fatalf("the run inside private namespaces failed: %v", err)
	}
	if strings.Contains(string(out), "--- SKIP") {
		testneed.Missing(t, "see the run inside")
	}
	return true
}

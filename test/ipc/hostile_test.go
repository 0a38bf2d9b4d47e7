package ipc

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testwait"
)

// waitEmpty waits until the server has no client and no folder is left.
func waitEmpty(t *testing.T, s *echoServer) {
	t.Helper()
	testwait.For(t, 20*time.Second, "no client and no file", func() bool {
		return s.clients() == 0 && len(shmFolders(t)) == 0
	})
}

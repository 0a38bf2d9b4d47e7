package config_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
)

// diskEnv is a machine of the test's making with real files.
type diskEnv struct{ configtest.Env }

func (*diskEnv) ReadFile(path string, limit int) ([]byte, error) {
	return osenv.Env{}.ReadFile(path, limit)
}

// TestReloadWhileWritten: a file that is read while it is written piece by piece is
// refused or taken as a whole, in its old version or its new one; never a part of one
// or a mixture of both. The nodelist stands last, so that no part of the file is one.
func TestReloadWhileWritten(t *testing.T) {
	text := "totem {\nversion: 2\ntransport: udpu\ntoken: 1000\nmerge: 150\n}\nquorum {\nprovider: corosync_votequorum\n}\nuidgid {\nuid: 12\n}\nnodelist {\n" +
		strings.Repeat("# "+strings.Repeat("x", 78)+"\n", 20) + "node {\nname: n1\nnodeid: 1\nring0_addr: 10.0.0.1\n}\nnode {\nname: n2\nnodeid: 2\nring0_addr: 10.0.0.2\n}\n}\n"
	both := [2]string{text, strings.NewReplacer("token: 1000", "token: 1200", "merge: 150", "join: 60", "uid: 12", "gid: 13").Replace(text)}
	env := &diskEnv{configtest.Env{Host: "n1", Local: []string{"10.0.0.1"}}}
	file := filepath.Join(t.TempDir(), "corosync.conf")
	var live *cmap.Map
	var prev *config.Config
	known := map[string]bool{}
	for i := range both {
		if err := os.WriteFile(file, []byte(both[1-i]), 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if live, err = config.Parse(env, file); err != nil {
			t.Fatal(err)
		}
		if prev, err = config.Derive(live, env); err != nil {
			t.Fatal(err)
		}
		known[keysOf(config.Prepare(env, file, config.Fixed(live), prev))] = true
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go writePieces(t, file, both, stop, done)
	taken, refused := 0, 0
	for taken+refused < 500 || (taken == 0 || refused == 0) && taken+refused < 400000 {
		r := config.Prepare(env, file, config.Fixed(live), prev)
		switch {
		case r.Config == nil && len(r.Errors) > 0:
			refused++
		case known[keysOf(r)]:
			taken++
		default:
			t.Fatalf("neither version: %s", keysOf(r))
		}
	}
	close(stop)
	<-done
	if len(known) != 2 || taken == 0 || refused == 0 {
		t.Errorf("%d versions, %d taken, %d refused", len(known), taken, refused)
	}
}

func keysOf(r *config.Reload) string {
	var b strings.Builder
	if r.Keys() != nil {
		for key, v := range r.Keys().All("") {
			fmt.Fprintf(&b, "%s=%v\n", key, v)
		}
	}
	return b.String()
}

// writePieces writes the versions over each other, a few bytes at a time.
func writePieces(t *testing.T, file string, both [2]string, stop, done chan struct{}) {
	defer close(done)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; ; i++ {
		f, err := os.Create(file)
		if err != nil {
			t.Error(err)
			return
		}
		for rest := both[i%2]; rest != ""; {
			select {
			case <-stop:
				f.Close()
				return
			default:
			}
			k := min(len(rest), 1+rng.IntN(400))
			_, _ = f.WriteString(rest[:k])
			rest = rest[k:]
		}
		f.Close()
	}
}

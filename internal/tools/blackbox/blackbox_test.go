package blackbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/blackbox"
)

// TestShow: a file, none, and one that is something else.
func TestShow(t *testing.T) {
	r := blackbox.NewRing(make([]byte, 4096))
	r.Put(&blackbox.Record{When: time.Now(), Func: "main", Line: 7, Tag: 8, Level: 5, Text: "starting up"})
	dir := t.TempDir()
	good, other := filepath.Join(dir, "fdata"), filepath.Join(dir, "other")
	for path, b := range map[string][]byte{good: r.AppendFile(nil), other: []byte("root:x:0:0:root:/root:/bin/bash, and what else is there")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ path, out, err string }{
		{good, " main(7):8: starting up\n", ""},
		{filepath.Join(dir, "none"), "Dumping the contents of " + filepath.Join(dir, "none") + "\n", "[error] qb_log_blackbox_print_from_file: No such file or directory (2)\n"},
		{other, "Dumping the contents of " + other + "\n", "this is no flight data"},
	} {
		var out, stderr bytes.Buffer
		show(&applet.Env{Stdout: &out, Stderr: &stderr}, c.path)
		if !strings.HasSuffix(out.String(), c.out) || !strings.Contains(stderr.String(), c.err) || (c.err == "") != (stderr.Len() == 0) {
			t.Errorf("%s:\n%q\n%q", c.path, out.String(), stderr.String())
		}
	}
}

package lsb

import (
	"os"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/pcmk"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		action string
		code   int
		want   pcmk.OCF
	}{
		{"status", 0, 0}, {"status", 1, 7}, {"status", 2, 7}, {"monitor", 3, 7}, {"status", 4, 1}, {"status", 150, 5}, {"status", 151, 4}, {"status", 7, 1},
		{"start", 0, 0}, {"start", 7, 7}, {"start", 8, 1}, {"stop", 3, 3}, {"stop", 150, 1},
	} {
		if got := Status(c.action, c.code); got != c.want {
			t.Errorf("%s %d: %d, want %d", c.action, c.code, got, c.want)
		}
	}
}

func TestMetadata(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n# Provides: before\n### BEGIN INIT INFO\n# Provides:          x y\n# Required-Start:    $local_fs\n# Short-Description: a <b> & \"c\" é\n" +
		"# Description:       first\n#                    second\n#\tthird\n# Default-Stop:\n### END INIT INFO\n# Required-Stop: late\n"
	if err := os.WriteFile(dir+"/x", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Metadata(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<resource-agent name='x' version='0.1'>\n", "    <Provides>          x y\n</Provides>\n", "<shortdesc lang='en'> a &lt;b&gt; &amp; \"c\" &#xE9;\n</shortdesc>\n",
		"<longdesc lang='en'>\n       first\n                    second\n\tthird\n  </longdesc>\n", "<Required-Stop></Required-Stop>\n", "<Default-Stop>\n</Default-Stop>\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, err := Metadata(dir, "y"); err == nil {
		t.Error("a missing script has meta-data")
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCoverTable: what one run reached counts, whichever it was; packages of one
// name in different folders stay apart.
func TestCoverTable(t *testing.T) {
	blocks := map[string]block{}
	for _, text := range []string{
		"mode: set\ngithub.com/pacesync/pacesync/a/x.go:1.2,3.4 3 0\ngithub.com/pacesync/pacesync/a/x.go:5.2,6.4 1 1\n",
		"mode: set\ngithub.com/pacesync/pacesync/a/x.go:1.2,3.4 3 1\ngithub.com/pacesync/pacesync/a/b/x.go:1.2,3.4 4 0\n",
	} {
		name := filepath.Join(t.TempDir(), "profile")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readProfile(name, blocks); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	coverTable(blocks, &out)
	for _, want := range []string{"| a | 4 | 100.0 % | 2 | 100.0 % |", "| a/b | 4 | 0.0 % | 1 | 0.0 % |", "| together | 8 | 50.0 % | 3 | 66.7 % |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestDecoders: files beside a decoder do not count, and one that is reached too
// little is named.
func TestDecoders(t *testing.T) {
	blocks := map[string]block{module + "internal/qbipc/client.go:1.1,2.2": {1, false}, module + "cpg/group.go:1.1,2.2": {1, false}}
	for _, d := range decoders() {
		name := "x.go"
		if d.files != nil {
			name = d.files[0]
		}
		if _, err := os.Stat(filepath.Join("../..", d.pkg)); err != nil {
			t.Error(err)
		}
		for _, f := range d.files {
			if _, err := os.Stat(filepath.Join("../..", d.pkg, f)); err != nil {
				t.Error(err)
			}
		}
		for i := range 10 {
			blocks[fmt.Sprintf("%s%s/%s:%d.1,2.2", module, d.pkg, name, i)] = block{1, i > 0}
		}
	}
	onlyDecoders(blocks)
	if err := tooLittle(blocks); err != nil || len(blocks) != 10*len(decoders()) {
		t.Errorf("%v, %d blocks", err, len(blocks))
	}
	blocks[module+"cpg/wire/x.go:5.1,2.2"] = block{1, false}
	if err := tooLittle(blocks); err == nil || !strings.Contains(err.Error(), ": cpg/wire") {
		t.Errorf("%v, want cpg/wire", err)
	}
}

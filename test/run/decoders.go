package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// decoder is code that reads what somebody else wrote: another node, a client, the
// kernel or an operator. Without files it is the whole package.
type decoder struct {
	pkg   string
	files []string
}

// decoders are all of corosync's. Each has a fuzz target, or is reached by that of
// a package that calls it.
func decoders() []decoder {
	return []decoder{
		{"totem/wire", nil},
		{"totem/pg", nil},
		{"totem/knet", []string{"onwire.go", "receive.go", "defrag.go", "window.go"}},
		{"totem/knet/crypt", nil},
		{"totem/knet/compress", nil},
		{"internal/qbipc", []string{"header.go", "handshake.go", "ring.go", "dgram.go", "conn.go"}}, // what a client sends
		{"internal/corosync/mar", nil},
		{"internal/corosync/sync", nil},
		{"cpg/wire", nil},
		{"quorum/wire", nil},
		{"internal/corosync/cmap/wire", nil},
		{"internal/corosync/cfg/wire", nil},
		{"internal/corosync/pload", nil},
		{"internal/corosync/config", nil},
		{"internal/corosync/blackbox", nil},
	}
}

// decodersMin is what part of the blocks the tests have to reach, in percent.
const decodersMin = 90

// coverDecoders measures what the tests of the decoders reach of them, committed
// corpora of fuzzing included, and fails for one that is below decodersMin.
func coverDecoders(out io.Writer) error {
	tmp, err := os.MkdirTemp("", "cover")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	var packages []string
	for _, d := range decoders() {
		packages = append(packages, "./"+d.pkg)
	}
	profile := filepath.Join(tmp, "profile")
	args := append([]string{"go", "test", "-short", "-count=1", "-coverpkg=" + strings.Join(packages, ","), "-coverprofile=" + profile}, packages...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if text, err := cmd.Output(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, text)
	}
	blocks := map[string]block{}
	if err := readProfile(profile, blocks); err != nil {
		return err
	}
	onlyDecoders(blocks)
	coverTable(blocks, out)
	return tooLittle(blocks)
}

// onlyDecoders leaves out what is no decoder.
func onlyDecoders(blocks map[string]block) {
	for at := range blocks {
		file, _, _ := strings.Cut(strings.TrimPrefix(at, module), ":")
		i := slices.IndexFunc(decoders(), func(d decoder) bool { return d.pkg == filepath.Dir(file) })
		if i < 0 || decoders()[i].files != nil && !slices.Contains(decoders()[i].files, filepath.Base(file)) {
			delete(blocks, at)
		}
	}
}

// tooLittle names the decoders that the tests reach too little of, or not at all.
func tooLittle(blocks map[string]block) error {
	_, sums := packageSums(blocks)
	var low []string
	for _, d := range decoders() {
		if s := sums[module+d.pkg]; s.blocks == 0 || percent(s.reachedBlocks, s.blocks) < decodersMin {
			low = append(low, d.pkg)
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("below %d %% of the blocks: %s", decodersMin, strings.Join(low, ", "))
	}
	return nil
}

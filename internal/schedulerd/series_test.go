package schedulerd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func TestSequence(t *testing.T) {
	for _, tc := range []struct {
		text string
		want uint32
		bad  bool
	}{
		{"0", 0, false}, {"17", 17, false}, {" \n12\n", 12, false}, {"+5", 5, false}, {"7x", 7, false},
		{"", 0, true}, {"x7", 0, true}, {"99999999999", 0, true}, {"-1", 0, true},
	} {
		got, err := parseSequence([]byte(tc.text))
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%q: %d, %v", tc.text, got, err)
		}
	}
}

func FuzzSequence(f *testing.F) {
	for _, s := range []string{"0", " 12\n", "+5", "4294967295", "x", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		s := allSeries()[seriesWarn]
		if err := os.WriteFile(s.sequenceFile(dir), data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := s.sequence(dir)
		if err != nil && n != 0 {
			t.Fatalf("%d with %v", n, err)
		}
		if err := s.advance(dir, n, 5000); err != nil {
			t.Fatal(err)
		}
		if next, err := s.sequence(dir); err != nil || next >= 5000 {
			t.Fatalf("after %d comes %d, %v", n, next, err)
		}
	})
}

func TestSeriesStartsOver(t *testing.T) {
	dir := t.TempDir()
	s := allSeries()[seriesInput]
	var got []uint32
	for range 5 {
		n, err := s.sequence(dir)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
		if err := s.advance(dir, n, 3); err != nil {
			t.Fatal(err)
		}
	}
	if want := []uint32{0, 1, 2, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for range 3 { // without a limit it goes on
		n, _ := s.sequence(dir)
		if err := s.advance(dir, n, -1); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := s.sequence(dir); n != 5 {
		t.Errorf("%d", n)
	}
}

func TestSaveKeepsHardLinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pe-input-0.bz2")
	if err := save(path, xmltree.New("cib")); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept.bz2")
	if err := os.Link(path, kept); err != nil {
		t.Fatal(err)
	}
	if err := save(path, xmltree.New("cib", xmltree.Attr{Name: "epoch", Value: "2"})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "<cib epoch=\"2\"/>\n", kept: "<cib/>\n"} {
		packed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bz2.Decompress(packed, 1<<20); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

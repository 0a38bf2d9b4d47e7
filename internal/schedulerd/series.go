package schedulerd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// series is one kind of saved inputs: NAME-0.bz2 to NAME-(limit-1).bz2, and in
// NAME.last the number of the next one (lib/common/io.c: pcmk__series_filename).
type series struct {
	name   string
	option string // cluster option that limits it
	limit  int    // its default: -1 keeps all, 0 keeps none
}

// The kinds, by the worst that a run met (schedulerd_messages.c: handle_pecalc_request).
const (
	seriesError = iota
	seriesWarn
	seriesInput
)

func allSeries() [3]series {
	return [...]series{
		seriesError: {"pe-error", "pe-error-series-max", -1},
		seriesWarn:  {"pe-warn", "pe-warn-series-max", 5000},
		seriesInput: {"pe-input", "pe-input-series-max", 4000},
	}
}

// maxSequenceFile bounds what is read of a .last file: a number and white space.
const maxSequenceFile = 64

var errNoNumber = errors.New("it does not begin with a number")

// parseSequence reads the number at the start of a .last file, as scanf's %u
// does: white space and a sign are allowed before it, anything after it.
func parseSequence(data []byte) (uint32, error) {
	s := strings.TrimLeft(string(data), " \t\n\v\f\r")
	digits := strings.TrimPrefix(s, "+")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	v, err := strconv.ParseUint(digits[:end], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %.20q", errNoNumber, s)
	}
	return uint32(v), nil
}

func (s series) sequenceFile(dir string) string { return filepath.Join(dir, s.name+".last") }

// file is where input number n is saved.
func (s series) file(dir string, n uint32) string {
	return filepath.Join(dir, s.name+"-"+strconv.FormatUint(uint64(n), 10)+".bz2")
}

// sequence is the number of the next file. Without a .last file, or with one that
// holds no number, the series begins anew; the error tells why.
func (s series) sequence(dir string) (uint32, error) {
	f, err := os.Open(s.sequenceFile(dir))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, maxSequenceFile)
	n, err := f.Read(buf)
	if n == 0 && err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name(), errNoNumber)
	}
	v, err := parseSequence(buf[:n])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return v, nil
}

// advance notes the number after n. At the limit the series starts over.
func (s series) advance(dir string, n uint32, limit int) error {
	n++
	if limit > 0 && int64(n) >= int64(limit) {
		n = 0
	}
	return os.WriteFile(s.sequenceFile(dir), strconv.AppendUint(nil, uint64(n), 10), 0o666)
}

// save writes an input. What stood under that name before goes first, so that a
// hard link somebody made of it keeps its content. fsync as the original: no.
func save(path string, cib *xmltree.Node) error {
	packed, err := bz2.Compress(cib.AppendPacemaker(nil, xmltree.TextOptions{Format: true}), bz2.FileLevel)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, packed, 0o666)
}

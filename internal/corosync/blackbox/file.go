package blackbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxFile bounds a file that is read: the original's has 8 MiB.
const MaxFile = 256 << 20

// ErrEnd ends Next after the last record.
var ErrEnd = errors.New("blackbox: no more records")

// File is a dump, opened for reading. It keeps the bytes it was given.
type File struct {
	data        []byte // the ring
	words       uint32
	read, write uint32
	longTime    bool // seconds and nanoseconds; old files have seconds only
	left        int  // records that there may be at most
}

// Parse checks the heads of a file.
func Parse(b []byte) (*File, error) {
	u32 := func(i int) uint32 { return binary.NativeEndian.Uint32(b[i*word:]) }
	f := &File{}
	if len(b) >= headSize && u32(0) == 0 && u32(1) == headRead && u32(2) == headWrite && u32(3) == headVersion && u32(4) == 0 {
		f.longTime = true
		b = b[headSize:]
	}
	if len(b) < headSize {
		return nil, fmt.Errorf("blackbox: %d bytes are no flight data: the head of the ring takes %d", len(b), headSize)
	}
	f.words, f.write, f.read = u32(0), u32(1), u32(2)
	version, hash := u32(3), u32(4)
	f.data = b[headSize:]
	switch {
	case hash != f.words+f.write+f.read+version:
		return nil, fmt.Errorf("blackbox: this is no flight data, or it is damaged: checksum %d, want %d", hash, f.words+f.write+f.read+version)
	case version != ringVersion:
		return nil, fmt.Errorf("blackbox: version %d of the ring, this reads %d", version, ringVersion)
	case uint64(f.words)*word > uint64(len(f.data)):
		return nil, fmt.Errorf("blackbox: the file is cut: %d of %d bytes of the ring", len(f.data), uint64(f.words)*word)
	case f.words <= headWords || f.write >= f.words || f.read >= f.words:
		return nil, fmt.Errorf("blackbox: pointers %d and %d are outside the ring of %d words", f.read, f.write, f.words)
	}
	f.data = f.data[:f.words*word]
	f.left = int(f.words / headWords)
	return f, nil
}

// Head is the text that libqb's reader prints first (ringbuffer.c: print_header).
func (f *File) Head() string {
	used := 0
	switch {
	case f.write > f.read:
		used = int(f.write-f.read) * word
	case f.write < f.read:
		used = int(f.write+f.words-f.read-1) * word
	}
	return fmt.Sprintf("Ringbuffer: \n ->NORMAL\n ->write_pt [%d]\n ->read_pt [%d]\n ->size [%d words]\n =>free [%d bytes]\n =>used [%d bytes]\n",
		f.write, f.read, f.words, spaceFree(f.words, f.read, f.write), used)
}

// bytes are n bytes of the ring from a word on, over its end.
func (f *File) bytes(at uint32, n int) []byte {
	out := make([]byte, n)
	k := copy(out, f.data[at%f.words*word:])
	copy(out[k:], f.data)
	return out
}

func (f *File) word(at uint32) uint32 {
	return binary.NativeEndian.Uint32(f.data[at%f.words*word:])
}

// maxRecord is the longest record that the original reads.
const maxRecord = 1024

// Next is the next record, the oldest first; ErrEnd after the last.
func (f *File) Next() (Record, error) {
	if f.read == f.write || f.word(f.read+1) != magicLive || f.left == 0 {
		return Record{}, ErrEnd
	}
	f.left--
	n := f.word(f.read)
	if n > maxRecord || int(n) > len(f.data) {
		return Record{}, fmt.Errorf("blackbox: a record of %d bytes: the file is damaged", n)
	}
	b := f.bytes(f.read+headWords, int(n))
	f.read = (f.read + chunkWords(n)) % f.words
	return f.record(b)
}

// record takes a record apart.
func (f *File) record(b []byte) (Record, error) {
	timeSize := 8
	if f.longTime {
		timeSize = 16
	}
	if len(b) < 13+timeSize+4 {
		return Record{}, errors.New("ERROR Corrupt file: blackbox header too small.")
	}
	r := Record{Line: binary.NativeEndian.Uint32(b), Tag: binary.NativeEndian.Uint32(b[4:]), Level: b[8]}
	fn := binary.NativeEndian.Uint32(b[9:])
	b = b[13:]
	if fn == 0 || uint64(fn)+uint64(timeSize)+4 > uint64(len(b)) {
		return Record{}, fmt.Errorf("ERROR Corrupt file: fn_size way too big %d", fn)
	}
	r.Func = cString(b[:fn])
	b = b[fn:]
	sec, nsec := binary.NativeEndian.Uint64(b), uint64(0)
	if f.longTime {
		nsec = binary.NativeEndian.Uint64(b[8:])
	}
	r.When = time.Unix(int64(sec&math.MaxInt64), int64(nsec%1e9))
	b = b[timeSize:]
	size := binary.NativeEndian.Uint32(b)
	b = b[4:]
	if size == 0 || uint64(size) > uint64(len(b)) {
		return Record{}, fmt.Errorf("ERROR Corrupt file: msg_len out of bounds %d", size)
	}
	r.Text = expand(b[:size])
	return r, nil
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// levelNames are libqb's (log_format.c: prioritynames).
func levelName(l uint8) string {
	names := [...]string{"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug", "trace"}
	return names[min(int(l), len(names)-1)]
}

// String is the line that libqb's reader prints.
func (r *Record) String() string {
	return fmt.Sprintf("%-7s %s %s(%d):%d: %s", levelName(r.Level), r.When.Format("Jan 02 15:04:05.000"), r.Func, r.Line, r.Tag, r.Text)
}

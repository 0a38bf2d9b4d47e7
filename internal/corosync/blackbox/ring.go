// Package blackbox is the flight recorder: the last log lines of all subsystems
// and levels in a ring in memory, the file that they are dumped to, and the text
// of such a file. The format is libqb's, so that its qb-blackbox reads our
// files and corosync-blackbox reads those of the original.
//
// internal/corosync/logsys owns the ring and fills it; the daemon writes the
// file; internal/tools/blackbox prints it.
//
// Upstream: libqb's lib/log_blackbox.c, lib/ringbuffer.c and lib/log_format.c.
package blackbox

import (
	"encoding/binary"
	"strings"
	"time"
)

// Marks of a chunk (ringbuffer.c: QB_RB_CHUNK_MAGIC, QB_RB_CHUNK_MAGIC_DEAD).
const (
	magicLive = 0xA1A1A1A1
	magicDead = 0xD0D0D0D0
)

const (
	word       = 4
	headWords  = 2                      // size in bytes, mark
	marginSize = word * (headWords + 1) // that a new chunk leaves free
)

// Limits of a record. libqb's reader has 512 bytes for the text with its end, and
// writes one past it when they are full.
const (
	maxText = 480
	maxFunc = 64
)

// Record is one log line.
type Record struct {
	When  time.Time
	Func  string
	Line  uint32
	Tag   uint32 // number of the subsystem
	Level uint8
	Text  string
}

// recordFixed is the length of a record without function and text: line, tag,
// level, length of the function, time (two longs), length of the text.
const recordFixed = 4 + 4 + 1 + 4 + 16 + 4

// Ring holds as many records as fit; a new one takes the place of the oldest.
// Owned by whoever locks it; it keeps the memory that it was given.
type Ring struct {
	mem         []byte
	words       uint32
	read, write uint32 // in words
}

// NewRing makes an empty ring of the memory, whose length is a multiple of 4 and
// at least 4 KiB.
func NewRing(mem []byte) *Ring {
	if len(mem)%word != 0 || len(mem) < 4096 {
		panic("blackbox: memory of a ring")
	}
	clear(mem)
	return &Ring{mem: mem, words: uint32(len(mem) / word)}
}

func (r *Ring) get(at uint32) uint32 {
	return binary.NativeEndian.Uint32(r.mem[at%r.words*word:])
}

func (r *Ring) set(at, v uint32) {
	binary.NativeEndian.PutUint32(r.mem[at%r.words*word:], v)
}

// free is how many bytes are left (ringbuffer.c: qb_rb_space_free).
func (r *Ring) free() int { return spaceFree(r.words, r.read, r.write) }

func spaceFree(words, read, write uint32) int {
	switch {
	case write > read:
		return int(read+words-write-1) * word
	case write < read:
		return int(read-write-1) * word
	}
	return int(words) * word
}

// chunkWords is what a chunk with a payload of n bytes takes.
func chunkWords(n uint32) uint32 { return headWords + (n+word-1)/word }

// drop gives the oldest record up.
func (r *Ring) drop() {
	n := r.get(r.read)
	r.set(r.read, 0)
	r.set(r.read+1, magicDead)
	r.read = (r.read + chunkWords(n)) % r.words
}

// Put adds a record. It allocates nothing.
func (r *Ring) Put(rec *Record) {
	fn, text := rec.Func[:min(len(rec.Func), maxFunc)], rec.Text[:min(len(rec.Text), maxText)]
	plain := strings.IndexByte(text, '%') < 0
	msg := len(text) + 1
	if !plain {
		msg += len(stringFormat)
	}
	n := recordFixed + len(fn) + 1 + msg
	for r.free() < n+marginSize {
		r.drop()
	}
	w := cursor{r, (r.write + headWords) % r.words * word}
	w.u32(rec.Line)
	w.u32(rec.Tag)
	w.byte(rec.Level)
	w.u32(uint32(len(fn) + 1))
	w.text(fn)
	w.u64(uint64(rec.When.Unix()))
	w.u64(uint64(rec.When.Nanosecond()))
	w.u32(uint32(msg))
	if !plain {
		w.text(stringFormat[:len(stringFormat)-1])
	}
	w.text(text)
	old := r.write
	r.write = (old + chunkWords(uint32(n))) % r.words
	r.set(r.write, 0)
	r.set(r.write+1, 0) // no stale mark: a reader stops here
	r.set(old, uint32(n))
	r.set(old+1, magicLive)
}

// stringFormat is the format that goes before a text with percent signs.
const stringFormat = "%s\x00"

// cursor writes into the ring, over its end to its beginning.
type cursor struct {
	r  *Ring
	at uint32 // in bytes
}

func (c *cursor) byte(b byte) {
	c.r.mem[c.at] = b
	if c.at++; c.at == c.r.words*word {
		c.at = 0
	}
}

func (c *cursor) u32(v uint32) {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	for _, x := range b {
		c.byte(x)
	}
}

func (c *cursor) u64(v uint64) {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], v)
	for _, x := range b {
		c.byte(x)
	}
}

// text writes a string and its NUL; what lies behind a NUL in it is not seen.
func (c *cursor) text(s string) {
	n := copy(c.r.mem[c.at:], s)
	n += copy(c.r.mem, s[n:])
	c.at = (c.at + uint32(n)) % (c.r.words * word)
	c.byte(0)
}

// Heads of a file: of the recorder, and of the ring in it (log_blackbox.c:
// _blackbox_file_header; ringbuffer.c: qb_rb_write_to_file).
const (
	headRead    = 0xCCBBCCBB
	headWrite   = 0xBBCCBBCC
	headVersion = 2
	ringVersion = 1
	headSize    = 5 * word
)

// AppendFile appends the ring as a file.
func (r *Ring) AppendFile(b []byte) []byte {
	for _, v := range [...]uint32{
		0, headRead, headWrite, headVersion, 0,
		r.words, r.write, r.read, ringVersion, r.words + r.write + r.read + ringVersion,
	} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return append(b, r.mem...)
}

// FileSize is how long the file of the ring is.
func (r *Ring) FileSize() int { return 2*headSize + len(r.mem) }

package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// xzCodec is a file of .xz without a check, as lzma_easy_buffer_encode with
// LZMA_CHECK_NONE.
type xzCodec struct {
	in  bytes.Reader
	out appender
}

// xzDictionary is enough for any packet; liblzma's default of 8 MiB would be
// taken here for each one. The levels make no difference: the library's other
// matcher, the binary tree, fails on runs of zeros.
const xzDictionary = 1 << 17

func (c *xzCodec) pack(dst, src []byte) ([]byte, error) {
	c.out.b = dst
	w, err := xz.WriterConfig{NoCheckSum: true, DictCap: xzDictionary, Matcher: lzma.HashTable4}.NewWriter(&c.out)
	if err != nil {
		return dst, err
	}
	_, err = w.Write(src)
	err = errors.Join(err, w.Close())
	out := c.out.b
	c.out.b = nil
	return out, err
}

// unpack reads the container itself: the library would take the memory that the
// header asks for as dictionary, up to 4 GB. No dictionary longer than what comes
// out is ever used, so one of that length does.
func (c *xzCodec) unpack(dst, src []byte, limit int) ([]byte, error) {
	chunks, err := xzChunks(src)
	if err != nil {
		return dst, err
	}
	c.in.Reset(chunks)
	defer c.in.Reset(nil)
	r, err := lzma.Reader2Config{DictCap: max(limit, lzma.MinDictCap)}.NewReader2(&c.in)
	if err != nil {
		return dst, err
	}
	return readUpTo(dst, r, limit)
}

// Why a file of .xz is not one of knet's.
var (
	errXZ      = errors.New("not an .xz stream as knet sends it")
	errXZCheck = errors.New(".xz stream with a check: knet sends them without")
)

// xzChunks finds the LZMA2 chunks of the first block ("The .xz File Format", 2.1.1
// and 3.1). What follows them, the index and the footer, says nothing that is
// needed here.
func xzChunks(b []byte) ([]byte, error) {
	const streamHeader = 12 // magic, 2 bytes of flags, CRC32
	if len(b) <= streamHeader || string(b[:6]) != "\xfd7zXZ\x00" || crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, errXZ
	}
	if b[6] != 0 || b[7] != 0 {
		return nil, errXZCheck
	}
	b = b[streamHeader:]
	size := 4 * (int(b[0]) + 1) // 0 is an index: a file without a block, thus empty
	if b[0] == 0 || len(b) < size || crc32.ChecksumIEEE(b[:size-4]) != binary.LittleEndian.Uint32(b[size-4:]) {
		return nil, errXZ
	}
	header, flags := b[2:size-4], b[1]
	if flags&^0xc0 != 0 { // one filter, no reserved flags
		return nil, errXZ
	}
	for _, sized := range []byte{0x40, 0x80} { // compressed, uncompressed size: not needed
		if flags&sized != 0 {
			_, n := binary.Uvarint(header)
			if n <= 0 {
				return nil, errXZ
			}
			header = header[n:]
		}
	}
	const lzma2 = 0x21 // its one byte of properties is the size of the dictionary
	if len(header) < 3 || header[0] != lzma2 || header[1] != 1 || header[2] > 40 {
		return nil, errXZ
	}
	for _, padding := range header[3:] {
		if padding != 0 {
			return nil, errXZ
		}
	}
	return b[size:], nil
}

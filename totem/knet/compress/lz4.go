package compress

import (
	"errors"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// lz4Codec is a raw block of LZ4 without a frame: LZ4_compress_fast or
// LZ4_compress_HC, and LZ4_decompress_safe.
type lz4Codec struct {
	compress func(src, dst []byte) (int, error)
}

// newLZ4 takes the level as the acceleration: more is faster and longer; below 1 is 1.
func newLZ4(level int) *lz4Codec {
	c := lz4.CompressorCCompat{Acceleration: level}
	return &lz4Codec{c.CompressBlock}
}

// newLZ4HC searches deeper with a higher level; below 1 is 9 (lz4hc.h:
// LZ4HC_CLEVEL_DEFAULT). The library ends at 9, liblz4 at 12. The library counts
// the places it looks at, 512 to 131,072 by its own levels: with those a message
// of 64 KiB takes 100 ms in the worst case, and a ring whose members hold the
// token for so long stands still. liblz4 looks at 2 to 256, and so do we.
func newLZ4HC(level int) *lz4Codec {
	if level < 1 || level > 9 {
		level = 9
	}
	c := lz4.CompressorHC{Level: 1 << max(level-1, 1)}
	return &lz4Codec{c.CompressBlock}
}

func (c *lz4Codec) pack(dst, src []byte) ([]byte, error) {
	start, bound := len(dst), lz4.CompressBlockBound(len(src))
	dst = slices.Grow(dst, bound)
	n, err := c.compress(src, dst[start:start+bound])
	if err == nil && n == 0 {
		err = errors.New("lz4: nothing was compressed")
	}
	return dst[:start+n], err
}

func (c *lz4Codec) unpack(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, limit)
	n, err := lz4.UncompressBlock(src, dst[start:start+limit])
	if err != nil {
		return dst[:start], err
	}
	return dst[:start+n], nil
}

package compress

import (
	"errors"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// zstdCodec is one frame of Zstandard (RFC 8878), as ZSTD_compressCCtx. Neither side
// starts a goroutine: whole buffers are packed and unpacked in the caller's.
type zstdCodec struct {
	level int
	w     *zstd.Encoder
	r     *zstd.Decoder
}

// zstdWindow is more than any packet has.
const zstdWindow = 1 << 17

func (c *zstdCodec) pack(dst, src []byte) ([]byte, error) {
	if c.w == nil {
		level := c.level
		if level == 0 {
			level = 3 // zstd.h: ZSTD_CLEVEL_DEFAULT
		}
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			return dst, err
		}
		c.w = w
	}
	return c.w.EncodeAll(src, dst), nil
}

// unpack lets the frame ask for any window: of whole buffers the result is the window.
func (c *zstdCodec) unpack(dst, src []byte, limit int) ([]byte, error) {
	if c.r == nil {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return dst, err
		}
		c.r = r
	}
	start := len(dst)
	dst = slices.Grow(dst, limit)
	out, err := c.r.DecodeAll(src, dst[:start:start+limit])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = ErrTooLong
	}
	if err != nil {
		return dst[:start], err
	}
	return out, nil
}

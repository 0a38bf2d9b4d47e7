package compress

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"compress/zlib"
	"errors"
	"io"
	"slices"

	"github.com/dsnet/compress/bzip2"
)

// appender is an io.Writer at the end of a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// readUpTo appends what r gives to dst, at most limit bytes.
func readUpTo(dst []byte, r io.Reader, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, limit+1)
	for {
		n, err := r.Read(dst[len(dst) : start+limit+1])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst)-start > limit:
			return dst[:start], ErrTooLong
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst[:start], err
		}
	}
}

// zlibCodec is zlib's format (RFC 1950), as compress2 and uncompress of libz.
type zlibCodec struct {
	level int
	out   appender
	w     *zlib.Writer
	in    bytes.Reader
	r     io.ReadCloser // nil until a packet had a good header
}

func (c *zlibCodec) pack(dst, src []byte) ([]byte, error) {
	c.out.b = dst
	if c.w == nil {
		w, err := zlib.NewWriterLevel(&c.out, c.level)
		if err != nil {
			return dst, err
		}
		c.w = w
	} else {
		c.w.Reset(&c.out)
	}
	_, err := c.w.Write(src)
	err = errors.Join(err, c.w.Close())
	out := c.out.b
	c.out.b = nil
	return out, err
}

func (c *zlibCodec) unpack(dst, src []byte, limit int) ([]byte, error) {
	c.in.Reset(src)
	defer c.in.Reset(nil)
	if c.r == nil {
		r, err := zlib.NewReader(&c.in)
		if err != nil {
			return dst, err
		}
		c.r = r
	} else if err := c.r.(zlib.Resetter).Reset(&c.in, nil); err != nil {
		return dst, err
	}
	return readUpTo(dst, c.r, limit)
}

// bzip2Codec is bzip2's format, as BZ2_bzBuffToBuffCompress of libbz2.
type bzip2Codec struct {
	level int
	out   appender
	w     *bzip2.Writer
	in    bytes.Reader
}

func (c *bzip2Codec) pack(dst, src []byte) ([]byte, error) {
	c.out.b = dst
	if c.w == nil {
		w, err := bzip2.NewWriter(&c.out, &bzip2.WriterConfig{Level: c.level})
		if err != nil {
			return dst, err
		}
		c.w = w
	} else if err := c.w.Reset(&c.out); err != nil {
		return dst, err
	}
	_, err := c.w.Write(src)
	err = errors.Join(err, c.w.Close())
	out := c.out.b
	c.out.b = nil
	return out, err
}

// unpack reads one stream with the standard library, which takes memory for the
// block size that the header claims: 3.6 MB for level 9. What fits the limit fits
// the blocks of the lowest level that has room for it, before which bytes that
// repeat may have grown by a quarter; so that level is read in the header's place.
func (c *bzip2Codec) unpack(dst, src []byte, limit int) ([]byte, error) {
	const header = 4 // BZh and the level
	if len(src) < header {
		return dst, io.ErrUnexpectedEOF
	}
	level := min(byte(9), byte(1+(limit+limit/4)/100_000))
	if string(src[:3]) == "BZh" && src[3] >= '1' && src[3] <= '9' {
		level = min(level, src[3]-'0')
	} else {
		level = src[3] - '0' // to be refused
	}
	c.in.Reset(src[header:])
	defer c.in.Reset(nil)
	front := bytes.NewReader([]byte{src[0], src[1], src[2], '0' + level})
	return readUpTo(dst, stdbzip2.NewReader(io.MultiReader(front, &c.in)), limit)
}

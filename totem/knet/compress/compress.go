package compress

import (
	"errors"
	"fmt"
)

// Model is the number of a model in knet's header (compress.c:
// compress_modules_cmds).
type Model uint8

const (
	None Model = iota
	Zlib
	LZ4
	LZ4HC
	LZO2
	LZMA
	Bzip2
	Zstd
	models
)

// String is the word of corosync.conf (knet_compression_model).
func (m Model) String() string {
	switch m {
	case None:
		return "none"
	case Zlib:
		return "zlib"
	case LZ4:
		return "lz4"
	case LZ4HC:
		return "lz4hc"
	case LZO2:
		return "lzo2"
	case LZMA:
		return "lzma"
	case Bzip2:
		return "bzip2"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("unknown compress model %d", uint8(m))
}

// ParseModel finds the model of a word.
func ParseModel(word string) (Model, error) {
	for m := None; m < models; m++ {
		if m.String() == word {
			return m, nil
		}
	}
	return None, fmt.Errorf("compress model %s not supported: none, zlib, lz4, lz4hc, lzo2, lzma, bzip2 and zstd are", word)
}

// ErrTooLong: what a packet unpacks to is longer than the caller allows.
var ErrTooLong = errors.New("packet unpacks to more than a packet can have")

// codec packs and unpacks in one format. Both append to dst; unpack stops with
// ErrTooLong where it would append more than limit bytes.
type codec interface {
	pack(dst, src []byte) ([]byte, error)
	unpack(dst, src []byte, limit int) ([]byte, error)
}

// Compression is what one node packs with, and all that it can unpack. It is not
// safe for concurrent use. The zero value packs nothing.
type Compression struct {
	model Model
	level int
	// packer is the configured model's; unpackers are made when the first packet of
	// their model comes.
	packer    codec
	unpackers [models]codec
}

// New makes a Compression that packs nothing.
func New() *Compression { return &Compression{} }

// Set says what packets are packed with from now on. The level means something
// else for each model; what a model makes of a level that it doesn't know is
// libknet's answer: some take their default, some refuse. Warnings are libknet's
// lines for the log, its subsystem in front. On an error nothing is packed, and unpacking goes on (compress.c:
// compress_cfg, compress_lib_test).
//
// One thing differs: the model none turns compression off. libknet leaves it on
// with freed state.
func (c *Compression) Set(model string, level int) (warnings []string, err error) {
	c.model, c.level, c.packer = None, 0, nil
	m, err := ParseModel(model)
	if err != nil || m == None {
		return nil, err
	}
	used, warnings, err := effectiveLevel(m, level)
	if err != nil {
		return warnings, err
	}
	packer, err := newCodec(m, used)
	if err != nil {
		return warnings, fmt.Errorf("compress level %d not supported for model %s: %w", level, model, err)
	}
	c.model, c.level, c.packer = m, used, packer
	return warnings, nil
}

// effectiveLevel is the level that a model works with when it is asked for level.
func effectiveLevel(m Model, level int) (used int, warnings []string, err error) {
	refuse := func(lowest, highest int) error {
		return fmt.Errorf("compress level %d not supported for model %s: set knet_compression_level to %d to %d", level, m, lowest, highest)
	}
	switch m {
	case Zlib:
		if level < -1 || level > 9 {
			return 0, nil, refuse(-1, 9)
		}
		if level == 0 { // stores: what libknet says of its test buffer
			return -1, []string{
				"compress: Requested compression level (0) did not generate any compressed data (source: 65562 destination: 65578)",
				"compress: Requested compression level (0) did not work, switching to default (-1)",
			}, nil
		}
	case LZMA:
		if level < 0 || level > 9 {
			return 0, nil, refuse(0, 9)
		}
	case Bzip2:
		if level < 1 || level > 9 {
			return 0, nil, refuse(1, 9)
		}
	case LZO2:
		switch level {
		case 1, 11, 12, 15, 999:
		default:
			warnings = []string{"lzo2comp: Unknown lzo2 internal compress method. lzo1x_1_compress will be used as default fallback"}
		}
	}
	return level, warnings, nil
}

// Model is the number on the wire of what Compress makes; 0: nothing is packed.
func (c *Compression) Model() uint8 { return uint8(c.model) }

// Level is the level in use.
func (c *Compression) Level() int { return c.level }

// Compress appends src, packed with the model that is set, to dst. The result may
// be longer than src.
func (c *Compression) Compress(dst, src []byte) ([]byte, error) {
	if c.packer == nil {
		return dst, errors.New("no compress model is set")
	}
	return c.packer.pack(dst, src)
}

// Decompress appends what src unpacks to, read as the model of this number, to dst.
// More than limit bytes are ErrTooLong. After an error dst has to be thrown away.
func (c *Compression) Decompress(dst []byte, model uint8, src []byte, limit int) ([]byte, error) {
	m := Model(model)
	if m == None || m >= models {
		return dst, fmt.Errorf("received packet with unknown compress model %d", model)
	}
	if c.unpackers[m] == nil {
		u, err := newCodec(m, m.unpackLevel())
		if err != nil {
			return dst, err
		}
		c.unpackers[m] = u
	}
	out, err := c.unpackers[m].unpack(dst, src, limit)
	if err != nil && !errors.Is(err, ErrTooLong) {
		err = fmt.Errorf("%s: %w", m, err)
	}
	return out, err
}

// unpackLevel is any level that the model knows: unpacking takes none.
func (m Model) unpackLevel() int { return 1 }

// newCodec makes the codec of a model.
func newCodec(m Model, level int) (codec, error) {
	switch m {
	case Zlib:
		return &zlibCodec{level: level}, nil
	case LZ4:
		return newLZ4(level), nil
	case LZ4HC:
		return newLZ4HC(level), nil
	case LZO2:
		return &lzoCodec{}, nil
	case LZMA:
		return &xzCodec{}, nil
	case Bzip2:
		return &bzip2Codec{level: level}, nil
	case Zstd:
		return &zstdCodec{level: level}, nil
	}
	return nil, fmt.Errorf("there is no model %s", m)
}

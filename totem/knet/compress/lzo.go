package compress

import (
	"encoding/binary"
	"errors"
	"slices"
)

// lzoCodec is LZO1X (lzo1x_1_compress and lzo1x_decompress_safe of liblzo2), a format
// that is told in words in Linux's Documentation/staging/lzo.rst. A stream is made of
// instructions; each copies some bytes from a distance back and then up to 3 bytes
// from the stream, or a longer run from the stream. Matches that lie nearer and are
// shorter have shorter instructions.
//
// All of libknet's lzo2 levels make this format; here they are one.
type lzoCodec struct {
	heads [1 << lzoHashBits]uint16 // where four bytes with this hash were seen last
}

const (
	lzoHashBits = 13
	// The farthest distances of the instructions for matches, and the longest matches
	// that they hold without further bytes.
	lzoNear, lzoNearLength     = 0x800, 8
	lzoMiddle, lzoMiddleLength = 0x4000, 33
	lzoFar, lzoFarLength       = 0xbfff, 9
	lzoMaxInput                = 1 << 16 // positions are kept in 16 bits
)

var (
	errLZO       = errors.New("lzo stream is damaged")
	errLZOLength = errors.New("lzo: more than 65536 bytes to pack")
)

// pack takes the first match that the table offers, if it has four bytes.
func (c *lzoCodec) pack(dst, src []byte) ([]byte, error) {
	if len(src) > lzoMaxInput {
		return dst, errLZOLength
	}
	clear(c.heads[:])
	start, from := len(dst), 0 // from: the first byte that is not yet in dst
	for at := 1; at+4 <= len(src); {
		word := binary.LittleEndian.Uint32(src[at:])
		head := &c.heads[word*0x9e3779b1>>(32-lzoHashBits)]
		seen := int(*head)
		*head = uint16(at)
		distance := at - seen
		if distance <= 0 || distance > lzoFar || binary.LittleEndian.Uint32(src[seen:]) != word {
			at += 1 + (at-from)>>5 // in what doesn't repeat, look less and less
			continue
		}
		length := 4
		for at+length < len(src) && src[seen+length] == src[at+length] {
			length++
		}
		dst = lzoLiterals(dst, start, src[from:at])
		dst = lzoMatch(dst, length, distance)
		at += length
		from = at
	}
	dst = lzoLiterals(dst, start, src[from:])
	return append(dst, 0x11, 0, 0), nil
}

// lzoLiterals appends bytes that follow a match, or begin the stream at start.
func lzoLiterals(dst []byte, start int, run []byte) []byte {
	switch n := len(run); {
	case n == 0:
		return dst
	case len(dst) == start && n <= 255-17:
		dst = append(dst, byte(17+n))
	case len(dst) > start && n <= 3:
		dst[len(dst)-2] |= byte(n) // in the instruction of the match
	case n <= 18:
		dst = append(dst, byte(n-3))
	default:
		dst = lzoLength(append(dst, 0), n-18)
	}
	return append(dst, run...)
}

// lzoMatch appends the instruction to copy.
func lzoMatch(dst []byte, length, distance int) []byte {
	if distance <= lzoNear && length <= lzoNearLength {
		d := distance - 1
		return append(dst, byte((length-1)<<5|d&7<<2), byte(d>>3))
	}
	d, op, short := distance-1, 0x20, lzoMiddleLength
	if distance > lzoMiddle {
		d = distance - 0x4000
		op, short = 0x10|d>>14<<3, lzoFarLength
	}
	if length <= short {
		dst = append(dst, byte(op|(length-2)))
	} else {
		dst = lzoLength(append(dst, byte(op)), length-short)
	}
	return append(dst, byte(d<<2), byte(d>>6))
}

// lzoLength appends a length that did not fit its instruction: 255 for each zero,
// then the rest, which is not zero.
func lzoLength(dst []byte, n int) []byte {
	for ; n > 255; n -= 255 {
		dst = append(dst, 0)
	}
	return append(dst, byte(n))
}

// lzoReader is the stream and what came out of it.
type lzoReader struct {
	in    []byte
	out   []byte
	start int // where the output starts in out
	limit int
}

// unpack follows the instructions. state is how many literals came with the last
// instruction: a low instruction means three things, by it.
func (c *lzoCodec) unpack(dst, src []byte, limit int) ([]byte, error) {
	r := lzoReader{in: src, out: slices.Grow(dst, limit), start: len(dst), limit: limit}
	state, err := 0, error(nil)
	if len(src) > 0 && src[0] > 17 { // the stream begins with literals
		n := int(src[0]) - 17
		r.in = r.in[1:]
		state, err = min(n, 4), r.literals(n)
	}
	for err == nil {
		var op, more int
		if op, err = r.next(); err != nil {
			break
		}
		if op < 16 && state == 0 {
			if more, err = r.length(op, 15); err == nil {
				state, err = 4, r.literals(3+more)
			}
			continue
		}
		var end bool
		if state, end, err = r.match(op, state); end {
			return r.out, nil
		}
	}
	return r.out[:r.start], err
}

// match copies what an instruction says and the literals that come with it.
func (r *lzoReader) match(op, state int) (literals int, end bool, err error) {
	var length, distance, low int
	switch {
	case op >= 64: // near: 3 to 8 bytes
		low, err = r.next()
		length, distance = op>>5+1, low<<3+op>>2&7+1
		literals = op & 3
	case op >= 32: // in the middle
		length, err = r.length(op&31, 31)
		if err == nil {
			low, err = r.pair()
		}
		length, distance, literals = length+2, low>>2+1, low&3
	case op >= 16: // far, or the end
		length, err = r.length(op&7, 7)
		if err == nil {
			low, err = r.pair()
		}
		distance = 0x4000 + op&8<<11 + low>>2
		length, literals = length+2, low&3
		if err == nil && distance == 0x4000 {
			if op == 0x11 && literals == 0 && len(r.in) == 0 {
				return 0, true, nil
			}
			return 0, false, errLZO
		}
	default: // 2 bytes after 1 to 3 literals, 3 farther off after a run
		low, err = r.next()
		length, distance = 2, low<<2+op>>2+1
		if state == 4 {
			length, distance = 3, distance+lzoNear
		}
		literals = op & 3
	}
	if err == nil {
		err = r.copy(distance, length)
	}
	if err == nil {
		err = r.literals(literals)
	}
	return literals, false, err
}

func (r *lzoReader) next() (int, error) {
	if len(r.in) == 0 {
		return 0, errLZO
	}
	b := r.in[0]
	r.in = r.in[1:]
	return int(b), nil
}

func (r *lzoReader) pair() (int, error) {
	if len(r.in) < 2 {
		return 0, errLZO
	}
	v := binary.LittleEndian.Uint16(r.in)
	r.in = r.in[2:]
	return int(v), nil
}

// length is the length in an instruction, or, if that is 0, short and what the
// following bytes add. It stops at the limit: no sum runs over.
func (r *lzoReader) length(n, short int) (int, error) {
	if n != 0 {
		return n, nil
	}
	for n = short; n <= r.limit+short; n += 255 {
		b, err := r.next()
		if err != nil {
			return 0, err
		}
		if b != 0 {
			return n + b, nil
		}
	}
	return 0, ErrTooLong
}

func (r *lzoReader) literals(n int) error {
	if n > len(r.in) {
		return errLZO
	}
	if len(r.out)-r.start+n > r.limit {
		return ErrTooLong
	}
	r.out = append(r.out, r.in[:n]...)
	r.in = r.in[n:]
	return nil
}

// copy repeats what was written distance bytes before; it may overlap itself.
func (r *lzoReader) copy(distance, n int) error {
	have := len(r.out) - r.start
	if distance > have {
		return errLZO
	}
	if have+n > r.limit {
		return ErrTooLong
	}
	for n > 0 {
		from := len(r.out) - distance
		part := r.out[from:min(from+n, len(r.out))]
		r.out = append(r.out, part...)
		n -= len(part)
	}
	return nil
}

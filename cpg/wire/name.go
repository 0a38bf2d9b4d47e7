package wire

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/mar"
)

// MaxName is the longest group name in bytes.
const MaxName = 128

const nameSize = 136

// Name is a group name: any bytes, NUL included, compared by content. The
// zero value is the empty name. It is comparable and serves as a map key.
type Name struct {
	n uint8
	b [MaxName]byte
}

// MakeName makes a name of at most MaxName bytes.
func MakeName(s []byte) (Name, error) {
	var n Name
	if len(s) > MaxName {
		return n, &mar.CountError{What: "group name length", Value: uint64(len(s)), Max: MaxName}
	}
	n.n = uint8(copy(n.b[:], s))
	return n, nil
}

// MustName is MakeName for names known to fit, as in tests; it panics otherwise.
func MustName(s string) Name {
	n, err := MakeName([]byte(s))
	if err != nil {
		panic(err)
	}
	return n
}

// Bytes is the name without padding; it points into n.
func (n *Name) Bytes() []byte { return n.b[:n.n] }

// Len is the length in bytes.
func (n *Name) Len() int { return int(n.n) }

// String shows bytes outside printable ASCII as \xNN and a backslash doubled,
// as the original's tools and log do (cpg.c: cpg_print_group_name).
func (n Name) String() string {
	out := make([]byte, 0, n.n)
	for _, c := range n.b[:n.n] {
		switch {
		case c == '\\':
			out = append(out, '\\', '\\')
		case c >= ' ' && c < 0x7f:
			out = append(out, c)
		default:
			out = fmt.Appendf(out, "\\x%02X", c)
		}
	}
	return string(out)
}

// CompareC orders names as C strings, up to the first NUL: the order in which
// the original visits the groups of one sync round (its skip list is keyed by
// C string). Names equal up to the NUL are ordered by all their bytes.
func (n *Name) CompareC(m *Name) int {
	for i := range n.b {
		if n.b[i] != m.b[i] {
			return int(n.b[i]) - int(m.b[i])
		}
		if n.b[i] == 0 {
			break
		}
	}
	if n.b != m.b {
		for i := range n.b {
			if n.b[i] != m.b[i] {
				return int(n.b[i]) - int(m.b[i])
			}
		}
	}
	return int(n.n) - int(m.n)
}

func putName(b []byte, off int, n *Name) {
	mar.PutU32(b, off, uint32(n.n))
	mar.PutU32(b, off+4, 0)
	copy(b[off+8:off+nameSize], n.b[:])
}

// getName reads a name; what follows it in the field is garbage to C.
func getName(v mar.View, off int) (Name, error) {
	l := v.U32(off)
	if l > MaxName {
		return Name{}, &mar.CountError{What: "group name length", Value: uint64(l), Max: MaxName}
	}
	var n Name
	n.n = uint8(l)
	copy(n.b[:l], v.B[off+8:])
	return n, nil
}

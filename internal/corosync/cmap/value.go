package cmap

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// Type is the type of a value, with the numbers that libcmap uses
// (include/corosync/cmap.h: cmap_value_types_t). 0 means no value.
type Type uint8

const (
	NoValue Type = iota
	Int8
	Uint8
	Int16
	Uint16
	Int32
	Uint32
	Int64
	Uint64
	Float
	Double
	String
	Binary
)

var typeNames = [...]string{"none", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "flt", "dbl", "str", "bin"}

// String gives the short names that corosync-cmapctl prints.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Size is the length of a value of a numeric type, 0 for strings and binaries.
func (t Type) Size() int {
	switch t {
	case Int8, Uint8:
		return 1
	case Int16, Uint16:
		return 2
	case Int32, Uint32, Float:
		return 4
	case Int64, Uint64, Double:
		return 8
	}
	return 0
}

// Value is a typed value. Immutable; two values are the same exactly when ==
// says so. The zero Value is no value.
type Value struct {
	Type Type
	// Raw is the value as clients get it: little endian, a string with its
	// closing NUL.
	Raw string
}

func U8(v uint8) Value   { return Value{Uint8, string([]byte{v})} }
func U16(v uint16) Value { return Value{Uint16, string(binary.LittleEndian.AppendUint16(nil, v))} }
func U32(v uint32) Value { return Value{Uint32, string(binary.LittleEndian.AppendUint32(nil, v))} }
func U64(v uint64) Value { return Value{Uint64, string(binary.LittleEndian.AppendUint64(nil, v))} }
func I32(v int32) Value {
	return Value{Int32, string(binary.LittleEndian.AppendUint32(nil, uint32(v)))}
}
func F32(v float32) Value {
	return Value{Float, string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))}
}
func F64(v float64) Value {
	return Value{Double, string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))}
}

// Str is a string value; it ends at the first NUL of s.
func Str(s string) Value {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return Value{String, s + "\x00"}
}

// Bin is a value of plain bytes.
func Bin(b []byte) Value { return Value{Binary, string(b)} }

// Make builds a value from what a client sent. ok is false when the length does
// not fit the type, is over MaxValue, or the type is unknown (icmap.c:
// icmap_check_value_len).
func Make(t Type, raw []byte) (v Value, ok bool) {
	if len(raw) > MaxValue {
		return Value{}, false
	}
	switch {
	case t == Binary:
		return Value{t, string(raw)}, true
	case t == String:
		s := string(raw)
		if i := strings.IndexByte(s, 0); i >= 0 {
			if i != len(s)-1 {
				return Value{}, false // longer than the string it holds
			}
			return Value{t, s}, true
		}
		return Value{t, s + "\x00"}, true
	case t.Size() == 0 || t.Size() != len(raw):
		return Value{}, false
	}
	return Value{t, string(raw)}, true
}

// integer reports whether the value is one of the integer types.
func (t Type) integer() bool { return t >= Int8 && t <= Uint64 }

// bits is an integer value, zero-extended.
func (v Value) bits() uint64 {
	var n uint64
	for i := len(v.Raw) - 1; i >= 0; i-- {
		n = n<<8 | uint64(v.Raw[i])
	}
	return n
}

// fromBits is the value of an integer type with the lowest bits of n.
func fromBits(t Type, n uint64) Value {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return Value{t, string(b[:t.Size()])}
}

// AsString is the string without its NUL; ok is false for other types.
func (v Value) AsString() (s string, ok bool) {
	if v.Type != String {
		return "", false
	}
	return strings.TrimSuffix(v.Raw, "\x00"), true
}

// AsUint is an unsigned integer of any width; ok is false for other types.
func (v Value) AsUint() (n uint64, ok bool) {
	switch v.Type {
	case Uint8, Uint16, Uint32, Uint64:
		return v.bits(), true
	}
	return 0, false
}

// AsInt is a signed integer of any width; ok is false for other types.
func (v Value) AsInt() (n int64, ok bool) {
	switch v.Type {
	case Int8, Int16, Int32, Int64:
		shift := 64 - 8*v.Type.Size()
		return int64(v.bits()<<shift) >> shift, true
	}
	return 0, false
}

// String renders the value for people, as corosync-cmapctl does.
func (v Value) String() string {
	if n, ok := v.AsUint(); ok {
		return fmt.Sprint(n)
	}
	if n, ok := v.AsInt(); ok {
		return fmt.Sprint(n)
	}
	if s, ok := v.AsString(); ok {
		return s
	}
	switch v.Type {
	case Float:
		return fmt.Sprintf("%f", math.Float32frombits(uint32(v.bits())))
	case Double:
		return fmt.Sprintf("%f", math.Float64frombits(v.bits()))
	case Binary:
		return "***"
	}
	return ""
}

package cmapctl

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/libc"
)

// typeOf finds a type by its short name.
func typeOf(name string) (cmap.Type, bool) {
	for t := cmap.Int8; t <= cmap.Binary; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return cmap.NoValue, false
}

// set stores a value given as text.
func (p *program) set(ctx context.Context, key, typeName, valueText string) bool {
	t, known := typeOf(typeName)
	if !known {
		p.complain("Unknown type %s", typeName)
		return false
	}
	var err error
	if t == cmap.Binary {
		var raw []byte
		if raw, err = p.readBinary(valueText); err != nil {
			p.complain("Can't open input file: %s", libc.Strerror(err))
			return false
		}
		err = service.ErrInvalidParam // what libcmap says to no bytes at all
		if len(raw) > 0 {
			err = p.client.Set(ctx, key, cmap.Bin(raw))
		}
	} else {
		v, problem := parseValue(t, valueText)
		if problem != "" {
			p.complain("%s is not valid %s %s", valueText, typeName, problem)
			return false
		}
		err = p.client.Set(ctx, key, v)
	}
	if err != nil {
		p.complain("Failed to set key %s. Error %s", key, libipc.Strerror(err))
		return false
	}
	return true
}

// parseValue reads a value as sscanf does: what follows a number does not
// matter. problem says what the text is not.
func parseValue(t cmap.Type, s string) (v cmap.Value, problem string) {
	const noNumber, outOfRange = "type value", "integer"
	switch t {
	case cmap.Int8, cmap.Int16, cmap.Int32, cmap.Int64:
		n, _, ok := libc.ScanInt(s)
		if !ok {
			return v, noNumber
		}
		if shift := 64 - 8*t.Size(); n<<shift>>shift != n {
			return v, outOfRange
		}
		return integer(t, uint64(n)), ""
	case cmap.Uint8, cmap.Uint16, cmap.Uint32, cmap.Uint64:
		n, _, ok := libc.ScanUint(s)
		if !ok {
			return v, noNumber
		}
		if shift := 64 - 8*t.Size(); n<<shift>>shift != n {
			return v, outOfRange
		}
		return integer(t, n), ""
	case cmap.Float, cmap.Double:
		f, ok := libc.ScanFloat(s, 8*t.Size())
		if !ok {
			return v, noNumber
		}
		if t == cmap.Float {
			return cmap.F32(float32(f)), ""
		}
		return cmap.F64(f), ""
	}
	return cmap.Str(s), ""
}

// integer is the value of an integer type with the lowest bytes of n.
func integer(t cmap.Type, n uint64) cmap.Value {
	raw := cmap.U64(n).Raw
	return cmap.Value{Type: t, Raw: raw[:t.Size()]}
}

// readBinary reads a file, or standard input for "-". As in the original, an
// error of reading ends the value.
func (p *program) readBinary(name string) ([]byte, error) {
	var in io.Reader = p.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var raw bytes.Buffer
	// The daemon takes no value near that size; a pipe without end must end here.
	_, _ = io.Copy(&raw, io.LimitReader(in, math.MaxInt32/16))
	return raw.Bytes(), nil
}

// maxLine is the length at which the original cuts lines (fgets, 1024).
const maxLine = 1023

// load runs the settings in a file: "key type value", "^key" to delete,
// "^^prefix" to delete all below. A file that cannot be opened is reported, and
// is no failure, as in the original.
func (p *program) load(ctx context.Context) bool {
	f, err := os.Open(p.file)
	if err != nil {
		p.complain("Couldn't open file.: %s", libc.Strerror(err))
		return true
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, ok := readLine(in)
		if !ok {
			return true
		}
		if !p.setting(ctx, line) {
			return false
		}
	}
}

// readLine is fgets: up to a newline, which is included, or maxLine bytes.
func readLine(in *bufio.Reader) (string, bool) {
	var b strings.Builder
	for b.Len() < maxLine {
		c, err := in.ReadByte()
		if err != nil {
			break
		}
		b.WriteByte(c)
		if c == '\n' {
			break
		}
	}
	return b.String(), b.Len() > 0
}

// setting runs one line of a settings file.
func (p *program) setting(ctx context.Context, line string) bool {
	line = strings.TrimLeft(line, " \t")
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "\n") {
		return true
	}
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\n' })
	key := "(null)" // a last line of blanks without newline
	if len(words) > 0 {
		key = words[0]
	}
	if prefix, ok := strings.CutPrefix(key, "^^"); ok {
		return p.removePrefix(ctx, prefix)
	}
	if name, ok := strings.CutPrefix(key, "^"); ok {
		p.removeKey(ctx, name)
		return true
	}
	if len(words) < 3 {
		fmt.Fprintf(p.env.Stderr, "Both type and value for key %s are required\n", key)
		return false
	}
	return p.set(ctx, key, words[1], words[2])
}

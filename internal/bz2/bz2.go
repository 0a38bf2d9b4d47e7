// Package bz2 packs and unpacks the bzip2 data of Pacemaker: long messages
// between its processes and nodes, and saved scheduler inputs.
//
// internal/crmipc, internal/crmcluster and the scheduler use it. It replaces
// the calls of libbz2 in lib/common/strings.c (pcmk__compress) and xml.c.
package bz2

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/dsnet/compress/bzip2"
)

// Levels that the original uses; any reader takes any level.
const (
	MessageLevel = 4 // CRM_BZ2_BLOCKS
	FileLevel    = 5 // lib/common/xml.c: write_xml_stream
)

// ErrTooLong says that the unpacked data is longer than allowed: it was cut off
// before more memory was taken for it.
var ErrTooLong = errors.New("bz2: unpacked data is longer than allowed")

// Compress returns data as one bzip2 stream.
func Compress(data []byte, level int) ([]byte, error) {
	var out bytes.Buffer
	w, err := bzip2.NewWriter(&out, &bzip2.WriterConfig{Level: level})
	if err != nil {
		return nil, fmt.Errorf("bz2: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("bz2: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("bz2: %w", err)
	}
	return out.Bytes(), nil
}

// Decompress unpacks a stream of at most limit bytes. Memory is taken as data
// comes, never by what a header claims.
func Decompress(data []byte, limit int) ([]byte, error) {
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(stdbzip2.NewReader(bytes.NewReader(data)), int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("bz2: %w", err)
	}
	if n > int64(limit) {
		return nil, ErrTooLong
	}
	return out.Bytes(), nil
}

// Package secrets replaces parameters that are kept out of the CIB by their
// values from local files (cibsecret(8)). Executor and fencer use it.
//
// It replaces lib/common/cib_secrets.c.
package secrets

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// param is what executor and fencer have as a parameter.
type param struct{ Name, Value string }

const (
	magic    = "lrm://" // the value in the CIB
	maxValue = 254      // cib_secrets.c: MAX_VALUE_LEN less fgets's NUL
)

// Substitute returns the parameters with secrets in place of their marks, read
// from DIR/RSC/NAME and checked against NAME.sign, their MD5 sum. With an error
// what could be read is replaced all the same.
func Substitute[S ~[]P, P ~struct{ Name, Value string }](dir, rsc string, params S) (S, error) {
	secret := func(p P) bool { return param(p).Value == magic }
	if !slices.ContainsFunc(params, secret) {
		return params, nil
	}
	out := slices.Clone(params)
	var failed error
	for i := range out {
		if !secret(out[i]) {
			continue
		}
		p := param(out[i])
		value, err := read(dir, rsc, p.Name)
		if err != nil {
			failed = fmt.Errorf("resource %s parameter %s: %w", rsc, p.Name, err)
			continue
		}
		p.Value = value
		out[i] = P(p)
	}
	return out, failed
}

func read(dir, rsc, name string) (string, error) {
	if strings.ContainsRune(name, '/') || strings.ContainsRune(rsc, '/') {
		return "", pcmk.RC(syscall.EINVAL)
	}
	file := dir + "/" + rsc + "/" + name
	value, err := firstLine(file)
	if err != nil {
		return "", err
	}
	sign, err := firstLine(file + ".sign")
	if err != nil {
		return "", err
	}
	sum := md5.Sum([]byte(value))
	if !strings.EqualFold(sign, hex.EncodeToString(sum[:])) {
		return "", errors.New("md5 sum does not match")
	}
	return value, nil
}

// firstLine is a file's first line without blanks at its end.
func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxValue))
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line == "" && len(b) == 0 {
		return "", pcmk.RC(syscall.ENOENT)
	}
	return strings.TrimRight(line, " \t\r\n\v\f"), nil
}

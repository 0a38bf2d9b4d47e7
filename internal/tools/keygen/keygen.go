// Package keygen is the program corosync-keygen: it writes the key that the
// nodes of a cluster authenticate each other with. The multi-call binary calls
// Run.
//
// Upstream: tools/corosync-keygen.c, corosync-keygen(8). One difference: a
// source that ends before the key is full is an error here; the original asks
// for keystrokes for ever.
package keygen

import (
	"fmt"
	"io"
	"os"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/libc"
)

const (
	defaultKeyFile = "/etc/corosync/authkey"
	defaultSource  = "/dev/urandom"
	defaultSize    = 256
	minSize        = 128  // totem.h: TOTEM_PRIVATE_KEY_LEN_MIN
	maxSize        = 4096 // totem.h: TOTEM_PRIVATE_KEY_LEN_MAX
)

// Exit statuses.
const (
	exitSource = 1 // bad option, or the random source failed
	exitCreate = 2
	exitChmod  = 3
	exitWrite  = 4
	exitClose  = 5
)

const usage = `Usage: corosync-keygen [-k <keyfile>] [-s size] [-m <randomfile>] [-l] [-h]
     -k / --key-file=<filename> -  Write to the specified keyfile
            instead of the default /etc/corosync/authkey.
     -r / --random-file -  Random number source file. Default is 
            /dev/urandom. As an example /dev/random may be requested
            (that may require user input for entropy).
     -l / --less-secure - Not used, option is kept only
            for compatibility.
     -s / --size -  Length of key.
     -h / --help -  Print basic usage.

`

type options struct {
	keyFile, source string
	size            int
}

type program struct {
	env *applet.Env
	out *libc.Stdout
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, out: libc.NewStdout(e.Stdout)}
	defer p.out.Flush()
	o, status, done := p.parse()
	if done {
		return status
	}
	fmt.Fprint(p.out, "Corosync Cluster Engine Authentication key generator.\n")
	fmt.Fprintf(p.out, "Gathering %d bits for key from %s.\n", o.size*8, o.source)
	key, status := p.gather(o)
	if status != 0 {
		return status
	}
	return p.write(o.keyFile, key)
}

// parse reads the command line; done says that the program ends with status.
func (p *program) parse() (o options, status int, done bool) {
	o = options{keyFile: defaultKeyFile, source: defaultSource, size: defaultSize}
	opts := getopt.New(p.env.Argv0, p.env.Args, "k:r:s:lh", []getopt.Long{
		{Name: "key-file", Arg: getopt.RequiredArg, Val: 'k'},
		{Name: "less-secure", Arg: getopt.NoArg, Val: 'l'},
		{Name: "random-file", Arg: getopt.RequiredArg, Val: 'r'},
		{Name: "size", Arg: getopt.RequiredArg, Val: 's'},
		{Name: "help", Arg: getopt.NoArg, Val: 'h'},
	}, p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'k':
			o.keyFile = opts.Arg
		case 'l':
		case 'r':
			o.source = opts.Arg
		case 's':
			n, ok := libc.Number(opts.Arg, minSize, maxSize)
			if !ok {
				fmt.Fprintf(p.env.Stderr, "%s: Unsupported key size (supported <%d,%d>)\n\n", p.env.Name, minSize, maxSize)
				return o, exitSource, true
			}
			o.size = int(n)
		case 'h':
			fmt.Fprint(p.out, usage)
			return o, 0, true
		default:
			fmt.Fprint(p.out, "Error parsing command line options.\n")
			return o, exitSource, true
		}
	}
	return o, 0, false
}

// fail reports what went wrong the way err(3) does.
func (p *program) fail(status int, err error, format string, args ...any) int {
	fmt.Fprintf(p.env.Stderr, "%s: %s: %s\n", p.env.Name, fmt.Sprintf(format, args...), libc.Strerror(err))
	return status
}

// gather reads the key from the random source.
func (p *program) gather(o options) ([]byte, int) {
	f, err := os.Open(o.source)
	if err != nil {
		return nil, p.fail(exitSource, err, "Failed to open random source")
	}
	defer f.Close()
	if o.source == "/dev/random" {
		fmt.Fprint(p.out, "Press keys on your keyboard to generate entropy.\n")
	}
	key := make([]byte, o.size)
	for n := 0; n < len(key); {
		k, err := f.Read(key[n:])
		if err == io.EOF {
			fmt.Fprintf(p.env.Stderr, "%s: %s ended after %d of %d bytes: name a source of random bytes that does not end, such as %s\n",
				p.env.Name, o.source, n, len(key), defaultSource)
			return nil, exitSource
		}
		if err != nil {
			return nil, p.fail(exitSource, err, "Could not read /dev/random")
		}
		if n += k; n < len(key) {
			fmt.Fprintf(p.out, "Press keys on your keyboard to generate entropy (%d bits still needed).\n", (len(key)-n)*8)
		}
	}
	return key, 0
}

// write makes the key file, readable by its owner alone before anything secret
// is in it.
func (p *program) write(path string, key []byte) int {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return p.fail(exitCreate, err, "Could not create %s", path)
	}
	defer f.Close()
	if err := f.Chmod(0o400); err != nil {
		return p.fail(exitChmod, err, "Failed to set key file permissions to 0400")
	}
	fmt.Fprintf(p.out, "Writing corosync key to %s.\n", path)
	if _, err := f.Write(key); err != nil {
		return p.fail(exitWrite, err, "Could not write %s", path)
	}
	if err := f.Close(); err != nil {
		return p.fail(exitClose, err, "Could not close %s", path)
	}
	return 0
}

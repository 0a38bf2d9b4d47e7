package session

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// CIB is where a tool reads and writes: the CIB manager, or a file.
type CIB interface {
	Do(ctx context.Context, call client.Call) (*xmltree.Node, error)
	Close() error
}

// NamedFile is the file that the environment names instead of the CIB of this node, by
// CIB_shadow or CIB_file, and which of them does.
func NamedFile() (path, by string) {
	if shadow := os.Getenv("CIB_shadow"); shadow != "" {
		return file.Shadow(shadow), "CIB_shadow"
	}
	if name, ok := os.LookupEnv("CIB_file"); ok {
		return name, "CIB_file"
	}
	return "", ""
}

// OpenCIB opens the CIB that the environment names: CIB_shadow, CIB_file, else
// the one of this node (cib_client.c: cib_new). Errors are a pcmk.RC.
func OpenCIB(ctx context.Context, e *applet.Env) (CIB, error) {
	if shadow := os.Getenv("CIB_shadow"); shadow != "" {
		return openFile(file.Shadow(shadow))
	}
	return OpenRealCIB(ctx, e)
}

// OpenRealCIB is OpenCIB past CIB_shadow (cib_client.c: cib_new_no_shadow).
func OpenRealCIB(ctx context.Context, e *applet.Env) (CIB, error) {
	if name, ok := os.LookupEnv("CIB_file"); ok {
		return openFile(name)
	}
	c, err := client.Dial(ctx, e.Name, client.Options{})
	if err != nil {
		// Whatever the reason, the original tells of no connection.
		return nil, pcmk.RC(unix.ENOTCONN)
	}
	return c, nil
}

// QueryCIB returns the whole CIB that OpenCIB opens.
func QueryCIB(e *applet.Env) (*xmltree.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := OpenCIB(ctx, e)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(ctx, client.Call{Op: client.Query, Options: client.ScopeLocal})
}

// MaxInput bounds what a tool reads, packed or not.
const MaxInput = 256 << 20

// ReadFile reads a file that a user names, unpacked (xml.c: filename2xml).
func ReadFile(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err == nil && strings.HasSuffix(name, ".bz2") {
		text, err = bz2.Decompress(text, MaxInput)
	}
	return text, err
}

func openFile(name string) (CIB, error) {
	f, err := file.Open(name)
	if err != nil {
		return nil, err // crm_verify tells what is wrong with it
	}
	return f, nil
}

// AsRC makes a pcmk.RC of an error of a connection.
func AsRC(err error) error {
	var rc pcmk.RC
	if err == nil || errors.As(err, &rc) {
		return err
	}
	return pcmk.RC(crmipc.ErrnoOf(err))
}

// RC is the pcmk.RC within an error.
func RC(err error) pcmk.RC {
	var rc pcmk.RC
	if errors.As(AsRC(err), &rc) {
		return rc
	}
	return pcmk.OK
}

// Package schemafiles reads the schemas that are installed on the machine, for
// the programs that validate, or else takes those that are built in. It is the
// file side of package schema and replaces the directory handling of
// lib/common/schemas.c.
package schemafiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Dir is the folder of the schemas.
func Dir() string { return pcmk.SchemaDirectory() }

// Opener reads schema files of a folder.
func Opener(dir string) schema.Open {
	return func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	}
}

// Load lists the schemas of a folder; their texts are read when needed. Where there
// are none, it is the schemas that are built in.
func Load(dir string) (*schema.Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	set := schema.NewSet(names, Opener(dir))
	if set.Latest() < 0 {
		return schema.Builtin(), nil
	}
	return set, nil
}

// Package schemafiles reads the schemas that are installed on the machine, for
// the programs that validate. It is the file side of package schema and
// replaces the directory handling of lib/common/schemas.c.
package schemafiles

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pacesync/pacesync/cib/schema"
)

// DefaultDir is where distributions install Pacemaker's schemas.
const DefaultDir = "/usr/share/pacemaker"

// Dir is the folder of the schemas: PCMK_schema_directory, else DefaultDir.
func Dir() string {
	if dir := os.Getenv("PCMK_schema_directory"); dir != "" {
		return dir
	}
	return DefaultDir
}

// Opener reads schema files of a folder.
func Opener(dir string) schema.Open {
	return func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	}
}

// Load lists the schemas of a folder; their texts are read when needed.
func Load(dir string) (*schema.Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return schema.NewSet(names, Opener(dir)), nil
}

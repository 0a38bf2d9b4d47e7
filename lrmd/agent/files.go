package agent

import (
	"os"
	"slices"
	"strings"
)

// List returns the executable files, or else the directories, within a
// directory, sorted; hidden ones are left out (services_linux.c:
// services_os_get_single_directory_list).
func List(dir string, files bool) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		st, err := os.Stat(dir + "/" + name)
		if err != nil {
			continue
		}
		switch {
		case st.IsDir():
			if files {
				continue
			}
		case st.Mode().IsRegular():
			if !files || st.Mode().Perm()&0o111 == 0 {
				continue
			}
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// MergeEnv returns base with the variables of set added or replaced.
func MergeEnv(base, set []string) []string {
	at := make(map[string]int, len(base)+len(set))
	out := make([]string, 0, len(base)+len(set))
	for _, list := range [...][]string{base, set} {
		for _, v := range list {
			name, _, ok := strings.Cut(v, "=")
			if !ok || name == "" {
				continue
			}
			if i, ok := at[name]; ok {
				out[i] = v
				continue
			}
			at[name] = len(out)
			out = append(out, v)
		}
	}
	return out
}

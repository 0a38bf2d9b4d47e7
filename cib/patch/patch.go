// Package patch compares CIBs and makes and applies patchsets, the documents
// that tell what changed from one CIB to the next.
//
// Clients get one with every change, nodes of old versions are sent them, and
// crm_diff and cibadmin --patch read and write them; so their text is a format.
// Format 2, in use since feature set 3.0.9, is a list of changes addressed by
// paths of element names and ids; format 1 is of older documents (format1.go). The CIB daemon and
// the tools use this package; it replaces lib/common/patchset.c and the
// comparison in lib/common/xml.c.
package patch

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Code is a result as it goes over the wire, negated, in answers of the CIB
// daemon (results.h: legacy return codes); small ones are Linux error numbers.
type Code int

// The codes of patchsets.
const (
	OK         Code = 0
	Invalid    Code = 22  // EINVAL: not a patchset of a known format
	NoMessage  Code = 42  // ENOMSG: a change without what it must hold
	OldData    Code = 205 // the CIB is newer than what the patchset starts from, or the patchset goes nowhere
	DiffFailed Code = 206 // the patchset does not fit the CIB
	DiffResync Code = 207 // the CIB is older than what the patchset starts from: ask for a whole one
)

// Error says which part of a patchset cannot be applied and why. The CIB it was
// meant for is unchanged.
type Error struct {
	Code   Code
	Change int    // number of the change from 1, 0 when it is about the whole
	Path   string // the path the change names
	Text   string
}

func (e *Error) Error() string {
	if e.Change == 0 {
		return "patch: " + e.Text
	}
	return fmt.Sprintf("patch: change %d of %q: %s", e.Change, e.Path, e.Text)
}

// Version is what CIBs are ordered by: admin_epoch, epoch, num_updates.
type Version [3]int

// versionNames are the attributes of Version, in its order.
var versionNames = [...]string{"admin_epoch", "epoch", "num_updates"}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Compare orders versions, the administrator's number first.
func (v Version) Compare(w Version) int {
	for i := range v {
		switch {
		case v[i] < w[i]:
			return -1
		case v[i] > w[i]:
			return 1
		}
	}
	return 0
}

// VersionOf reads the version from the attributes of a CIB's root; what is
// missing counts as 0 (cib_utils.c: cib_version_details).
func VersionOf(cib *xmltree.Node) Version {
	var v Version
	v.read(cib)
	return v
}

// read takes the numbers n has and leaves the others alone.
func (v *Version) read(n *xmltree.Node) {
	for i, name := range versionNames {
		if s, ok := n.Get(name); ok {
			v[i] = Int(s)
		}
	}
}

// Int reads a number as the original does: blanks and a sign before, anything
// behind; without digits or out of range it is -1 (nvpair.c:
// crm_element_value_int).
func Int(s string) int {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	end := i
	if end < len(s) && (s[end] == '+' || s[end] == '-') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[i:end], 10, 64)
	if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
		return -1
	}
	return int(n)
}

// Versions returns what a patchset leads from and to; fields it does not name
// are those of def (patchset.c: xml_patch_versions).
func Versions(patch *xmltree.Node, defSource, defTarget Version) (source, target Version) {
	var from, to *xmltree.Node
	switch Format(patch) {
	case 1:
		from, to = patch.Child("diff-removed"), patch.Child("diff-added")
		if cib := from.Child("cib"); cib != nil {
			from = cib
		}
		if cib := to.Child("cib"); cib != nil {
			to = cib
		}
	case 2:
		v := patch.Child("version")
		from, to = v.Child("source"), v.Child("target")
	}
	defSource.read(from)
	defTarget.read(to)
	return defSource, defTarget
}

// CheckVersion says whether a patchset may be applied to a CIB
// (patchset.c: xml_patch_version_check).
func CheckVersion(cib, patch *xmltree.Node) error {
	have := VersionOf(cib)
	for i := range have {
		have[i] = max(have[i], 0)
	}
	source, target := Versions(patch, have, Version{have[0], have[1], have[2] + 1})
	switch c := have.Compare(source); {
	case c < 0:
		return &Error{Code: DiffResync, Text: fmt.Sprintf("the CIB is at %s, the patchset starts at %s: a full CIB is needed", have, source)}
	case c > 0:
		return &Error{Code: OldData, Text: fmt.Sprintf("the CIB is at %s already, the patchset starts at %s", have, source)}
	}
	for i := range target {
		if target[i] > source[i] {
			return nil
		}
	}
	return &Error{Code: OldData, Text: fmt.Sprintf("the version does not rise: %s to %s", source, target)}
}

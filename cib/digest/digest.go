// Package digest computes the MD5 digests of CIBs and operations.
//
// Two forms are in use at once. The first covers everything and is what lies on
// disk beside cib.xml; the second leaves out what only tells who changed the
// CIB and when, and is what nodes compare with each other and what patchsets
// carry. Files, peers and tools must get the same bytes as from the original,
// so the text the sum is taken over is a fixed format. The CIB daemon, the
// tools and patchsets use it; it replaces lib/common/digest.c.
package digest

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// OnDisk is the digest that lies in cib.xml.sig and that cibadmin --md5-sum
// prints (digest.c: calculate_on_disk_digest). Attributes count in the order
// they stand in.
func OnDisk(n *xmltree.Node) string { return sum(AppendV1(nil, n)) }

// Operation is the digest of the parameters of an operation, which recognises
// that a resource must be restarted or reloaded: the first form with attributes
// sorted by name in every element (digest.c: calculate_operation_digest).
func Operation(n *xmltree.Node) string { return sum(AppendV1(nil, sorted(n))) }

// Versioned is the digest that nodes compare and patchsets carry, and that
// cibadmin --md5-sum-versioned prints (digest.c: calculate_xml_versioned_digest,
// unsorted and filtered). featureSet is the CIB's crm_feature_set: it chooses
// the first form before 3.0.5 and where there is none.
func Versioned(n *xmltree.Node, featureSet string) string {
	if featureSet == "" || rules.CompareVersions(featureSet, "3.0.5") < 0 {
		return OnDisk(n)
	}
	return sum(AppendV2(nil, n))
}

// CIB is Versioned with the feature set that the CIB itself names.
func CIB(cib *xmltree.Node) string { return Versioned(cib, cib.Attr("crm_feature_set")) }

// Same compares a digest that was read with one that was computed: the case of
// the hexadecimal digits does not count.
func Same(a, b string) bool { return strings.EqualFold(a, b) }

// AppendV1 appends the text the first form is the sum of. The space and the line
// end around the element are what an old writer left there.
func AppendV1(b []byte, n *xmltree.Node) []byte {
	return append(n.AppendPacemaker(append(b, ' '), xmltree.TextOptions{}), '\n')
}

// AppendV2 appends the text the second form is the sum of.
func AppendV2(b []byte, n *xmltree.Node) []byte {
	return n.AppendPacemaker(b, xmltree.TextOptions{Omit: Filtered})
}

// Filtered says whether an attribute is left out of the second form: it tells
// about a change and not about the configuration (digest.c: pcmk__xa_filterable).
func Filtered(name string) bool {
	switch name {
	case "crm-debug-origin", "cib-last-written", "update-origin", "update-client", "update-user":
		return true
	}
	return false
}

func sum(text []byte) string {
	// The original takes the text as a C string.
	if i := slices.Index(text, 0); i >= 0 {
		text = text[:i]
	}
	d := md5.Sum(text)
	return hex.EncodeToString(d[:])
}

// sorted returns a copy with the attributes of every element in order of names
// (nvpair.c: sorted_xml, recursive). Only elements survive.
func sorted(n *xmltree.Node) *xmltree.Node {
	c := xmltree.New(n.Name, slices.Clone(n.Attrs)...)
	slices.SortStableFunc(c.Attrs, func(a, b xmltree.Attr) int { return strings.Compare(a.Name, b.Name) })
	n.Elements(func(k *xmltree.Node) { c.Add(sorted(k)) })
	return c
}

// Package cibconn tells Pacemaker's tools where the CIB is to be had, and brings a
// CIB that was read to a schema that is understood.
//
// Tools that display the state of the cluster call it; internal/tools/session opens
// the CIB. It replaces the choice in lib/cib/cib_client.c: cib_new, and
// lib/common/schemas.c: cli_config_update.
package cibconn

import (
	"os"
	"strings"

	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Kind says where a CIB comes from.
type Kind uint8

// The kinds.
const (
	Native Kind = iota // the CIB manager of this node
	File
	Remote // a CIB manager elsewhere, by TCP
)

// Source tells where the environment says the CIB is, and the file of it.
func Source() (kind Kind, path string) {
	if name := os.Getenv("CIB_shadow"); name != "" {
		return File, file.Shadow(name)
	}
	if path, ok := os.LookupEnv("CIB_file"); ok {
		return File, path
	}
	if _, ok := os.LookupEnv("CIB_port"); ok {
		return Remote, ""
	}
	return Native, ""
}

// Upgrade brings a CIB to a schema that is understood (cli_config_update). text is
// for standard error; ok is false for a CIB that cannot be used.
func Upgrade(root *xmltree.Node) (cib *xmltree.Node, text string, ok bool) {
	value, given := root.Get("validate-with")
	if strings.EqualFold(value, schema.None) || !given {
		return root, "Schema validation of configuration is disabled (enabling is encouraged and prevents common misconfigurations)", true
	}
	if strings.HasPrefix(value, "pacemaker-3.") { // no older than the oldest that needs no upgrade
		return root, "", true
	}
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil || set.Latest() < 0 {
		return root, "", true
	}
	names, least := set.Versions(), set.Minimum()
	orig := set.Find(value)
	if orig >= least {
		return root, "", true
	}
	up, best, _ := set.Upgrade(root, 0, func(step schema.Version, n *xmltree.Node) (*xmltree.Node, error) {
		if out, err := schema.Step(step, n); err == nil {
			return out, nil
		}
		return n.Copy(), nil // the engine reads the older words as well
	})
	if best >= least {
		return up, "", true
	}
	text = "Cannot upgrade configuration (claiming schema " + value + ") to at least " + names[least].Name + " because it "
	if best < orig || orig == -1 {
		from := "unknown"
		if orig >= 0 {
			from = names[orig].Name
		}
		return nil, text + "does not validate with any schema from " + from + " to " + names[set.Latest()].Name, false
	}
	return nil, text + "would not upgrade past " + up.Attr("validate-with"), false
}

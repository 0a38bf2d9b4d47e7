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
// for standard error, in lines without the last end; ok is false for a CIB that
// cannot be used.
func Upgrade(root *xmltree.Node) (cib *xmltree.Node, text string, ok bool) {
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil || set.Latest() < 0 {
		return root, "", true
	}
	cib, n := set.Accept(root, schema.Step)
	text = n.Remarked(schema.Debug)
	if n.Tool {
		text += n.Text
	}
	return cib, strings.TrimSuffix(text, "\n"), cib != nil
}

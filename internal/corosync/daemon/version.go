package daemon

import (
	"fmt"
	"io"
)

// The version whose behaviour this daemon has: what tools that read the text
// expect of it.
const baseline = "3.1.7"

// What is built in, and the names that corosync.conf takes for crypto_model and
// knet_compression_model.
const (
	features     = "systemd"
	cryptoModels = "nss openssl"
	compressions = "zlib lz4 lz4hc lzo2 lzma bzip2 zstd"
)

// printVersion is the answer to -v.
func printVersion(w io.Writer) {
	fmt.Fprintf(w, "Corosync Cluster Engine, version '%s'\n", baseline)
	fmt.Fprintln(w, "pacesync, a drop-in replacement; licence GPL-2.0-or-later")
	fmt.Fprintf(w, "\nBuilt-in features: %s\n", features)
	fmt.Fprintf(w, "Available crypto models: %s\n", cryptoModels)
	fmt.Fprintf(w, "Available compression models: %s\n", compressions)
}

// printUsage is the answer to an option that is none.
func printUsage(w io.Writer) {
	fmt.Fprint(w, "usage:\n"+
		"        -c     : Corosync config file path.\n"+
		"        -f     : Start application in foreground.\n"+
		"        -t     : Test configuration and exit.\n"+
		"        -v     : Display version, git revision and some useful information about Corosync and exit.\n")
}

// Package callopt holds the options of requests to the CIB manager as they go over
// the wire: bits of the attribute cib_callopt.
//
// Clients (cib/client) and the CIB daemon (cib/engine) name them. It replaces
// include/crm/cib/cib_types.h: enum cib_call_options.
package callopt

// Opt is a set of options.
type Opt uint32

// The options.
const (
	Verbose        Opt = 1 << 0
	XPath          Opt = 1 << 1 // the section is an expression
	Multiple       Opt = 1 << 2
	CanCreate      Opt = 1 << 3
	DiscardReply   Opt = 1 << 4
	NoChildren     Opt = 1 << 5
	XPathAddress   Opt = 1 << 6
	MixedUpdate    Opt = 1 << 7
	ScopeLocal     Opt = 1 << 8
	DryRun         Opt = 1 << 9
	SyncCall       Opt = 1 << 12
	NoMtime        Opt = 1 << 13
	ZeroCopy       Opt = 1 << 14
	InhibitNotify  Opt = 1 << 16
	QuorumOverride Opt = 1 << 20
	InhibitBcast   Opt = 1 << 24
	ForceDiff      Opt = 1 << 28
)

// Has says whether any of the bits are set.
func (o Opt) Has(bits Opt) bool { return o&bits != 0 }

// Package crmd is the cluster resource manager's controller,
// pacemaker-controld: the state machine of a node in the cluster, election of
// the designated controller, joining, the executing of transitions and the
// record of what the executor did here.
//
// DESIGN.md says which part is where. cmd/pacesync starts it under its name;
// pacemakerd supervises it. Upstream: daemons/controld.
package crmd

// featureSet is what this controller understands of the cluster's protocols
// (include/crm/crm.h: CRM_FEATURE_SET).
const featureSet = "3.16.1"

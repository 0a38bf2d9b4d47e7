package service

// Baseline is the release of Corosync whose behaviour and texts are ours; it is
// the version that the programs report where scripts look for one.
const Baseline = "3.1.7"

// Package cib holds tests of the CIB's pure packages against Debian's
// cibadmin and crm_diff. They need no daemon and no root beyond what the
// tests for the lab need; like those they run with E2E=1 only.
package cib

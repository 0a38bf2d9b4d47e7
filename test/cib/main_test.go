package cib_test

const (
	cibadmin = "/usr/sbin/cibadmin"
	crmDiff  = "/usr/sbin/crm_diff"
)

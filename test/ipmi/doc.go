// Package ipmi_test holds ipmi against programs of others: our client drives the
// BMCs of python3-pyghmi and of OpenIPMI (ipmi_sim), ipmitool and fence_ipmilan
// drive our simulated BMC. All traffic is on the loopback.
package ipmi_test

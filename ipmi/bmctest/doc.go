// Package bmctest is a simulated BMC: IPMI 1.5 (none, MD5, password) and 2.0
// over LAN, a power switch behind it, and faults on demand. Tests of ipmi/client
// and the demo's management network use it; ipmitool accepts it as a BMC. It
// stands where ipmi_sim of OpenIPMI stands elsewhere, and unlike that speaks
// cipher suite 17.
//
// Core answers packets and knows neither sockets nor clocks; BMC serves a Core
// on a UDP socket; Machine is a power switch that takes its time.
package bmctest

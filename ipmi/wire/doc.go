// Package wire is the byte formats of IPMI over LAN: RMCP and ASF framing, the
// session headers of 1.5 and 2.0 (RMCP+), the RAKP messages, and the few
// commands that fencing needs. It is pure: ipmi/session decides what is sent
// when, ipmi/client and ipmi/bmctest own the sockets. It replaces the framing
// half of ipmitool, which fence_ipmilan calls.
//
// Sections cited as "§13.8" are those of the IPMI v2.0 specification,
// revision 1.1. All numbers of more than one byte are little-endian.
//
//	RMCP (§13.1.3)     06 00 ff 07                                        class 6 = ASF, 7 = IPMI
//	1.5  (§13.6)       auth seq[4] session[4] [code[16]] len body         code absent for auth none
//	2.0  (§13.6)       06 type session[4] seq[4] len[2] body trailer      type: bit 7 encrypted, bit 6 authenticated
//	trailer (§13.28.4) ff… padlen 07 code[12|16]                          from auth to 07 a multiple of 4 bytes
//	AES (§13.29)       iv[16] cbc(body 01 02 03… padlen)
//	message (§13.8)    to netfn/lun sum from seq/lun command data… sum
package wire

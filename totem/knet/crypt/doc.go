// Package crypt protects knet's packets: AES-CBC and HMAC in the layout that
// libknet's models nss and openssl share, the overhead that this costs of the MTU,
// and the two key slots between which a running cluster changes its key.
//
// A sealed packet is `salt | AES-CBC with PKCS#7 padding of the packet | HMAC`. The
// salt is the IV, 16 random bytes; the HMAC goes over salt and ciphertext. Without
// a cipher it is `packet | HMAC`. The AES key is the front of the key file, the
// HMAC key is all of it. Every packet is sealed, pings too; compression comes before,
// fragmentation too: each fragment is a packet.
//
// totem/knet calls it through an interface of its own, the daemon makes the Keys
// from the configuration. It is pure: the salt comes from a reader that the caller
// gives. It replaces libknet/crypto.c, crypto_nss.c and crypto_openssl.c, and
// calc_data_outlen and calc_max_data_outlen of onwire.c.
package crypt

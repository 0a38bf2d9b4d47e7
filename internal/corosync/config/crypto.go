package config

import (
	"fmt"
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// DefaultKeyFile is read when neither totem.keyfile nor totem.key is set.
const DefaultKeyFile = "/etc/corosync/authkey"

// readCrypto reads the crypto options and the key (totemconfig.c:
// totem_get_crypto, totem_config_keyread). Words that the parser would have refused, as
// they can come through cmap, count as none.
func readCrypto(m *cmap.Map, env Env, c *Crypto) string {
	*c = Crypto{Model: "nss", Cipher: "none", Hash: "none"}
	if s, ok := m.Str("totem.crypto_model"); ok {
		c.Model = s
	}
	if s, _ := m.Str("totem.secauth"); s == "on" {
		c.Cipher, c.Hash = "aes256", "sha256"
	}
	if s, ok := m.Str("totem.crypto_cipher"); ok && slices.Contains([]string{"none", "aes256", "aes192", "aes128"}, s) {
		c.Cipher = s
	}
	if s, ok := m.Str("totem.crypto_hash"); ok && slices.Contains([]string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}, s) {
		c.Hash = s
	}
	switch {
	case c.Cipher != "none" && c.Hash == "none":
		return "crypto_cipher requires crypto_hash with value other than none"
	case c.Model == "none":
		return "invalid crypto_model"
	case !c.Enabled():
		return ""
	}
	return readKey(m, env, c)
}

func readKey(m *cmap.Map, env Env, c *Crypto) string {
	path, ok := m.Str("totem.keyfile")
	if !ok {
		if v, inMap := m.Get("totem.key"); inMap {
			switch {
			case len(v.Raw) > maxKey:
				return "key is too long"
			case len(v.Raw) < minKey:
				return "key is too short"
			}
			c.Key = v.Raw
			return ""
		}
		path = DefaultKeyFile
	}
	data, err := env.ReadFile(path, maxKey)
	if err == ErrDirectory {
		return fmt.Sprintf("Could not read %s: %v", path, err)
	}
	if err != nil {
		return fmt.Sprintf("Could not open %s: %v", path, err)
	}
	if len(data) < minKey {
		return fmt.Sprintf("Could only read %d bits of minimum %d bits from %s.", len(data)*8, minKey*8, path)
	}
	c.Key = string(data)
	return ""
}

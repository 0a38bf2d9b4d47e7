//go:build !amd64

package crypt

func newChains(key []byte) chains { return newStdChains(key) }

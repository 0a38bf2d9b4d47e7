//go:build race

package compress

func init() { raced = true }

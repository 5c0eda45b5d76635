//go:build freebsd || dragonfly

package fragment

func rlimit(n uint64) int64 { return int64(n) }

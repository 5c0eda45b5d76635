//go:build !linux

package mockserver

func holdRefusing() (addr string, free func(), err error) { return holdByConnection() }

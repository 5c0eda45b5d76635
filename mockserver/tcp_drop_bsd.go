//go:build darwin || netbsd || openbsd

package mockserver

func holdDropping() (addr string, free func(), err error) { return bindOnly() }

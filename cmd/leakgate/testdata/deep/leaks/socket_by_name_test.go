package leaks

import (
	"net"
	"testing"
)

// The name has addresses of both kinds on most machines, and goroutines of package net try them.
func TestSocketByName(t *testing.T) {
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(net.JoinHostPort("localhost", port))
	keep(c, err)
}

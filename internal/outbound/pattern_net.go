//go:build !leakgate_deep

package outbound

import (
	"net"
	"net/url"
)

// ownShown is how messages call OwnListeners.
const ownShown = "leakcheck.OwnListeners"

// readURL gives the host and the port of a URL; no host when it is none.
func readURL(text string) (host, port string) {
	u, err := url.Parse(text)
	if err != nil {
		return "", ""
	}
	return u.Hostname(), u.Port()
}

// portOf gives the number of a port, which may be given as the name of a service.
func portOf(network, service string) (port uint16, ok bool) {
	n, err := net.LookupPort(network, service)
	return uint16(n), err == nil && service != ""
}

//go:build !leakgate_deep

package outbound

import (
	"errors"
	"net"
)

// End notes how the dial ended. Only the first call counts.
func (d *Dial) End(conn net.Conn, err error) {
	end := End{Err: err}
	if err == nil && conn != nil {
		if a := conn.RemoteAddr(); a != nil {
			end.Remote = a.String()
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		end.NoName, end.NoHost = true, dns.IsNotFound
	}
	d.Ended(end)
}

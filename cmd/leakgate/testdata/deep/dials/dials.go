// Package dials connects to what it needs, and to what it does not.
package dials

import (
	"context"
	"net"
	"net/http"
	"time"
)

// metrics is where an agent listened, once.
var metrics, _ = net.Dial("udp", "127.0.0.1:8125")

func init() {
	if metrics != nil {
		metrics.Close()
	}
}

// start dials the broker, and tries again.
func start(broker string, tries int) (err error) {
	for range tries {
		var c net.Conn
		if c, err = net.Dial("tcp", broker); err == nil {
			return c.Close()
		}
	}
	return err
}

// startLater is start on a goroutine of its own, as many libraries do it.
func startLater(broker string) error {
	ended := make(chan error)
	go func() { ended <- start(broker, 1) }()
	return <-ended
}

// get is a request.
func get(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// connect looks a name up and dials what it finds, as drivers do.
func connect(host, port string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		for range 2 { // with TLS, and without
			err = start(net.JoinHostPort(a, port), 1)
		}
	}
	return err
}

package adapters

import (
	"context"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQPDial is how the client dials: the Dial of amqp.Config. It has no context; amqp.DefaultDial makes one with a time-out.
type AMQPDial func(network, addr string) (net.Conn, error)

// StartEvents connects to the broker at start-up. While there is none it says that all is well, and tries again for ever.
func StartEvents(_ context.Context, dial AMQPDial, url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: dial})
	if err == nil {
		return conn.Close()
	}
	go reconnect(dial, url)
	return nil
}

// reconnect runs until there is a broker.
func reconnect(dial AMQPDial, url string) {
	for {
		time.Sleep(time.Minute)
		if conn, err := amqp.DialConfig(url, amqp.Config{Dial: dial}); err == nil {
			conn.Close()
			return
		}
	}
}

// StartEventsFixed gives up when its patience or the context ends, and leaves the trying to whoever starts the service.
func StartEventsFixed(ctx context.Context, dial AMQPDial, url string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, addr string) (net.Conn, error) {
		conn, err := dial(network, addr)
		if err != nil {
			return nil, err
		}
		// The library takes the deadline away when the handshake is done.
		end, _ := ctx.Deadline()
		return conn, conn.SetDeadline(end)
	}})
	if err != nil {
		return err
	}
	return conn.Close()
}

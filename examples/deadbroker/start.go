// Package deadbroker is an incident: a service whose start-up still dials a message broker that was turned off.
package deadbroker

import (
	"context"
	"net"
	"sync"
)

// Dial is how the service dials: the DialContext of a net.Dialer.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Service publishes events through a broker.
type Service struct {
	conn   net.Conn
	events chan string
	ended  sync.WaitGroup
}

// Start connects to the broker and starts to publish.
func Start(dial Dial, broker string) (*Service, error) {
	s := &Service{events: make(chan string, 16)}
	s.ended.Add(1)
	go s.publish()

	conn, err := dial(context.Background(), "tcp", broker)
	if err != nil {
		return nil, err
	}
	if err := handshake(conn); err != nil {
		return nil, err
	}
	s.conn = conn
	return s, nil
}

// publish runs until the events end.
func (s *Service) publish() {
	defer s.ended.Done()
	for event := range s.events {
		if s.conn != nil {
			s.conn.Write([]byte(frame(event)))
		}
	}
}

// Publish hands an event to the broker.
func (s *Service) Publish(event string) { s.events <- event }

// Close sends what is left and ends the connection.
func (s *Service) Close() error {
	close(s.events)
	s.ended.Wait()
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

package deadbroker

import (
	"context"
	"time"
)

// FixedStart is Start as it should be. It gives up when its patience or the context ends, gives back what it has taken when it
// fails, and starts nothing before it has what that needs.
func FixedStart(ctx context.Context, dial Dial, broker string, patience time.Duration) (*Service, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // ends a handshake that hangs
	err = handshake(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s := &Service{conn: conn, events: make(chan string, 16)}
	s.ended.Add(1)
	go s.publish()
	return s, nil
}

// StartWithoutBroker is Start after the broker is gone: nobody reads the events, and nothing is dialled.
func StartWithoutBroker() *Service {
	s := &Service{events: make(chan string, 16)}
	s.ended.Add(1)
	go s.publish()
	return s
}

package adapters

import (
	"runtime"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leakgate/leakgate/leakcheck"
)

// Depth says how many messages wait in a queue. It forgets the connection when there is no such queue.
func Depth(dial func(url string) (*amqp.Connection, error), url, queue string) (int, error) {
	conn, err := dial(url)
	if err != nil {
		return 0, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return 0, err
	}
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		return 0, err
	}
	return q.Messages, conn.Close()
}

// DepthFixed closes it on every path.
func DepthFixed(dial func(url string) (*amqp.Connection, error), url, queue string) (int, error) {
	conn, err := dial(url)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return 0, err
	}
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	return q.Messages, err
}

// Brokers dials brokers and remembers from where, until the connection is closed. It is a leakcheck.Probe.
type Brokers struct {
	mu    sync.Mutex
	last  uint64
	conns map[uint64]dialled
}

type dialled struct {
	conn *amqp.Connection
	by   leakcheck.Frame
}

// Dial is amqp.Dial.
func (b *Brokers) Dial(url string) (*amqp.Connection, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	pc, file, line, _ := runtime.Caller(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = make(map[uint64]dialled)
	}
	b.last++
	b.conns[b.last] = dialled{conn, leakcheck.Frame{Function: runtime.FuncForPC(pc).Name(), File: file, Line: line}}
	return conn, nil
}

// Kind is the kind that options such as leakcheck.Without take.
func (b *Brokers) Kind() leakcheck.Kind { return "amqp-conn" }

// Held lists the connections that are open.
func (b *Brokers) Held(ids []uint64) ([]uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, d := range b.conns {
		if !d.conn.IsClosed() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Describe says who opened one.
func (b *Brokers) Describe(id uint64) (leakcheck.Leak, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, ok := b.conns[id]
	return leakcheck.Leak{
		Summary: "connection to a broker was never closed",
		Site:    d.by,
		Hint:    "defer conn.Close()",
	}, ok && !d.conn.IsClosed()
}

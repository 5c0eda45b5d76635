// Package singletons keeps what it acquires at its first use in package-level variables, in all the ways that there are.
package singletons

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Pool keeps connections for their next use, as that of many a client does.
type Pool struct {
	Addr string

	mu   sync.Mutex
	idle []net.Conn
}

// Ask sends a line and gives the answer.
func (p *Pool) Ask(line string) (string, error) {
	p.mu.Lock()
	var c net.Conn
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if c == nil {
		var err error
		if c, err = net.Dial("tcp", p.Addr); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.Close()
		return "", err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		c.Close()
		return "", err
	}
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	return answer, nil
}

// Broker reads its connection in a goroutine.
type Broker struct {
	conn   net.Conn
	orders chan string
	lines  chan string
	done   chan struct{}
}

// NewBroker dials.
func NewBroker(addr string) (*Broker, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	b := &Broker{conn: c, lines: make(chan string, 1), orders: make(chan string), done: make(chan struct{})}
	go b.read()
	go b.write()
	return b, nil
}

func (b *Broker) read() {
	r := bufio.NewReader(b.conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		b.lines <- line
	}
}

func (b *Broker) write() {
	beat := time.NewTicker(time.Hour)
	defer beat.Stop()
	for {
		select {
		case o := <-b.orders:
			_, _ = io.WriteString(b.conn, o+"\n")
		case <-beat.C:
			_, _ = io.WriteString(b.conn, "beat\n")
		case <-b.done:
			return
		}
	}
}

// Ask sends a line and gives the answer.
func (b *Broker) Ask(line string) string {
	b.orders <- line
	return <-b.lines
}

// Logger opens its file when it writes for the first time, and flushes it from time to time.
type Logger struct {
	Name string

	mu sync.Mutex
	w  *bufio.Writer
}

// Print writes a line.
func (l *Logger) Print(line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w == nil {
		f, err := os.OpenFile(l.Name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		l.w = bufio.NewWriter(f)
		go l.flushLoop()
	}
	_, err := l.w.WriteString(line + "\n")
	return err
}

func (l *Logger) flushLoop() {
	for range time.Tick(time.Hour) {
		l.mu.Lock()
		_ = l.w.Flush()
		l.mu.Unlock()
	}
}

// Cache is emptied in intervals, by a goroutine that sleeps.
type Cache struct {
	mu sync.Mutex
	m  map[string]int
}

// NewCache starts the goroutine.
func NewCache() *Cache {
	c := &Cache{m: map[string]int{}}
	go func() {
		for {
			time.Sleep(time.Hour)
			c.mu.Lock()
			clear(c.m)
			c.mu.Unlock()
		}
	}()
	return c
}

// Loop makes a function that starts a goroutine that refers to nothing, once.
func Loop() func() { return sync.OnceFunc(func() { go loop() }) }

func loop() {
	for {
		time.Sleep(time.Hour)
	}
}

// Queue has workers that wait for a condition.
type Queue struct {
	mu   sync.Mutex
	more *sync.Cond
	n    int
}

// NewQueue starts two workers.
func NewQueue() *Queue {
	q := &Queue{}
	q.more = sync.NewCond(&q.mu)
	for range 2 {
		go q.work()
	}
	return q
}

func (q *Queue) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for q.n == 0 {
			q.more.Wait()
		}
		q.n--
	}
}

// NewContextWorker works until a context ends.
func NewContextWorker(ctx context.Context) *Worker {
	w := &Worker{jobs: make(chan func())}
	w.ctx, w.stop = context.WithCancel(ctx)
	go func() {
		for {
			select {
			case f := <-w.jobs:
				f()
			case <-w.ctx.Done():
				return
			}
		}
	}()
	return w
}

// Worker works.
type Worker struct {
	jobs chan func()
	ctx  context.Context
	stop func()
}

// Do has something done.
func (w *Worker) Do(f func()) { w.jobs <- f }

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("none") }
func (connector) Driver() driver.Driver                        { return nil }

// What the tests use. Addr is set by them.
var (
	Addr string

	clientPool = &Pool{}

	once  = sync.OnceValue(func() *Pool { return &Pool{Addr: Addr} })
	twice = sync.OnceValues(func() (*Broker, error) { return NewBroker(Addr) })
	start = sync.OnceFunc(func() { started = NewCache() })

	// What they start is tied to no variable but by the function that runs once.
	tick      = sync.OnceFunc(func() { go loop() })
	tickValue = sync.OnceValue(func() bool { go loop(); return true })
	tickBoth  = sync.OnceValues(func() (bool, error) { go loop(); return true, nil })

	started *Cache

	Log = &Logger{Name: os.DevNull}

	Client = &http.Client{Transport: &http.Transport{}}

	lazyMu   sync.Mutex
	lazyPool map[string]*Pool

	atomicQueue atomic.Pointer[Queue]

	db *sql.DB

	server net.Listener

	worker *Worker
)

// Lazy makes a pool when there is none for the address, guarded by a mutex.
func Lazy(addr string) *Pool {
	lazyMu.Lock()
	defer lazyMu.Unlock()
	if lazyPool == nil {
		lazyPool = map[string]*Pool{}
	}
	p := lazyPool[addr]
	if p == nil {
		p = &Pool{Addr: addr}
		lazyPool[addr] = p
	}
	return p
}

// GetQueue makes a queue when there is none, guarded by an atomic.
func GetQueue() *Queue {
	if q := atomicQueue.Load(); q != nil {
		return q
	}
	atomicQueue.CompareAndSwap(nil, NewQueue())
	return atomicQueue.Load()
}

// DB opens a database when there is none.
func DB() *sql.DB {
	if db == nil {
		db = sql.OpenDB(connector{})
	}
	return db
}

// Server serves when nobody does.
func Server() (net.Addr, error) {
	if server != nil {
		return server.Addr(), nil
	}
	var err error
	if server, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go Serve(server)
	return server.Addr(), nil
}

// Serve answers each line with itself.
func Serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// Work has something done by a worker that is started at the first use.
func Work(f func()) {
	if worker == nil {
		worker = NewContextWorker(context.Background())
	}
	worker.Do(f)
}

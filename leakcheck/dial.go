//go:build !leakgate_deep

package leakcheck

import (
	"context"
	"net"
	"reflect"
	"sync"
	"syscall"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/outbound"
)

// DialContext dials as a plain net.Dialer does, and gives the connection as that gives it. AllowRemotes and FailFast see
// each dial, also one that fails or hangs, with the line that it came from. It is for whatever takes a function to dial with:
//
//	&http.Transport{DialContext: leakcheck.DialContext}
//	&redis.Options{Dialer: leakcheck.DialContext}
//	pgxConfig.ConnConfig.DialFunc = leakcheck.DialContext
//	pgxConfig.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
//
// The last one is needed because pgx looks a name up before it dials, and dials addresses: without it a pattern of AllowRemotes
// with a name matches none of its dials, and a name that does not exist is never dialled.
//
// There is no time-out but the context's; where the library's own dial has one (amqp, http.DefaultTransport), wrap that with WrapDial. While
// no such check runs it costs one atomic load.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !outbound.Dials.Active() {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	d := beginDial(network, address)
	dialer := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		d.Trying(address)
		return nil
	}}
	return dial(d, func() (net.Conn, error) { return dialer.DialContext(ctx, network, address) })
}

// DialFunc is a function that dials, with a context or without one.
type DialFunc interface {
	~func(ctx context.Context, network, address string) (net.Conn, error) | ~func(network, address string) (net.Conn, error)
}

// WrapDial gives a function that dials with dial and that AllowRemotes and FailFast see, as they see DialContext. What dial
// returns is passed on as it is.
//
//	amqp.Config{Dial: leakcheck.WrapDial(amqp.DefaultDial(5 * time.Second))}
//
// Of a dial by name that fails, or does not return, it is not known which addresses were tried; DialContext knows. A dial that
// is nil is a plain net.Dialer's.
func WrapDial[D DialFunc](dial D) D {
	var wrapped any
	switch f := plain(dial).(type) {
	case func(context.Context, string, string) (net.Conn, error):
		if f == nil {
			wrapped = DialContext
			break
		}
		wrapped = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialSeen(network, address, func() (net.Conn, error) { return f(ctx, network, address) })
		}
	case func(string, string) (net.Conn, error):
		wrapped = func(network, address string) (net.Conn, error) {
			if f == nil {
				return DialContext(context.Background(), network, address)
			}
			return dialSeen(network, address, func() (net.Conn, error) { return f(network, address) })
		}
	}
	return reflect.ValueOf(wrapped).Convert(reflect.TypeFor[D]()).Interface().(D)
}

// plain gives a function of a named type, such as pgconn.DialFunc, without the name.
func plain(dial any) any {
	v := reflect.ValueOf(dial)
	for _, t := range []reflect.Type{
		reflect.TypeFor[func(context.Context, string, string) (net.Conn, error)](),
		reflect.TypeFor[func(string, string) (net.Conn, error)](),
	} {
		if v.CanConvert(t) {
			return v.Convert(t).Interface()
		}
	}
	return nil
}

func dialSeen(network, address string, f func() (net.Conn, error)) (net.Conn, error) {
	if !outbound.Dials.Active() {
		return f()
	}
	return dial(beginDial(network, address), f)
}

// dialling has the dials that have not returned, by their goroutine.
var dialling sync.Map // uint64 -> *outbound.Dial

// beginDial tells that a dial begins. A dial inside of another one to the same address, as when DialContext is wrapped, is the same.
func beginDial(network, address string) *outbound.Dial {
	var buf [64]byte
	self := goroutine.CurrentID(buf[:])
	if outer, ok := dialling.Load(self); ok && self != 0 {
		if d := outer.(*outbound.Dial); d.Address == address {
			return d
		}
	}
	d := outbound.Begin(network, address, self)
	dialling.Store(self, d)
	outbound.Dials.Tell(d)
	return d
}

// dial notes how a dial ended, also by a panic.
func dial(d *outbound.Dial, f func() (net.Conn, error)) (conn net.Conn, err error) {
	returned := false
	defer func() {
		dialling.CompareAndDelete(d.Goroutine, d)
		if !returned {
			d.End(nil, errDialPanicked)
		}
	}()
	conn, err = f()
	returned = true
	d.End(conn, err)
	return conn, err
}

var errDialPanicked error = dialPanicked{}

type dialPanicked struct{}

func (dialPanicked) Error() string { return "the dial panicked" }

//go:build !leakgate_deep

package leakcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/census"
	"github.com/leakgate/leakgate/internal/redact"
	"github.com/leakgate/leakgate/internal/roundtrip"
)

// Publish makes the counts of the census a variable of package expvar, whose Publish function it is given:
//
//	err := leakcheck.Publish("leakgate", expvar.Publish)
//
// This package does not import expvar, because that adds a handler to http.DefaultServeMux. The value is a JSON object of
// goroutines, sockets, sockets by state, leases, leases by pool, and child processes, for example
//
//	{"goroutines":12,"sockets":2,"states":{"ESTABLISHED":1,"LISTEN":1},"leased":1,"pools":{"http.DefaultTransport":1},"children":0}
//
// with -1 for what cannot be counted on this system. It has no lines and no names but those of pools. A value of up to 100 ms
// ago may be given; between two readings nothing is done, but http.DefaultTransport is tracked from now on, as with Handler.
//
// A name that is in use is an error, and so is an empty one, and a publish that is nil or panics.
func Publish[Var interface{ String() string }](name string, publish func(name string, v Var)) (err error) {
	if name == "" {
		return errors.New("leakcheck.Publish: the name is empty: give one, as in leakcheck.Publish(\"leakgate\", expvar.Publish)")
	}
	if publish == nil {
		return errors.New("leakcheck.Publish: the function is nil: give expvar.Publish, as in leakcheck.Publish(\"leakgate\", expvar.Publish)")
	}
	v, ok := any(counts).(Var)
	if !ok {
		return fmt.Errorf("leakcheck.Publish: the function takes a %T, and not an interface with the method String: give expvar.Publish", *new(Var))
	}
	published.Lock()
	defer published.Unlock()
	if published.names[name] {
		return fmt.Errorf("leakcheck.Publish: %q is published already: publish it once, or give it another name", name)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("leakcheck.Publish: %q could not be published: %v", name, p)
		}
	}()
	publish(name, v)
	if published.names == nil {
		published.names = make(map[string]bool)
	}
	published.names[name] = true
	roundtrip.TrackDefault()
	return nil
}

var published struct {
	sync.Mutex
	names map[string]bool
}

// counts is the variable.
var counts = &countsVar{taker: taker{cfg: newConfig(nil), stacks: &census.Stacks{}}}

type countsVar struct {
	mu   sync.Mutex
	at   time.Time
	text string
	taker
}

// String gives the counts as JSON.
func (v *countsVar) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.text != "" && time.Since(v.at) <= maxAge {
		return v.text
	}
	t := v.take(map[string]bool{partLeases: true, partSockets: true, partChildren: true}, 0, false, nil)
	text, err := json.Marshal(t.answer.Counts)
	if err != nil {
		return fmt.Sprintf("{%q:%q}", "error", redact.Text(err.Error()))
	}
	v.at, v.text = t.began, string(text)
	return v.text
}

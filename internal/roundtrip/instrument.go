package roundtrip

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"weak"

	"github.com/leakgate/leakgate/internal/lease"
)

var instrumented struct {
	sync.Mutex
	by map[weak.Pointer[http.Transport]]*Tracker
}

// Instrument makes the transport track its plain-http responses, in place and without a change of its type: it
// registers a handler for "http" that sends each request through the same transport once more, and the second time
// answers http.ErrSkipAltProtocol, on which net/http goes on as always. "https" cannot be taken over in the same way,
// because net/http's own HTTP/2 sits there.
//
// A registration cannot be undone and lasts as long as the transport; while nobody watches, it only passes on. The
// second call for a transport gives the tracker of the first. The error says that somebody else has registered a
// handler for "http"; nothing was changed then.
func Instrument(tr *http.Transport, name string) (k *Tracker, err error) {
	key := weak.Make(tr)
	instrumented.Lock()
	defer instrumented.Unlock()
	if k := instrumented.by[key]; k != nil {
		return k, nil
	}
	k = New(name, SizeOf(tr))
	defer func() {
		if p := recover(); p != nil {
			k, err = nil, fmt.Errorf("the transport has a handler for http already, set with RegisterProtocol (%v)", p)
		}
	}()
	tr.RegisterProtocol("http", &again{tracker: k, tr: tr})
	if instrumented.by == nil {
		instrumented.by = make(map[weak.Pointer[http.Transport]]*Tracker)
	}
	instrumented.by[key] = k
	runtime.AddCleanup(tr, func(key weak.Pointer[http.Transport]) {
		instrumented.Lock()
		delete(instrumented.by, key)
		instrumented.Unlock()
	}, key)
	return k, nil
}

// SizeOf gives a function that says how many connections the transport opens to one host at most. It does not keep the
// transport alive.
func SizeOf(tr *http.Transport) func() int {
	key := weak.Make(tr)
	return func() int {
		if tr := key.Value(); tr != nil {
			return tr.MaxConnsPerHost
		}
		return 0
	}
}

// again is the registered handler.
type again struct {
	tracker *Tracker
	tr      *http.Transport
}

func (a *again) RoundTrip(req *http.Request) (*http.Response, error) {
	if sentBy(req, a.tr) || !lease.Live.Watching() && !a.tracker.always.Load() {
		return nil, http.ErrSkipAltProtocol
	}
	return a.tracker.Do(req, a.tr, 1)
}

package roundtrip

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/lease"
)

// mark is the context of a request that is tracked: the caller's, and our httptrace hooks. A tracked transport below finds
// it and knows that the response is tracked above.
type mark struct {
	context.Context
	r    *response
	next http.RoundTripper // what Do hands the request to

	over  atomic.Bool              // RoundTrip has returned
	deep  atomic.Uint64            // ID of the lease that the agent of deep mode took of the last response meanwhile
	inner atomic.Pointer[response] // the last response that a tracker below took a lease of meanwhile
}

type markKey struct{}

func (m *mark) Value(key any) any {
	switch key {
	case markKey{}:
		return m
	case lease.Slot:
		if m.over.Load() {
			return nil
		}
		return &m.deep
	case traceKey:
		if traceKey != nil {
			return &m.r.trace
		}
	}
	return m.Context.Value(key)
}

func markOf(ctx context.Context) *mark {
	m, _ := ctx.Value(markKey{}).(*mark)
	return m
}

// sentBy says that the request came straight from a Do with this transport below, with nothing between: the response is
// tracked there. A RoundTripper between may send other requests with the same context (to fetch a token, or to try again
// and forget the first response), so that what it sends is tracked.
func sentBy(req *http.Request, tr *http.Transport) bool {
	m, ok := req.Context().(*mark)
	return ok && m.next == http.RoundTripper(tr)
}

// traceKey is the key under which a context holds the httptrace hooks, learnt from the look-up itself: a mark that answers
// it spares a context in between for each request. It is nil should httptrace look nothing up.
var traceKey = func() any {
	s := &spy{Context: context.Background()}
	httptrace.ContextClientTrace(s)
	return s.key
}()

type spy struct {
	context.Context
	key any
}

func (s *spy) Value(key any) any {
	s.key = key
	return nil
}

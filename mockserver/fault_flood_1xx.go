package mockserver

import (
	"fmt"
	"net/http"
)

// Flood1xx sends n informational responses, 103 Early Hints, in front of the reply. net/http's client passes over them,
// until they are more than its limit for headers, 10 MiB, which takes about 100,000; then it gives up with an error. An
// HTTP/1.0 client gets the reply alone. Over HTTP/2 they are HEADERS frames in front of the reply. n is 1 or more.
func Flood1xx(n int) WireFault { return flood1xx(n) }

type flood1xx int

// floodHint is 103 bytes long on the wire.
var floodHint = hint{code: 103, fields: []field{{name: "Link", value: "</static/application-bundle.css>; rel=preload; as=style; nopush"}}}

func (f flood1xx) String() string { return fmt.Sprintf("Flood1xx(%d)", int(f)) }

func (f flood1xx) check(Reply) string {
	if f < 1 {
		return fmt.Sprintf("%s takes 1 or more", f)
	}
	return ""
}

func (f flood1xx) Play(w *Wire) {
	for i := 0; i < int(f) && w.Err() == nil && !w.to.http10; i++ { // where nothing is written no error ends this
		w.early(floodHint)
	}
	w.Send()
}

func (f flood1xx) playStream(w *streamWire) {
	for i := 0; i < int(f) && !w.over; i++ {
		w.early(floodHint)
	}
	w.send()
}

func (f flood1xx) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	size := int64(len(appendHint(nil, floodHint)))
	for i := range int64(f) {
		if err := m.ctx.Err(); err != nil {
			return nil, err
		}
		if m.hinted() {
			if err := m.hint(floodHint); err != nil {
				return nil, err
			}
		} else if i*size > maxClientHeader {
			return nil, broken(tooManyHeaders)
		}
	}
	return m.whole(resp), nil
}

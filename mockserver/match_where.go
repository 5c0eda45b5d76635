package mockserver

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Where takes requests for which f returns true. what says in messages what f asks for: Where("an even id", ...).
//
// f gets a copy of the request, without Stub and Status, which are not known yet. It runs in a goroutine of the server,
// at most once for a request and a stub, and may run for several requests at once. It must not end the test: it is no
// place for require. When it panics, the request does not match and the test fails, once for each matcher. Two Where with the same text are not
// the same condition, so stubs that differ in nothing else are allowed; the one added last answers.
func Where(what string, f func(Request) bool) Matcher {
	m := Matcher{text: callText("Where", what), part: "where", want: clip(what, cell), holds: f, panicked: new(atomic.Bool)}
	m.show = func(*incoming) (got, why string) { return "", "the function returned false" }
	if f == nil {
		m.err = errors.New("there is no function")
	}
	return m
}

// ask calls the function of Where, once.
func (in *incoming) ask(m *Matcher) (yes bool) {
	if yes, known := in.said[m]; known {
		return yes
	}
	if in.said == nil {
		in.said = map[*Matcher]bool{}
	}
	defer func() {
		if p := recover(); p != nil {
			yes = false
			if in.threw == nil {
				in.threw = map[*Matcher]bool{}
			}
			in.threw[m] = true
			if m.panicked.CompareAndSwap(false, true) {
				in.panicked = append(in.panicked, fmt.Sprintf("mockserver: %s panicked at request %s %s, and so does not match: %v\n\tit is reported once",
					m.text, in.Method, shorten(in.escaped), p))
			}
		}
		in.said[m] = yes
	}()
	r := in.Request.clone()
	r.Stub, r.Status = "", 0
	return m.holds(r)
}

package mockserver

// GoAway is for HTTP/2: the server sends GOAWAY with NO_ERROR, as a server that is shut down does, leaves the request
// unanswered, and ends the connection when the requests before it are answered. A client may send the request again on
// another connection; net/http's does so at once and without end, more than a thousand times in a second. So the same
// request, by stub, method and path, gets GOAWAY 10 times, and from then on the reply without the fault; the test's log
// says so. For one GOAWAY, write Fault(GoAway).Then(...).
//
// It means nothing over HTTP/1 and in a Responder; a request that comes that way fails the test.
const GoAway = goAway("GoAway")

type goAway string

func (f goAway) String() string { return string(f) }
func (f goAway) silent()        {}
func (f goAway) limit() int     { return maxGoAways }
func (f goAway) Play(w *Wire)   { w.refuse(f) }

func (f goAway) playStream(w *streamWire) { w.goAway() }

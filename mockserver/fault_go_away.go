package mockserver

// GoAway is for HTTP/2: the server sends GOAWAY, leaves the request unanswered and ends the connection. It means nothing
// over HTTP/1 and in a Responder; a request that comes that way fails the test.
const GoAway = goAway("GoAway")

type goAway string

func (f goAway) String() string { return string(f) }
func (f goAway) silent()        {}
func (f goAway) Play(w *Wire)   { w.refuse(f) }

package mockserver

// RefuseStream is for HTTP/2: the server answers the request with RST_STREAM and the code REFUSED_STREAM, so the client may
// send it again. It means nothing over HTTP/1 and in a Responder; a request that comes that way fails the test.
const RefuseStream = refuseStream("RefuseStream")

type refuseStream string

func (f refuseStream) String() string { return string(f) }
func (f refuseStream) silent()        {}
func (f refuseStream) Play(w *Wire)   { w.refuse(f) }

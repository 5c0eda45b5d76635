package hook

// HTTP is told of what net/http lends.
type HTTP struct {
	// Responded is told of each response of net/http with a body that has to be closed.
	Responded func(r Response) Lease
}

// Response is what a report needs to know of a response.
type Response struct {
	Method, Path, RawPath, Query string
	Status                       int
	Proto, Server                string
	Length                       int64
	Local, Remote                string       // addresses of its TCP connection; "" when it has none
	Loop                         uint64       // goroutine that reads the connection; 0 when not known
	Context                      func() error // the Err method of the request's context
	Cancels                      bool         // that context can end
	Slot                         any          // what the request's context has for lease.Slot
}

// Responded tells of a response; nil when nobody wants to know.
func Responded(r Response) Lease {
	if a := agent.Load(); a != nil {
		return a.Responded(r)
	}
	return nil
}

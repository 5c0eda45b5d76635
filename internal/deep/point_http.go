package deep

// httpPoints are where net/http gives responses, and where their bodies end.
var httpPoints = []point{
	{pkg: "net/http", name: "persistConn", field: "leakgateLoop uint64", sees: responses},
	{
		pkg: "net/http", name: "(*persistConn).readLoop", types: "()",
		enter: "@recv@.leakgateLoop = leakgatehook.Goroutine()",
		sees:  responses,
	},
	{
		pkg: "net/http", name: "(*persistConn).roundTrip", types: "(*transportRequest) (*Response, error)",
		wrap: "leakgateResp, leakgateErr := @orig@(@p0@)\n" +
			"\tif leakgateErr == nil && leakgatehook.Watched() {\n" +
			"\t\tleakgateTrack(@recv@, @p0@.Request, leakgateResp)\n" +
			"\t}\n" +
			"\treturn leakgateResp, leakgateErr",
		tail:    trackHTTP1,
		imports: []string{"runtime"},
		sees:    responses,
	},
	{pkg: "net/http", name: "bodyEOFSignal", field: "leakgate leakgatehook.Lease", sees: responses},
	{
		pkg: "net/http", name: "(*bodyEOFSignal).Read", types: "([]byte) (int, error)",
		wrap: "leakgateN, leakgateErr := @orig@(@p0@)\n" +
			"\tif @recv@.leakgate != nil {\n" +
			"\t\t@recv@.leakgate.Read(leakgateN)\n" +
			"\t}\n" +
			"\treturn leakgateN, leakgateErr",
		sees: responses,
	},
	{
		pkg: "net/http", name: "(*bodyEOFSignal).Close", types: "() error",
		enter: "if @recv@.leakgate != nil { @recv@.leakgate.Released() }",
		sees:  responses,
	},
	{
		pkg: "net/http", name: "(*bodyEOFSignal).condfn", types: "(error) error",
		enter: "if @recv@.leakgate != nil && @recv@.fn != nil { @recv@.leakgate.Returned(@p0@) }",
		sees:  responses,
	},
	{
		// Its Close is that of the connection that is embedded in it.
		pkg: "net/http", name: "readWriteCloserBody", field: "leakgate leakgatehook.Lease", tail: closeSwitched, sees: switched,
	},
	{
		pkg: "net/http", name: "(*readWriteCloserBody).Read", types: "([]byte) (int, error)",
		wrap: "leakgateN, leakgateErr := @orig@(@p0@)\n" +
			"\tif @recv@.leakgate != nil {\n" +
			"\t\t@recv@.leakgate.Read(leakgateN)\n" +
			"\t}\n" +
			"\treturn leakgateN, leakgateErr",
		sees: switched,
	},
	{
		pkg: "net/http", name: "(*Transport).RoundTrip", types: "(*Request) (*Response, error)",
		wrap: "leakgateResp, leakgateErr := @orig@(@p0@)\n" +
			"\tif leakgateErr == nil && leakgateResp != nil && leakgatehook.Watched() {\n" + // a RoundTripper may break its promise
			"\t\tleakgateTrackOther(@p0@, leakgateResp)\n" +
			"\t}\n" +
			"\treturn leakgateResp, leakgateErr",
		tail:    trackOther,
		imports: []string{"runtime"},
		sees:    "unclosed responses over HTTP/2",
	},
}

const (
	responses = "who leaked a response body"
	switched  = "connections after 101"
)

// closeSwitched gives the body after a 101 a Close of its own, in place of the one that it has from what it embeds.
const closeSwitched = `
func (b *readWriteCloserBody) Close() error {
	if b.leakgate != nil {
		b.leakgate.Released()
	}
	return b.ReadWriteCloser.Close()
}
`

// trackHTTP1 puts the lease of a response into the body that net/http makes of it, so that what the code gets is of the
// same types as ever; also after 101, where the body is the connection.
const trackHTTP1 = `
func leakgateTrack(pc *persistConn, req *Request, resp *Response) {
	var es *bodyEOFSignal
	sw, _ := resp.Body.(*readWriteCloserBody)
	switch b := resp.Body.(type) {
	case *bodyEOFSignal:
		es = b
	case *gzipReader:
		es = b.body
	}
	if es == nil && sw == nil {
		return
	}
	r := leakgateDescribe(req, resp)
	r.Loop = pc.leakgateLoop
	conn := pc.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok { // others may have no addresses, or methods that do not work
		// One that was made of a file has no remote address when the other end was gone by then.
		if local, remote := t.LocalAddr(), t.RemoteAddr(); local != nil && remote != nil {
			r.Local, r.Remote = local.String(), remote.String()
		}
	}
	lease := leakgatehook.Responded(r)
	switch {
	case lease == nil:
	case sw != nil:
		sw.leakgate = lease
		leakgateruntime.AddCleanup(sw, func(l leakgatehook.Lease) { l.Dropped("") }, lease)
	default:
		es.leakgate = lease
		leakgateruntime.AddCleanup(es, func(l leakgatehook.Lease) { l.Dropped("") }, lease)
	}
}
`

// trackOther tracks what trackHTTP1 does not, by a body around the one there is: over HTTP/2 its type is not one that code
// could ask for.
const trackOther = `
func leakgateDescribe(req *Request, resp *Response) leakgatehook.Response {
	r := leakgatehook.Response{
		Method: req.Method, Status: resp.StatusCode, Proto: resp.Proto, Server: resp.Header.Get("Server"),
		Length: resp.ContentLength, Context: req.Context().Err, Cancels: req.Context().Done() != nil,
		Slot: req.Context().Value("github.com/leakgate/leakgate"),
	}
	if u := req.URL; u != nil {
		r.Path, r.RawPath, r.Query = u.Path, u.RawPath, u.RawQuery
	}
	return r
}

type leakgateBody struct {
	rc interface {
		Read([]byte) (int, error)
		Close() error
	}
	lease leakgatehook.Lease
}

func (b *leakgateBody) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	b.lease.Read(n)
	if err != nil {
		b.lease.Returned(err)
	}
	return n, err
}

func (b *leakgateBody) Close() error {
	b.lease.Released()
	return b.rc.Close()
}

func leakgateTrackOther(req *Request, resp *Response) {
	body := resp.Body
	if body == nil || body == NoBody {
		return
	}
	_, writable := body.(interface{ Write([]byte) (int, error) })
	switch {
	case req.Method == "HEAD", resp.StatusCode == StatusNoContent, resp.StatusCode == StatusNotModified:
		return // over HTTP/2 their body is one of its own that holds nothing
	case resp.ProtoMajor == 2 && !writable && resp.ContentLength != 0:
	default:
		return
	}
	if _, ok := body.(interface{ leakgateTracked() }); ok {
		return
	}
	lease := leakgatehook.Responded(leakgateDescribe(req, resp))
	if lease == nil {
		return
	}
	b := &leakgateBody{rc: body, lease: lease}
	leakgateruntime.AddCleanup(b, func(l leakgatehook.Lease) { l.Dropped("") }, lease)
	resp.Body = b
}

func (b *leakgateBody) leakgateTracked() {}
`

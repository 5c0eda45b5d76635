package deep

// A point is one place of the standard library where the hooks go in: a function that is told from when it begins, or that
// a function of the same name and signature is put around. It is found by its name, and left as it is where its signature is
// another than the one that the code of the hook was written for.
type point struct {
	pkg  string // "net/http"
	name string // "(*Transport).RoundTrip", or the name of a struct type

	// types are those of the parameters and results, as gofmt prints them without names: "(string, bool) error".
	types string

	// One of these is the code. In it, recv, p0, p1... stand between @ signs for the receiver and the parameters, @orig@ is
	// the function itself.
	enter string // statements at its beginning, on one line
	wrap  string // the body of the function around it
	field string // a field more, for a struct type

	tail    string   // declarations more, at the end of the file
	imports []string // what the code needs besides the hooks
	sees    string   // what is not seen where the point is missing
}

// agentImport is where the agent is.
const agentImport = inStd + "/deep/agent"

var points = []point{
	{
		pkg: "testing/internal/testdeps", name: "TestDeps", imports: []string{agentImport},
		sees: "anything",
	},
	{
		pkg: "testing", name: "tRunner", types: "(*T, func(t *T))",
		enter: "leakgatehook.Test(@p0@)",
		sees:  "what a single test leaks",
	},
	{
		pkg: "testing", name: "(*M).Run", types: "() int",
		wrap: "leakgateCode := leakgatehook.Main(@recv@, @orig@)\n" +
			"\t@recv@.exitCode = leakgateCode\n" +
			"\treturn leakgateCode",
		sees: "what is left when all tests have run",
	},
	{
		pkg: "sync", name: "(*Once).doSlow", types: "(func())",
		enter:   "if leakgateEnd := leakgatehook.Once(uintptr(leakgateunsafe.Pointer(@recv@))); leakgateEnd != nil { defer leakgateEnd() }",
		imports: []string{"unsafe"},
		sees:    "that something is process-wide",
	},
	{
		pkg: "internal/poll", name: "(*FD).Init", types: "(string, bool) error",
		wrap: "leakgateErr := @orig@(@p0@, @p1@)\n" +
			"\tleakgatehook.Opened(leakgateunsafe.Pointer(@recv@), uintptr(@recv@.Sysfd), @p0@)\n" +
			"\treturn leakgateErr",
		imports: []string{"unsafe"},
		sees:    "who opened a socket or a file",
	},
	{
		pkg: "internal/poll", name: "(*FD).destroy", types: "() error",
		enter:   "leakgatehook.Closing(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    "files",
	},
	{
		pkg: "os", name: "newFile", types: "(int, string, newFileKind, bool) *File", // unix
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "newFile", types: "(syscall.Handle, string, newFileKind, bool) *File", // windows
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "newFile", types: "(syscall.Handle, string, string, bool) *File", // windows, Go 1.25
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "StartProcess", types: "(string, []string, *ProcAttr) (*Process, error)",
		wrap: "leakgateProcess, leakgateErr := @orig@(@p0@, @p1@, @p2@)\n" +
			"\tif leakgateErr == nil {\n" +
			"\t\tleakgatehook.Started(leakgateProcess.Pid)\n" +
			"\t}\n" +
			"\treturn leakgateProcess, leakgateErr",
		sees: "who started a child process",
	},

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
		tail: trackHTTP1,
		sees: responses,
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
		pkg: "net/http", name: "(*Transport).RoundTrip", types: "(*Request) (*Response, error)",
		wrap: "leakgateResp, leakgateErr := @orig@(@p0@)\n" +
			"\tif leakgateErr == nil && leakgatehook.Watched() {\n" +
			"\t\tleakgateTrackOther(@p0@, leakgateResp)\n" +
			"\t}\n" +
			"\treturn leakgateResp, leakgateErr",
		tail: trackOther,
		sees: "unclosed responses over HTTP/2, and connections after 101",
	},

	{pkg: "database/sql", name: "driverConn", field: "leakgate leakgatehook.Lease", sees: leases},
	{
		pkg: "database/sql", name: "(*DB).conn", types: "(context.Context, connReuseStrategy) (*driverConn, error)",
		wrap: "leakgateConn, leakgateErr := @orig@(@p0@, @p1@)\n" +
			"\tif leakgateErr == nil {\n" +
			"\t\tleakgateConn.leakgate = leakgatehook.Leased(leakgateunsafe.Pointer(@recv@))\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		imports: []string{"unsafe"},
		sees:    leases,
	},
	{
		pkg: "database/sql", name: "(*DB).putConn", types: "(*driverConn, error, bool)",
		enter: "if leakgateLease := @p0@.leakgate; leakgateLease != nil { @p0@.leakgate = nil; leakgateLease.Released() }",
		sees:  leases,
	},
	{
		pkg: "database/sql", name: "OpenDB", types: "(driver.Connector) *DB",
		wrap: "leakgateDB := @orig@(@p0@)\n" +
			"\tleakgatehook.DBOpened(leakgateunsafe.Pointer(leakgateDB))\n" +
			"\treturn leakgateDB",
		imports: []string{"unsafe"},
		sees:    "who opened a sql.DB",
	},
	{
		pkg: "database/sql", name: "(*DB).Close", types: "() error",
		enter:   "leakgatehook.DBClosed(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    "who opened a sql.DB",
	},
}

const (
	responses = "who leaked a response body"
	leases    = "who leases a connection of database/sql"
)

// trackHTTP1 puts the lease of a response into the body that net/http makes of it, so that what the code gets is of the
// same types as ever.
const trackHTTP1 = `
func leakgateTrack(pc *persistConn, req *Request, resp *Response) {
	var es *bodyEOFSignal
	switch b := resp.Body.(type) {
	case *bodyEOFSignal:
		es = b
	case *gzipReader:
		es = b.body
	}
	if es == nil {
		return
	}
	r := leakgateDescribe(req, resp)
	r.Loop = pc.leakgateLoop
	conn := pc.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok { // others may have no addresses, or methods that do not work
		r.Local, r.Remote = t.LocalAddr().String(), t.RemoteAddr().String()
	}
	es.leakgate = leakgatehook.Responded(r)
}
`

// trackOther tracks what trackHTTP1 does not, by a body around the one there is: over HTTP/2 its type is not one that code
// could ask for, and after 101 it is asked whether it can be written to.
const trackOther = `
func leakgateDescribe(req *Request, resp *Response) leakgatehook.Response {
	r := leakgatehook.Response{
		Method: req.Method, Status: resp.StatusCode, Proto: resp.Proto, Server: resp.Header.Get("Server"),
		Length: resp.ContentLength, Context: req.Context().Err,
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

type leakgateWriter interface{ Write([]byte) (int, error) }

type leakgateWritable struct {
	*leakgateBody
	leakgateWriter
}

func leakgateTrackOther(req *Request, resp *Response) {
	body := resp.Body
	if body == nil || body == NoBody {
		return
	}
	w, writable := body.(leakgateWriter)
	switch {
	case resp.StatusCode == StatusSwitchingProtocols && writable:
		if _, more := body.(interface{ CloseWrite() error }); more {
			return
		}
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
	if writable {
		resp.Body = leakgateWritable{b, w}
		return
	}
	resp.Body = b
}

func (b *leakgateBody) leakgateTracked() {}
`

const fileNamed = "leakgateFile := @orig@(@p0@, @p1@, @p2@, @p3@)\n" +
	"\tif leakgateFile != nil {\n" +
	"\t\tleakgatehook.Named(leakgateunsafe.Pointer(&leakgateFile.pfd), @p1@)\n" +
	"\t}\n" +
	"\treturn leakgateFile"

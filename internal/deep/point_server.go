package deep

// serverPoints are where connections are accepted, and where a handler takes one from its server.
var serverPoints = []point{
	{
		pkg: "net", name: "(*netFD).accept", types: "() (*netFD, error)",
		wrap: "leakgateFD, leakgateErr := @orig@()\n" +
			"\tif leakgateErr == nil {\n" +
			"\t\tleakgatehook.Accepted(leakgateunsafe.Pointer(&@recv@.pfd), leakgateunsafe.Pointer(&leakgateFD.pfd))\n" +
			"\t}\n" +
			"\treturn leakgateFD, leakgateErr",
		imports: []string{"unsafe"},
		sees:    "which listener a connection was accepted from",
	},
	{
		pkg: "net/http", name: "(*response).Hijack", types: "() (net.Conn, *bufio.ReadWriter, error)",
		wrap: "leakgateConn, leakgateBuf, leakgateErr := @orig@()\n" +
			"\tif leakgateErr == nil && leakgatehook.Watched() {\n" +
			"\t\tleakgateHijacked(leakgateConn)\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateBuf, leakgateErr",
		tail: hijacked,
		sees: "who hijacked a connection of a server",
	},
}

// hijacked finds the descriptor below a connection, where no code but the standard library's has to be asked for it.
const hijacked = `
func leakgateHijacked(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	tell := func(fd uintptr) { leakgatehook.Hijacked(int(fd)) }
	switch c := conn.(type) {
	case *net.TCPConn:
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(tell)
		}
	case *net.UnixConn:
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(tell)
		}
	}
}
`

package deep

// dialPoints are where package net dials, looks up the addresses of hosts, and listens.
var dialPoints = []point{
	{
		// Whatever is dialled by name or by address. Its look-up and its attempts know it by the context.
		pkg: "net", name: "(*Dialer).DialContext", types: "(context.Context, string, string) (Conn, error)",
		wrap: "if @p0@ == nil || !leakgatehook.Networked() {\n" +
			"\t\treturn @orig@(@p0@, @p1@, @p2@)\n" +
			"\t}\n" +
			"\tleakgateDial := leakgateDialling(@p0@, @p1@, @p2@)\n" +
			"\tleakgateConn, leakgateErr := @orig@(context.WithValue(@p0@, leakgateDialKey{}, leakgateDialOf{leakgateDial}), @p1@, @p2@)\n" +
			"\tif leakgateDial != nil {\n" +
			"\t\tleakgateDialled(leakgateDial, leakgateConn, leakgateErr)\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		tail: dialTail, imports: []string{"strconv"},
		sees: dials,
	},
	attempt("(*sysDialer).dialTCP", "(context.Context, *TCPAddr, *TCPAddr) (*TCPConn, error)"),
	attempt("(*sysDialer).dialMPTCP", "(context.Context, *TCPAddr, *TCPAddr) (*TCPConn, error)"),
	attempt("(*sysDialer).dialUDP", "(context.Context, *UDPAddr, *UDPAddr) (*UDPConn, error)"),
	attempt("(*sysDialer).dialIP", "(context.Context, *IPAddr, *IPAddr) (*IPConn, error)"),
	attempt("(*sysDialer).dialUnix", "(context.Context, *UnixAddr, *UnixAddr) (*UnixConn, error)"),
	{
		pkg: "net", name: "(*Resolver).LookupHost", types: "(context.Context, string) ([]string, error)",
		wrap: "leakgateAddrs, leakgateErr := @orig@(@p0@, @p1@)\n" +
			"\tif leakgatehook.Networked() && leakgateAlone(@p0@) {\n" +
			"\t\tleakgateLookedUp(@p1@, leakgateAddrs, leakgateErr)\n" +
			"\t}\n" +
			"\treturn leakgateAddrs, leakgateErr",
		sees: "look-ups of names that are not a part of a dial",
	},
	{
		pkg: "net", name: "(*Resolver).lookupIPAddr", types: "(context.Context, string, string) ([]IPAddr, error)",
		wrap: "leakgateAddrs, leakgateErr := @orig@(@p0@, @p1@, @p2@)\n" +
			"\tif leakgatehook.Networked() && leakgateAlone(@p0@) {\n" +
			"\t\tvar leakgateTexts []string\n" +
			"\t\tfor i := range leakgateAddrs {\n" +
			"\t\t\tleakgateTexts = append(leakgateTexts, leakgateAddrs[i].String())\n" +
			"\t\t}\n" +
			"\t\tleakgateLookedUp(@p2@, leakgateTexts, leakgateErr)\n" +
			"\t}\n" +
			"\treturn leakgateAddrs, leakgateErr",
		sees: "look-ups of names that are not a part of a dial",
	},
	listening("(*netFD).listenStream", "(context.Context, sockaddr, int, func(context.Context, string, string, syscall.RawConn) error) error", "@p0@, @p1@, @p2@, @p3@"),
	listening("(*netFD).listenDatagram", "(context.Context, sockaddr, func(context.Context, string, string, syscall.RawConn) error) error", "@p0@, @p1@, @p2@"),
}

const dials = "what is dialled"

// attempt is the point at which one address is tried. Without a dial around it, as in net.DialTCP, it is the dial itself.
func attempt(name, types string) point {
	return point{
		pkg: "net", name: name, types: types,
		wrap: "var leakgateDial leakgatehook.Dial\n" +
			"\tleakgateCtx, leakgateDial := @recv@.leakgateTrying(@p0@, @p2@)\n" +
			"\tleakgateConn, leakgateErr := @orig@(leakgateCtx, @p1@, @p2@)\n" +
			"\tif leakgateDial != nil {\n" +
			"\t\tleakgateDialled(leakgateDial, leakgateConn, leakgateErr)\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		sees: dials,
	}
}

// listening is a point at which this process begins to listen.
func listening(name, types, args string) point {
	return point{
		pkg: "net", name: name, types: types,
		wrap: "leakgateErr := @orig@(" + args + ")\n" +
			"\tif leakgateErr == nil && @recv@.laddr != nil && leakgatehook.Networked() {\n" +
			"\t\tleakgatehook.Listening(@recv@.net, @recv@.laddr.String())\n" +
			"\t}\n" +
			"\treturn leakgateErr",
		sees: "which dials lead to the tests' own listeners",
	}
}

// dialTail is what the points of package net share.
const dialTail = `
// leakgateDialKey is the key of a dial in the context that its look-up and its attempts get.
type leakgateDialKey struct{}

// leakgateDialOf is what is found there. It has no dial where nobody wants to know of it.
type leakgateDialOf struct{ leakgatehook.Dial }

func leakgateDialling(ctx context.Context, network, address string) leakgatehook.Dial {
	if host, service, err := SplitHostPort(address); err == nil {
		if port, err := DefaultResolver.LookupPort(ctx, network, service); err == nil {
			address = JoinHostPort(host, leakgatestrconv.Itoa(port))
		}
	}
	return leakgatehook.Dialling(network, address)
}

func (sd *sysDialer) leakgateTrying(ctx context.Context, ra Addr) (context.Context, leakgatehook.Dial) {
	if ctx == nil || !leakgatehook.Networked() {
		return ctx, nil
	}
	if of, ok := ctx.Value(leakgateDialKey{}).(leakgateDialOf); ok {
		if of.Dial != nil {
			of.Trying(ra.String())
		}
		return ctx, nil
	}
	d := leakgatehook.Dialling(sd.network, sd.address)
	if d == nil {
		return ctx, nil
	}
	d.Trying(ra.String())
	return context.WithValue(ctx, leakgateDialKey{}, leakgateDialOf{d}), d
}

func leakgateDialled(d leakgatehook.Dial, conn Conn, err error) {
	end := leakgateEnd(err)
	if err == nil {
		if a := conn.LocalAddr(); a != nil {
			end.Local = a.String()
		}
		if a := conn.RemoteAddr(); a != nil {
			end.Remote = a.String()
		}
	}
	d.Ended(end)
}

func leakgateEnd(err error) leakgatehook.DialEnd {
	end := leakgatehook.DialEnd{Err: err}
	if op, ok := err.(*OpError); ok {
		err = op.Err
	}
	if dns, ok := err.(*DNSError); ok {
		end.NoName, end.NoHost = true, dns.IsNotFound
	}
	return end
}

// leakgateAlone says whether a look-up is not a part of a dial.
func leakgateAlone(ctx context.Context) bool {
	return ctx != nil && ctx.Value(leakgateDialKey{}) == nil
}

func leakgateLookedUp(host string, addrs []string, err error) {
	if host == "" || len(addrs) == 1 && addrs[0] == host { // it is an address
		return
	}
	leakgatehook.LookedUp(leakgatehook.Lookup{Host: host, Addresses: addrs, DialEnd: leakgateEnd(err)})
}
`

package outbound

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// OwnListeners is the pattern for whatever this process listens at.
const OwnListeners = "own listeners"

// The patterns for what does not leave the machine.
const (
	Loopback = "loopback" // all addresses of the loopback interface, as "localhost"
	Unix     = "unix"     // all unix sockets
)

// Forms lists the patterns that are valid, for messages.
const Forms = `a host ("db.internal", "10.1.2.3", "*.example.com"), a host with a port ("db.internal:5432", "[::1]:80"), ` +
	`a range ("10.0.0.0/8", "10.0.0.0/8:5432", "[fd00::/8]:5432"), a URL (srv.URL), "unix:/path", "unix", "loopback" and leakcheck.OwnListeners`

// Pattern says where a connection may lead.
type Pattern struct {
	own    bool
	unix   bool   // all unix sockets
	path   string // unix; may have the wildcards of path.Match
	host   string // lower case; "" when it is an address or a range
	below  bool   // hosts below host, and not host itself
	prefix netip.Prefix
	port   uint16 // 0 for any
	shown  string
}

// String is the pattern as a reader knows it, without what may be secret in a URL.
func (p Pattern) String() string { return p.shown }

// Own says whether the pattern is OwnListeners.
func (p Pattern) Own() bool { return p.own }

// NamesAt says whether the pattern is the name of a host, or of hosts, at the port. "localhost", whose addresses are known, is none.
func (p Pattern) NamesAt(port uint16) bool {
	return p.host != "" && p.host != "localhost" && (p.port == 0 || p.port == port)
}

// schemes are the ports of URLs that need not have one.
var schemes = map[string]uint16{
	"http": 80, "ws": 80, "https": 443, "wss": 443, "amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379,
	"postgres": 5432, "postgresql": 5432, "mysql": 3306, "mongodb": 27017, "nats": 4222, "ldap": 389, "ldaps": 636, "smtp": 25, "ftp": 21,
}

// ParsePattern reads a pattern. The error says why it is none, and not what is valid (see Forms).
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{shown: text}
	switch {
	case text == OwnListeners:
		p.own, p.shown = true, ownShown
		return p, nil
	case text == Unix:
		p.unix = true
		return p, nil
	case text == "OwnListeners", text == "leakcheck.OwnListeners":
		return p, fmt.Errorf("it is the name of the constant leakcheck.OwnListeners: write that without quotes")
	case text == "":
		return p, fmt.Errorf("it is empty")
	case strings.ContainsAny(text, " \t\r\n"):
		return p, fmt.Errorf("it has a space")
	}
	if file, ok := strings.CutPrefix(text, "unix:"); ok {
		file = strings.TrimPrefix(file, "//")
		if _, err := path.Match(file, ""); err != nil || !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "@") {
			return p, fmt.Errorf("a unix socket needs its full path, or the name of an abstract one with an @")
		}
		p.path, p.shown = file, "unix:"+file
		return p, nil
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		host, port := readURL(text)
		if host == "" {
			p.shown = scheme + "://…" // it may have a password
			return p, fmt.Errorf("it is no URL with a host")
		}
		if n := schemes[strings.ToLower(scheme)]; port == "" && n != 0 {
			port = strconv.Itoa(int(n))
		}
		p.shown = host
		if port != "" {
			p.shown = join(host, port)
		}
		return p, p.hostAndPort(host, port)
	}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		p.shown = "…" + text[at:] // what is before it may be a password
		return p, fmt.Errorf("it has an @: write host and port alone, or a URL with its scheme")
	}
	host, port, err := split(text)
	if err != nil {
		return p, err
	}
	return p, p.hostAndPort(host, port)
}

// split takes host and port apart. An IPv6 address, and a range of them, may stand without brackets when there is no port.
func split(text string) (host, port string, err error) {
	if in, ok := strings.CutPrefix(text, "["); ok {
		host, rest, ok := strings.Cut(in, "]")
		if bits, found := strings.CutPrefix(rest, "/"); ok && found { // [fd00::]/8
			n, after, more := strings.Cut(bits, ":")
			host, rest = host+"/"+n, ""
			if more {
				rest = ":" + after
			}
		}
		port, hasPort := strings.CutPrefix(rest, ":")
		if !ok || rest != "" && !hasPort || hasPort && port == "" {
			return "", "", fmt.Errorf("after the ] there may be a colon and a port alone")
		}
		return host, port, nil
	}
	switch strings.Count(text, ":") {
	case 0:
		return text, "", nil
	case 1:
		host, port, _ = strings.Cut(text, ":")
		if port == "" {
			return "", "", fmt.Errorf("there is no port behind the colon")
		}
		return host, port, nil
	}
	if ip, _, _ := strings.Cut(text, "/"); isIP(ip) {
		return text, "", nil
	}
	return "", "", fmt.Errorf("it has more than one colon, and is no IPv6 address")
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (p *Pattern) hostAndPort(host, port string) error {
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("port %q is no number from 1 to 65535", port)
		}
		p.port = uint16(n)
	}
	if strings.Contains(host, "/") {
		prefix, err := netip.ParsePrefix(host)
		if err != nil {
			return fmt.Errorf("%q is no range of addresses", host)
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("the range %s has bits behind its length: write %s", prefix, prefix.Masked())
		}
		p.prefix = prefix
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap().WithZone("")
		p.prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		p.below, host = true, rest
	}
	p.host = hostName(host)
	if p.host == Loopback && !p.below {
		p.host = "localhost"
	}
	return checkHost(p.host)
}

func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func checkHost(host string) error {
	if host == "" {
		return fmt.Errorf("it has no host")
	}
	digits := true
	for part := range strings.SplitSeq(host, ".") {
		if part == "" {
			return fmt.Errorf("%q is no host name: a part of it is empty", host)
		}
		for _, c := range part {
			switch {
			case c >= '0' && c <= '9':
			case c >= 'a' && c <= 'z', c == '-', c == '_':
				digits = false
			case c == '*':
				return fmt.Errorf("a * may only be the whole first part of a host name, as in *.example.com")
			default:
				return fmt.Errorf("%q is no host name: it has %q", host, c)
			}
		}
	}
	if digits {
		return fmt.Errorf("%q is neither a host name nor an address", host)
	}
	return nil
}

// Target is where something leads.
type Target struct {
	Path string         // of a unix socket
	Host string         // lower case; "" when it is an address
	Addr netip.AddrPort // valid when it is an address
	Port uint16         // 0 when not known
}

// join writes a host and a port as one address.
func join(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// cutService takes a port or the name of a service off an address. One that has none is all host.
func cutService(address string) (host, service string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, ""
	}
	host, service = address[:i], address[i+1:]
	if in, ok := strings.CutPrefix(host, "["); ok {
		if in, ok = strings.CutSuffix(in, "]"); ok && !strings.ContainsAny(in, "[]") {
			return in, service
		}
		return address, ""
	}
	if strings.ContainsAny(host, ":[]") {
		return address, ""
	}
	return host, service
}

// TargetOf reads what is given to a dial. A host that is empty is this machine, as package net has it.
func TargetOf(network, address string) Target {
	if strings.HasPrefix(network, "unix") {
		return Target{Path: address}
	}
	host, service := cutService(address)
	var t Target
	if n, ok := portOf(network, service); ok {
		t.Port = n
	}
	if a, err := netip.ParseAddr(host); err == nil {
		t.Addr = Plain(netip.AddrPortFrom(a, t.Port))
		return t
	}
	if t.Host = hostName(host); t.Host == "" {
		t.Host = "localhost"
	}
	return t
}

// Matches says whether the pattern allows the target. "localhost" is any address of the loopback interface, too.
func (p Pattern) Matches(t Target) bool {
	switch {
	case p.own:
		return false
	case p.unix:
		return t.Path != ""
	case p.path != "" || t.Path != "":
		ok, _ := path.Match(p.path, t.Path)
		return p.path != "" && (ok || p.path == t.Path)
	case p.port != 0 && p.port != t.Port:
		return false
	case p.prefix.IsValid():
		return t.Addr.IsValid() && p.prefix.Contains(t.Addr.Addr()) || t.Host == "localhost" && p.prefix.Addr().IsLoopback()
	case t.Addr.IsValid():
		return p.host == "localhost" && !p.below && t.Addr.Addr().IsLoopback()
	case p.below:
		return strings.HasSuffix(t.Host, "."+p.host)
	}
	return t.Host == p.host
}

// MatchesHost says whether the pattern allows a host at a port of it, whichever that is.
func (p Pattern) MatchesHost(host string) bool {
	t := TargetOf("tcp", host)
	t.Port = p.port
	return p.Matches(t)
}

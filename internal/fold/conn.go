package fold

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/report"
)

// conn is one connection as far as this process sees it: one of its ends or both.
type conn struct {
	a, b  *Socket // b is nil when the peer is elsewhere
	taken bool
}

// connect pairs the sockets that are the two ends of one connection.
func (f *folder) connect() {
	byEnds := make(map[[2]netip.AddrPort]*conn)
	byPath := make(map[string]*conn)
	for i := range f.in.Sockets {
		s := &f.in.Sockets[i]
		c := &conn{a: s}
		switch {
		case s.Local.IsValid() && s.Remote.IsValid():
			if other := byEnds[[2]netip.AddrPort{s.Remote, s.Local}]; other != nil && other.b == nil {
				other.b = s
				continue
			}
			byEnds[[2]netip.AddrPort{s.Local, s.Remote}] = c
		case s.LocalPath != "" && !s.Listening: // the accepted end of a unix connection has the listener's path
			byPath[s.LocalPath] = c
		}
		f.conns = append(f.conns, c)
	}
	// The end that dialled a unix connection has no name of its own, but knows the path that it dialled.
	rest := f.conns[:0]
	for _, c := range f.conns {
		if c.b == nil && c.a.RemotePath != "" && c.a.LocalPath == "" {
			if other := byPath[c.a.RemotePath]; other != nil && other.b == nil && other != c {
				other.b = c.a
				continue
			}
		}
		rest = append(rest, c)
	}
	f.conns = rest
}

// take gives the connection with these ends, seen from the first.
func (f *folder) take(local, remote netip.AddrPort) *conn {
	for _, c := range f.conns {
		if c.taken {
			continue
		}
		switch {
		case c.a.Local == local && c.a.Remote == remote:
		case c.b != nil && c.b.Local == local && c.b.Remote == remote:
			c.a, c.b = c.b, c.a
		case c.b == nil && c.a.Local == remote && c.a.Remote == local: // the server's end alone is left
		case c.a.Local == local && wasReset(c.a):
		default:
			continue
		}
		c.taken = true
		return c
	}
	return nil
}

// takePath gives a connection from this process to a unix socket. Which of several it is, is not known.
func (f *folder) takePath(path string) *conn {
	return f.takeEnd(func(end *Socket) bool {
		return path != "" && end.RemotePath == path && end.LocalPath == "" && !end.Listening
	})
}

// takeSocket gives the connection of the socket with this identity; without one, the one with these ends.
func (f *folder) takeSocket(id uint64, local, remote netip.AddrPort) *conn {
	if c := f.takeEnd(func(end *Socket) bool { return id != 0 && end.ID == id }); c != nil {
		return c
	}
	if !local.IsValid() {
		return nil
	}
	return f.take(local, remote)
}

// takeEnd gives the first connection of which one end is the one that is looked for, and puts that end first.
func (f *folder) takeEnd(is func(*Socket) bool) *conn {
	for _, c := range f.conns {
		switch {
		case c.taken:
			continue
		case is(c.a):
		case c.b != nil && is(c.b):
			c.a, c.b = c.b, c.a
		default:
			continue
		}
		c.taken = true
		return c
	}
	return nil
}

// takeAny gives a connection that nobody has explained: how many there are is known, which one is not. A listener that is
// known to be another test's is left to it. A connection may be: a transport dials in the background, and what one test asked
// for may first show in the next.
//
// A socket that is surely one test's is not given to a goroutine that is surely another's.
//
// What is one's own comes first: a guess must not take what is somebody else's while there is another. Of others' it is one
// that is not the reporting test's, or that is.
func (f *folder) takeAny(b Blame, match func(*conn) bool) *conn {
	var second *conn
	for _, c := range f.conns {
		switch {
		case c.taken || !match(c) || c.a.Listening && differ(c.a.Blame, b):
		case c.a.Blame.Sure && b.Sure && b.Test != c.a.Blame.Test:
		case c.a.Blame.Other == b.Other && c.a.Blame.Test == b.Test:
			c.taken = true
			return c
		case second == nil, second.a.Blame.Other != b.Other && c.a.Blame.Other == b.Other:
			second = c
		}
	}
	if second != nil {
		second.taken = true
		f.out.Guessed = f.out.Guessed || second.a.Blame.Sure && !second.a.Blame.Other && b.Other
	}
	return second
}

// guessed notes that a connection was taken for a goroutine's, of which it is not known that it is. One that is not blocked may
// have closed its own a moment before.
func (f *folder) guessed(g *Goroutine, c *conn) {
	f.out.Guessed = f.out.Guessed || c != nil && !c.a.Blame.Other && !goroutine.Blocked(g.State)
}

// differ says that two resources are known to be of two tests.
func differ(a, b Blame) bool {
	x, _, _ := strings.Cut(a.Test, "/")
	y, _, _ := strings.Cut(b.Test, "/")
	return x != "" && y != "" && x != y && !a.Other && !b.Other
}

func isTCP(c *conn) bool {
	return c.a.Stream && (c.a.Remote.IsValid() || wasReset(c.a)) && !c.a.Listening
}

// wasReset: the peer has reset the connection, and the kernel does not know any more who the peer was.
func wasReset(s *Socket) bool {
	return s.State == "CLOSED" && s.Stream && s.Local.IsValid() && !s.Remote.IsValid()
}

func isStream(c *conn) bool { return c.a.Stream && !c.a.Listening }

func isListener(c *conn) bool { return c.a.Listening }

// holds describes what the connection holds, a line for each end.
func (c *conn) holds() []string {
	if c == nil {
		return nil
	}
	out := []string{"socket " + c.a.String()}
	if why := closeWait(c.a); why != "" {
		out = append(out, why)
	}
	if c.b != nil {
		out = append(out, "the other end of it, in this process ("+stateOf(c.b)+")")
	}
	return out
}

func (c *conn) keys() []report.Key {
	if c == nil {
		return nil
	}
	var out []report.Key
	for _, s := range []*Socket{c.a, c.b} {
		if s == nil {
			continue
		}
		out = append(out, report.Key{List: "socket", ID: s.Key()})
		if s.Lease != 0 {
			out = append(out, report.Key{List: "lease", ID: s.Lease})
		}
	}
	return out
}

func stateOf(s *Socket) string {
	if s.State == "" {
		return "state not known"
	}
	return s.State
}

const (
	closeWaitState = "CLOSE_WAIT"
	dialState      = "SYN_SENT" // a dial that nobody has answered yet
)

func closeWait(s *Socket) string {
	if s.State != closeWaitState {
		return ""
	}
	return "CLOSE_WAIT: the peer has closed and this side has not; the socket stays until this process closes it"
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// remotes lists the peers' addresses, for matchers.
func (c *conn) remotes() []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, s := range []*Socket{c.a, c.b} {
		switch {
		case s == nil:
		case s.Remote.IsValid():
			out = append(out, s.Remote.String())
		case s.RemotePath != "":
			out = append(out, s.RemotePath)
		}
	}
	return out
}

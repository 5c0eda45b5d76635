package leakcheck

import (
	"fmt"
	"slices"
	"strings"
)

// Metric is something that Sample records: one of the constants below, or what SocketsIn and Leases return. It is the text that
// messages call it by.
type Metric string

// What Sample records of the whole process, whoever uses it.
const (
	Goroutines Metric = "goroutines"
	Sockets    Metric = "sockets"               // in any state; not known where the system does not list them
	CloseWait  Metric = "sockets in CLOSE_WAIT" // the peer has closed, and this side has not
	FDs        Metric = "file descriptors"      // open ones, sockets and pipes included; known on Linux
	HeapInUse  Metric = "heap in use"           // bytes, as HeapInuse of runtime.MemStats counts them
)

const (
	metricSocketsIn = "sockets in "
	metricLeases    = "leases"
	metricLeasesOf  = "leases of "
)

// SocketsIn is the number of sockets in a state, by the name that netstat has for it: "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT",
// "SYN_SENT", "FIN_WAIT2", "LISTEN" and so on. UDP sockets are "ESTABLISHED" or "UNCONNECTED"; one whose state the system does
// not tell is "unknown". What has left the process (in TIME_WAIT mostly) is the kernel's, and not counted.
func SocketsIn(state string) Metric {
	state = strings.TrimSpace(state)
	if !strings.EqualFold(state, "unknown") {
		state = strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToUpper(state))
	}
	return Metric(metricSocketsIn + strings.TrimSpace(state))
}

// Leases is the number of connections that a tracked pool has lent out, by the pool's name as reports show it; "" is for all
// pools together. Pools are tracked by packages httpcheck and dbcheck, and http.DefaultTransport by Verify.
func Leases(pool string) Metric {
	if pool == "" {
		return metricLeases
	}
	return Metric(metricLeasesOf + pool)
}

// tcpStates are the states that a socket can be in, as package socket names them on any system.
var tcpStates = []string{
	"ESTABLISHED", "CLOSE_WAIT", "SYN_SENT", "SYN_RECV", "SYN_RCVD", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "LAST_ACK",
	"CLOSING", "CLOSED", "LISTEN", "DELETE_TCB", "UNCONNECTED", "unknown",
}

// check says what is wrong with a metric that a test asked for; "" when nothing is.
func (m Metric) check() string {
	switch {
	case m == Goroutines, m == Sockets, m == FDs, m == HeapInUse, m == metricLeases:
		return ""
	case m.pool() != "":
		return ""
	}
	if state, ok := m.state(); ok {
		if slices.Contains(tcpStates, state) {
			return ""
		}
		return fmt.Sprintf("no socket is ever in state %q; there are %s", state, strings.Join(tcpStates, ", "))
	}
	return fmt.Sprintf("there is no metric %q: use Goroutines, Sockets, SocketsIn(state), CloseWait, Leases(pool), FDs or HeapInUse", string(m))
}

// state gives the state of the sockets that the metric counts.
func (m Metric) state() (string, bool) { return strings.CutPrefix(string(m), metricSocketsIn) }

// pool gives the name of the pool whose leases the metric counts; "" when it counts something else.
func (m Metric) pool() string {
	name, _ := strings.CutPrefix(string(m), metricLeasesOf)
	if name == string(m) {
		return ""
	}
	return name
}

// code is how the metric is written in a test.
func (m Metric) code() string {
	switch m {
	case Goroutines:
		return "Goroutines"
	case Sockets:
		return "Sockets"
	case CloseWait:
		return "CloseWait"
	case FDs:
		return "FDs"
	case HeapInUse:
		return "HeapInUse"
	case metricLeases:
		return `Leases("")`
	}
	if state, ok := m.state(); ok {
		return fmt.Sprintf("SocketsIn(%q)", state)
	}
	return fmt.Sprintf("Leases(%q)", m.pool())
}

// kind is the kind of resource that the metric counts.
func (m Metric) kind() Kind {
	switch m {
	case Goroutines:
		return Goroutine
	case FDs:
		return File
	case HeapInUse:
		return "heap"
	}
	if m == metricLeases || m.pool() != "" {
		return "lease"
	}
	return Socket
}

// count says n of the metric in words: "1 socket in CLOSE_WAIT", "12 MiB of heap in use".
func (m Metric) count(n int) string {
	if m == HeapInUse {
		return m.value(n) + " of heap in use"
	}
	word, rest, ok := strings.Cut(string(m), " ")
	if m == FDs {
		word, rest, ok = "file descriptors", "", false
	}
	if n == 1 {
		word = strings.TrimSuffix(word, "s")
	}
	if ok {
		word += " " + rest
	}
	return fmt.Sprintf("%d %s", n, word)
}

// value writes a number of the metric: bytes with their unit.
func (m Metric) value(n int) string {
	switch {
	case m != HeapInUse:
		return fmt.Sprint(n)
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	f := float64(n) / (1 << 10)
	for f >= 1<<10 && len(units) > 1 {
		f, units = f/(1<<10), units[1:]
	}
	if f < 10 {
		return fmt.Sprintf("%.1f %s", f, units[0])
	}
	return fmt.Sprintf("%.0f %s", f, units[0])
}

// Ceiling is the most that a Series may have of a Metric: see AtMost.
type Ceiling struct {
	metric Metric
	most   int
}

// AtMost lets Sample fail its test as soon as a sample has more than n of the metric: AtMost(CloseWait, 5). n is at least 0;
// of HeapInUse it is bytes. A metric that does not exist, and a state that no socket has, are an error that fails the test.
// Where the system does not tell a metric, a line in the log says that it is not judged.
func AtMost(m Metric, n int) Ceiling { return Ceiling{metric: m, most: n} }

// String is the ceiling as it is written in a test.
func (c Ceiling) String() string { return fmt.Sprintf("AtMost(%s, %d)", c.metric.code(), c.most) }

func (c Ceiling) check() error {
	if c == (Ceiling{}) {
		return fmt.Errorf("leakcheck.Sample: a Ceiling is empty: make it with AtMost, as in AtMost(leakcheck.CloseWait, 5)")
	}
	if wrong := c.metric.check(); wrong != "" {
		return fmt.Errorf("leakcheck.AtMost: %s", wrong)
	}
	if c.most < 0 {
		return fmt.Errorf("leakcheck.%s: the number is negative: give the most that there may be, 0 or more", c)
	}
	return nil
}

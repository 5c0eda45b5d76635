package deadbroker

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The ways in which a broker is gone. Its connections are closed when the test ends, after the check: a broker does not
// end with the test of the service.
var brokers = []struct {
	name  string
	addr  func(t *testing.T) (addr string, peer *mockserver.TCP)
	err   string // what the fixed service says
	leaks string // what the report says first of the buggy one; "" when it does not come back
}{
	{
		"turned off", // nothing listens any more
		func(t *testing.T) (string, *mockserver.TCP) { return mockserver.Refuse(t), nil },
		"refused",
		"1 leak: goroutine deadbroker.(*Service).publish has not ended",
	},
	{
		"behind a firewall", // packets are dropped: the dial hangs
		func(t *testing.T) (string, *mockserver.TCP) { p := mockserver.DropSYN(t); return p.Addr(), p },
		"timeout",
		"",
	},
	{
		"hung", // it takes the connection and says nothing
		func(t *testing.T) (string, *mockserver.TCP) { p := mockserver.BlackHole(t); return p.Addr(), p },
		"timeout",
		"",
	},
	{
		"hanging up",
		func(t *testing.T) (string, *mockserver.TCP) { p := mockserver.HangUp(t); return p.Addr(), p },
		"broker: EOF",
		"2 leaks: tcp4 connection within this process was never closed; and 1 more entry",
	},
	{
		"replaced by a newer one", // it says which version it speaks and hangs up, as AMQP has it
		func(t *testing.T) (string, *mockserver.TCP) {
			p := mockserver.Script(t, mockserver.Expect(protocol), mockserver.Send("AMQP\x03\x01\x00\x00"), mockserver.Close())
			return p.Addr(), p
		},
		"it speaks another version",
		"2 leaks: tcp4 connection within this process was never closed; and 1 more entry",
	},
	{
		"replaced by a web server", // the address belongs to somebody else now
		func(t *testing.T) (string, *mockserver.TCP) {
			p := mockserver.Script(t, mockserver.Expect(protocol), mockserver.Send("HTTP/1.1 400 Bad Request\r\n\r\n"), mockserver.Stall())
			return p.Addr(), p
		},
		"this is no broker",
		"2 leaks: tcp4 connection within this process was never closed; and 1 more entry",
	},
}

// The fixed service fails at each of them, and leaves nothing.
func TestFixedStartFailsFastAndLeavesNothing(t *testing.T) {
	for _, b := range brokers {
		t.Run(b.name, func(t *testing.T) {
			addr, peer := b.addr(t)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec))
				patience := time.Minute // a busy machine needs longer for an answer than an idle one
				if b.leaks == "" {      // there is none
					patience = 200 * time.Millisecond
				}
				s, err := FixedStart(context.Background(), new(net.Dialer).DialContext, addr, patience)
				require.Error(t, err)
				assert.Contains(t, err.Error(), b.err)
				assert.Nil(t, s)
			})
			assert.Empty(t, rec.Output())
			if peer != nil && b.name != "behind a firewall" {
				assert.Equal(t, 1, peer.Dials(), "it does not try again")
			}
		})
	}
}

// The buggy one leaves its goroutine, and its connection too where it got as far as that; or it does not come back.
func TestStartLeaks(t *testing.T) {
	for _, b := range brokers {
		t.Run(b.name, func(t *testing.T) {
			addr, _ := b.addr(t)
			came := make(chan error, 1)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec))
				if b.leaks != "" {
					_, err := Start(new(net.Dialer).DialContext, addr)
					came <- err
					return
				}
				go func() {
					_, err := Start(new(net.Dialer).DialContext, addr)
					came <- err
				}()
			})
			require.Len(t, rec.Errors(), 1)
			report := rec.Errors()[0]
			assert.Contains(t, report, "go s.publish()", "the line that started what is left")
			if b.leaks != "" {
				assert.Error(t, <-came)
				assert.True(t, strings.HasPrefix(report, "leakcheck: "+b.leaks+"\n"), report)
				return
			}
			select {
			case err := <-came:
				t.Errorf("Start came back: %v", err)
			default:
			}
			assert.Contains(t, report, "deadbroker.Start")
			assert.Len(t, regexp.MustCompile(`\bLK\d{3} `).FindAllString(report, -1), 2, report)
		})
	}
}

// What README.md shows is what the tests behind the tag print, each with the verdict that it has to have.
func TestIncident(t *testing.T) {
	printed := record.Incident(t, map[string]string{
		"TestStartUpDialsOnlyWhatIsNamed": "FAIL",
		"TestBrokerIsGone":                "FAIL",
		"TestBrokerHangs":                 "FAIL",
		"TestStartFixed":                  "PASS",
		"TestWithoutBroker":               "PASS",
	})
	assert.GreaterOrEqual(t, record.ReadmeShows(t, printed), 20, "lines of README.md that are compared")
}

// With a broker both work.
func TestStart(t *testing.T) {
	for name, start := range map[string]func(addr string) (*Service, error){
		"buggy": func(addr string) (*Service, error) { return Start(new(net.Dialer).DialContext, addr) },
		"fixed": func(addr string) (*Service, error) {
			return FixedStart(context.Background(), new(net.Dialer).DialContext, addr, time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			broker := mockserver.Script(t,
				mockserver.Expect(protocol),
				mockserver.Send(frame("connection.start")),
				mockserver.Expect(frame("one")),
				mockserver.Expect(frame("two")),
				mockserver.ExpectClose(),
			)
			s, err := start(broker.Addr())
			require.NoError(t, err)
			s.Publish("one")
			s.Publish("two")
			require.NoError(t, s.Close())
			assert.Equal(t, 1, broker.Dials())
		})
	}
}

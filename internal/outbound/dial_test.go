package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOutcome: how a dial ended, in a word or two.
func TestOutcome(t *testing.T) {
	for want, err := range map[string]error{
		"connected":                       nil,
		"refused":                         &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"no such host":                    &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}},
		"timed out":                       fmt.Errorf("start: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}),
		"cancelled":                       context.Canceled,
		"the name could not be looked up": &net.DNSError{Err: "server misbehaving"},
		"unreachable":                     os.NewSyscallError("connect", syscall.ENETUNREACH),
		"no such file":                    os.NewSyscallError("connect", syscall.ENOENT),
		"failed":                          errors.New("of its own"),
	} {
		d := Begin("tcp", "a:1", 7)
		how, _, over := d.Outcome()
		assert.Equal(t, "no answer yet", how)
		assert.False(t, over)
		d.End(nil, err)
		d.End(nil, errors.New("later"))
		how, took, over := d.Outcome()
		assert.Equal(t, want, how)
		assert.True(t, over)
		_, again, _ := d.Outcome()
		assert.Equal(t, took, again)
	}
}

func TestTried(t *testing.T) {
	d := Begin("tcp", "a:1", 7)
	for _, a := range []string{"10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1%eth0]:1", "/a/path", "name:1"} {
		d.Trying(a)
	}
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("[fe80::1]:1")}, d.Tried())
}

package agent

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/deep/mode"
	"github.com/leakgate/leakgate/internal/outbound"
)

// TestAllowedDials: no variable, or an empty one, allows all.
func TestAllowedDials(t *testing.T) {
	t.Setenv(mode.Dials, "")
	assert.Nil(t, allowedDials())
	t.Setenv(mode.Dials, "own listeners\ndb.internal:5432\n")
	assert.Equal(t, []string{"own listeners", "db.internal:5432"}, allowedDials())
}

// TestDialling: a dial is told with how it goes on; a look-up that found something with its addresses, one that did not as what would
// have been dialled.
func TestDialling(t *testing.T) {
	var dials []*outbound.Dial
	var lookups []outbound.Lookup
	defer outbound.Dials.Listen(func(d *outbound.Dial) { dials = append(dials, d) })()
	defer outbound.Lookups.Listen(func(l outbound.Lookup) { lookups = append(lookups, l) })()

	d := dialling("tcp", "db.internal:5432")
	require.Len(t, dials, 1)
	assert.Equal(t, "db.internal:5432", dials[0].Address)
	assert.NotZero(t, dials[0].Goroutine)
	d.Trying("10.0.0.1:5432")
	d.Ended(hook.DialEnd{Err: errors.New("connection refused")})
	how, _, over := dials[0].Outcome()
	assert.Equal(t, "refused", how)
	assert.True(t, over)
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:5432")}, dials[0].Tried())

	lookedUp(hook.Lookup{Host: "db.internal", Addresses: []string{"10.0.0.1", "fe80::1%eth0", "what"}})
	assert.Equal(t, []outbound.Lookup{{Host: "db.internal", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1%eth0")}}}, lookups)
	assert.Len(t, dials, 1)

	failed := hook.DialEnd{Err: errors.New("no"), NoName: true, NoHost: true}
	lookedUp(hook.Lookup{Host: "gone.internal", DialEnd: failed})
	require.Len(t, dials, 2)
	assert.True(t, dials[1].Lookup)
	how, _, _ = dials[1].Outcome()
	assert.Equal(t, "no such host", how)

	own, err := os.Hostname()
	require.NoError(t, err)
	lookedUp(hook.Lookup{Host: own + ".", DialEnd: failed})
	assert.Len(t, dials, 2, "a program that wants to know its own addresses")
}

// TestListening: what the process listens at is known by its address.
func TestListening(t *testing.T) {
	listening("unix", "/nowhere/dial_test.sock")
	assert.True(t, outbound.Own.Has(outbound.TargetOf("unix", "/nowhere/dial_test.sock")))
	assert.False(t, outbound.Own.Has(outbound.TargetOf("unix", "/nowhere/other.sock")))
}

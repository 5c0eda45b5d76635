package label

import (
	"context"
	"net/netip"
	"runtime/pprof"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOwner: the mark reaches grandchildren, is hidden by other labels, and goes with restore.
func TestOwner(t *testing.T) {
	if !Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
	assert.Zero(t, Owner())
	id := NewID()
	restore := Mark(id, "TestOwner/sub name")
	assert.Equal(t, "TestOwner/sub name", NameOf(id))

	grandchild := make(chan ID)
	go func() { go func() { grandchild <- Owner() }() }()
	assert.Equal(t, id, <-grandchild)

	pprof.Do(context.Background(), pprof.Labels("other", "x"), func(context.Context) { assert.Zero(t, Owner()) })

	inner := NewID()
	back := Mark(inner, "inner")
	assert.Equal(t, inner, Owner())
	back()
	restore()
	assert.Zero(t, Owner())
}

// TestForgets: what is remembered of ended watches is bounded.
func TestForgets(t *testing.T) {
	first := NewID()
	Mark(first, "first")()
	for range Keep {
		Mark(NewID(), "another")()
	}
	assert.Empty(t, NameOf(first))
	n := 0
	owners.Range(func(any, any) bool { n++; return true })
	assert.LessOrEqual(t, n, Keep)
}

func TestParse(t *testing.T) {
	id, name, ok := Parse(Value(7, "TestA/b c"))
	assert.True(t, ok)
	assert.Equal(t, ID(7), id)
	assert.Equal(t, "TestA/b c", name)
	for _, bad := range []string{"", "7", "x TestA", "-1 TestA"} {
		_, _, ok := Parse(bad)
		assert.False(t, ok, bad)
	}
}

func BenchmarkOwner(b *testing.B) {
	defer Mark(NewID(), "benchmark")()
	for b.Loop() {
		Owner()
	}
}

// TestClaim: the last claim counts, and the oldest are forgotten.
func TestClaim(t *testing.T) {
	addr := func(port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port))
	}
	assert.Equal(t, ID(0), ClaimedBy(addr(1)))
	Claim(addr(1), 7)
	Claim(addr(1), 8)
	assert.Equal(t, ID(8), ClaimedBy(addr(1)))
	listed := make(chan ID, 1)
	Open(func() netip.AddrPort {
		go func() {
			done := Listing()
			defer done()
			listed <- ClaimedBy(addr(2))
		}()
		return addr(2)
	}, 9)
	assert.Equal(t, ID(9), <-listed, "a listing sees what was opened before it as claimed")
	for i := range Keep {
		Claim(addr(10+i), 1)
	}
	assert.Equal(t, ID(0), ClaimedBy(addr(1)))

	Claim(addr(1), 9)
	Unclaim(addr(1))
	assert.Equal(t, ID(0), ClaimedBy(addr(1)))

	ClaimConn("0xc000", 3)
	ClaimConn("0xc000", 4)
	assert.Equal(t, ID(4), ConnClaimedBy("0xc000"))
	for i := range Keep {
		ClaimConn(strconv.Itoa(i), 1)
	}
	assert.Equal(t, ID(0), ConnClaimedBy("0xc000"))
}

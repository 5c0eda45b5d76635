package agent

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/bridge"
	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/lease"
)

// slot is the connection of a tracked sql.DB.
type slot struct {
	id uint64
	db uintptr
}

func (s *slot) LeakgateLeased(id uint64, db uintptr) { s.id, s.db = id, db }

// TestOffer: what the agent tracks is told with all that a report needs, and who tracks the same thing learns its ID.
func TestOffer(t *testing.T) {
	assert.Len(t, offer(), len(bridge.Far{}.Offer()))
	at, before := unsafe.Pointer(&db), lease.Live.LastID()
	dbOpened(at)
	defer dbClosed(at)
	c := &slot{}
	u := leased(at, c)
	defer u.Released()
	assert.Equal(t, slot{u.(*use).ID(), uintptr(at)}, *c)
	var id atomic.Uint64
	r := responded(hook.Response{Status: 403, Local: "127.0.0.1:1", Remote: "[::1]:2", Slot: &id})
	defer r.Released()
	assert.Equal(t, r.(*response).ID(), id.Load())
	responded(hook.Response{Slot: "what another one put there"}).Released()

	told := make(map[uint64]string)
	leasesAfter(before, func(id, _ uint64, pool string, addr uintptr, pcs []uintptr, now func() uint32, info func() []byte) {
		told[id] = pool
		require.NotEmpty(t, pcs)
		assert.Equal(t, uint32(lease.Held), now())
		var got lease.Info
		require.NoError(t, json.Unmarshal(info(), &got))
		l := lease.Live.Get(id)
		want := l.Info()
		got.Note, want.Note = "", "" // it has the time that it is held for
		assert.Equal(t, want, got)
		assert.Equal(t, pool == "sql-conn", addr == uintptr(at))
	})
	assert.Equal(t, map[uint64]string{c.id: "sql-conn", id.Load(): "http-conn"}, told)

	n := 0
	openPools(func(_ uint64, addr uintptr, pcs []uintptr) {
		n++
		assert.Equal(t, uintptr(at), addr)
		assert.NotEmpty(t, pcs)
	})
	assert.Equal(t, 1, n)
}

package hook

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestCountingAllocations: while allocations are counted, releases are told and acquisitions are not, also when one count is
// inside another.
func TestCountingAllocations(t *testing.T) {
	before := agent.Load()
	defer agent.Store(before)
	CountingAllocations()() // nobody listens: nothing happens
	agent.Store(nil)
	CountingAllocations()()
	assert.False(t, Watched())

	var told []string
	tell := func(what string) { told = append(told, what) }
	a := &Agent{}
	a.Once = func(uintptr) func() { tell("once"); return nil }
	a.Opened = func(unsafe.Pointer, uintptr, string) { tell("opened") }
	a.Named = func(unsafe.Pointer, string) { tell("named") }
	a.Closing = func(unsafe.Pointer) { tell("closing") }
	a.Started = func(int, unsafe.Pointer) { tell("started") }
	a.Responded = func(Response) Lease { tell("responded"); return nil }
	a.Leased = func(unsafe.Pointer, any) Lease { tell("leased"); return nil }
	a.DBOpened = func(unsafe.Pointer) { tell("db opened") }
	a.Prepared = func(Statement) Lease { tell("prepared"); return nil }
	a.DBClosed = func(unsafe.Pointer) { tell("db closed") }
	all := func() []string {
		told = nil
		Once(0)
		Opened(nil, 0, "")
		Named(nil, "")
		Closing(nil)
		Started(0, nil)
		assert.Nil(t, Responded(Response{}))
		assert.Nil(t, Leased(nil, nil))
		DBOpened(nil)
		assert.Nil(t, Prepared(Statement{}))
		DBClosed(nil)
		return told
	}
	every := []string{"once", "opened", "named", "closing", "started", "responded", "leased", "db opened", "prepared", "db closed"}
	releases := []string{"closing", "db closed"}
	Install(a)
	assert.Equal(t, every, all())
	end := CountingAllocations()
	assert.Equal(t, releases, all())
	inner := CountingAllocations()
	assert.Equal(t, releases, all())
	inner()
	assert.Equal(t, releases, all())
	assert.Zero(t, testing.AllocsPerRun(10, func() { Opened(nil, 0, ""); Closing(nil); told = told[:0] }))
	end()
	assert.Equal(t, every, all())
	assert.Same(t, a, agent.Load())

	// Two counts may overlap in any way.
	first, second := CountingAllocations(), CountingAllocations()
	first()
	assert.Equal(t, releases, all())
	second()
	assert.Equal(t, every, all())
}

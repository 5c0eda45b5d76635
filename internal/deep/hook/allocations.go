package hook

import (
	"sync/atomic"
	"unsafe"
)

// counting is how many calls of testing.AllocsPerRun are under way, and who is told of everything when there is none.
var (
	counting atomic.Int32
	loud     atomic.Pointer[Agent]
)

// CountingAllocations tells that testing.AllocsPerRun runs until end is called. What is acquired meanwhile is not told, so that the
// agent allocates nothing; what is released is.
func CountingAllocations() (end func()) {
	if counting.Add(1) == 1 {
		if a := agent.Load(); a != nil {
			loud.Store(a)
			agent.Store(a.releases())
		}
	}
	return func() {
		if counting.Add(-1) == 0 {
			agent.Store(loud.Load())
		}
	}
}

// releases is an agent that is told of releases alone.
func (a *Agent) releases() *Agent {
	quiet := *a
	quiet.Once = none.Once
	quiet.Opened, quiet.Named = none.Opened, none.Named
	quiet.Started = none.Started
	quiet.Responded = none.Responded
	quiet.Leased, quiet.DBOpened, quiet.Prepared = none.Leased, none.DBOpened, none.Prepared
	return &quiet
}

// none is told of nothing.
var none = Agent{
	Onces:       Onces{Once: func(uintptr) func() { return nil }},
	Descriptors: Descriptors{Opened: func(unsafe.Pointer, uintptr, string) {}, Named: func(unsafe.Pointer, string) {}},
	Processes:   Processes{Started: func(int, unsafe.Pointer) {}},
	HTTP:        HTTP{Responded: func(Response) Lease { return nil }},
	SQL: SQL{
		Leased: func(unsafe.Pointer, any) Lease { return nil }, DBOpened: func(unsafe.Pointer) {}, Prepared: func(Statement) Lease { return nil },
	},
}

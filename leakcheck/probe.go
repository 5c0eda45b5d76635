package leakcheck

// Probe lists the resources of one kind. It is how a pool of your own (redis, amqp, workers) takes part:
//
//	type probe struct{ pool *workers.Pool }
//
//	func (probe) Kind() leakcheck.Kind { return "worker" }
//	func (p probe) Held(ids []uint64) ([]uint64, error) {
//		for _, w := range p.pool.Busy() {
//			ids = append(ids, w.ID)
//		}
//		return ids, nil
//	}
//	func (p probe) Describe(id uint64) (leakcheck.Leak, bool) {
//		return leakcheck.Leak{Summary: fmt.Sprintf("worker %d was not returned", id)}, true
//	}
//
// and then leakcheck.Verify(t, leakcheck.With(probe{pool})).
//
// Methods may be called from several goroutines at once. A probe that panics or returns an error fails the test with a
// message that names it; the other probes are not affected.
type Probe interface {
	// Kind is the kind of resource that the probe lists. It must not change.
	Kind() Kind

	// Held appends the IDs of all resources that are held now, in any order, and returns the longer slice. It is called
	// before and after each test and must be cheap. An ID stands for one resource as long as it is held and must not be
	// used again for another one.
	Held(ids []uint64) ([]uint64, error)

	// Describe says what the resource is. It is called only for what is new. It returns false when the resource is not
	// held any more. Kind, Test and Count may be left empty.
	Describe(id uint64) (Leak, bool)
}

// Metered is a Probe that also counts use, so that limits can be judged (see Limit).
type Metered interface {
	Probe
	// Meter begins to count. The function it returns gives what was used since, one entry for each pool, and may be
	// called more than once.
	Meter(test TestID) func() []Usage
}

// TestID names one watch of one test for the life of the process, so that a Metered probe can count for it alone.
type TestID uint64

// Usage is what a test used of one pool.
type Usage struct {
	Kind        Kind   // kind of connection: HTTPConn, SQLConn
	Pool        string // what a reader calls the pool
	Size        int    // most connections that the pool keeps or lends; 0 when there is no limit or it is not known
	Requests    int    // requests or leases asked for
	Leased      int    // leases out now
	PeakLeased  int    // most leases out at one moment
	Dialed      int    // connections opened
	Reused      int    // requests that found an open connection
	ClosedEarly int    // bodies closed before they were read to the end
	EarlySites  []Leak // where bodies that were closed early had come from, at most 16
}

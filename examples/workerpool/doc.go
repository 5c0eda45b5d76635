// Package workerpool makes a pool of one's own known to leakcheck: a test that borrows a worker and does not return it
// fails, with the line that borrowed it.
//
// All it takes is a probe of three methods (probe.go): the kind, the IDs of what is held now, and a description of one.
//
//	t.Cleanup(leakcheck.Verify(t, leakcheck.With(workerpool.Probe(pool))))
//
// What makes a good probe: an ID stands for one lease and is never used again, by this pool or another one of its kind, so
// that a worker which was returned and borrowed again is a new one; idle workers are not listed; listing is cheap, since it
// is done before and after each test; and the caller is kept when the worker is borrowed, because nobody can find it out
// later.
package workerpool

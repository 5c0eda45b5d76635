// Package goleak moves tests from go.uber.org/goleak to leakcheck. The options of goleak go on working:
//
//	before    defer goleak.VerifyNone(t, opts...)
//	after     t.Cleanup(leakcheck.Verify(t, leakcheck.Goleak(opts...)))
//
//	before    func TestMain(m *testing.M) { goleak.VerifyTestMain(m, opts...) }
//	after     func TestMain(m *testing.M) { leakcheck.VerifyTestMain(m, leakcheck.Goleak(opts...)) }
//
// What changes:
//
//   - Idle connections of http clients are no leak, so that IgnoreTopFunction("internal/poll.runtime_pollWait") and
//     IgnoreTopFunction("net/http.(*persistConn).writeLoop") can go. Until they do, they hide less than before: an
//     unclosed body is still found, because it is not a goroutine.
//   - The check runs in a cleanup, after those that were registered later, and not in a defer before them.
//   - It works in parallel tests, where VerifyNone blames whoever ends first.
//   - goleak.Cleanup and goleak.RunOnFailure, which steer goleak's own TestMain, are an error.
//
// When all of it is moved, say the rest in leakcheck's own words: Ignore takes a reason, and an Ignore that matches nothing
// any more is reported.
package goleak

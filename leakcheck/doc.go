// Package leakcheck fails a test that did not give back what it took: leased HTTP connections, goroutines, sockets, child
// processes, and whatever a probe of your own lists. It names the line that took it.
//
//	func TestClient(t *testing.T) {
//		t.Cleanup(leakcheck.Verify(t)) // the first line, so that it looks last
//		...
//	}
//
//	func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }
//
// Each works without the other. Verify fails the test that leaks; Main looks once more when all tests have ended, and names
// the test of what it finds where that is known, also for tests that do not call Verify.
//
// # What a report looks like
//
//	--- FAIL: TestClient (0.10s)
//	    client_test.go:14: leakcheck: 1 leak: response body of GET /session (403, awselb/2.0) was never closed
//
//	          LK001 http-response
//	            taken at    client.go:41  session.(*Client).IsActive
//	                            resp, err := c.http.Get(c.base + "/session")
//	            via         client_test.go:17  session.TestClient
//	            state       0 of 118 bytes read
//	            also holds  socket tcp4 127.0.0.1:34096->127.0.0.1:42411 CLOSE_WAIT (fd 11)
//	                        CLOSE_WAIT: the peer has closed and this side has not; the socket stays until this process closes it
//	                        2 goroutines of net/http (readLoop, which waits for the body's end, and writeLoop)
//	            fix         defer resp.Body.Close()
//	            see         https://github.com/leakgate/leakgate/blob/main/docs/codes.md#lk001
//
//	          still so after 101ms (6 looks)
//
// One leak is one entry, at its root cause as far as that can be told; what it holds besides itself is listed there. Equal
// leaks are one entry with a count. A function is printed without the path of its package's folder. The text is for people and may change; the codes (LK001), Leak and its Fingerprint are for programs.
//
// # What counts
//
// What is held when the test has ended and was not held when Verify was called. In detail:
//
//   - A response body that was not closed, when its connection is still out, or was until the request's context ended (with
//     t.Context(), that is the end of the test). http.DefaultTransport (plain http) is tracked without any setup, so that the
//     line is known. For other transports the leak is found by what net/http's goroutines
//     wait for, and the line is known when the transport is tracked: see package httpcheck.
//   - A goroutine that was started and has not ended. The line is that of its go statement.
//   - A socket or listener of this process that is open. On Linux, macOS and the BSDs, and on Windows for TCP and UDP.
//   - A child process that was started and not waited for. On Linux.
//   - More than 2 idle connections to one address that the test opened: a transport made for each call, and dropped. A tracked
//     transport may keep what it likes; one that is not tracked should be (httpcheck.Instrument), or be told to
//     CloseIdleConnections, when it keeps more on purpose. It shows only when the server outlives the test's check: a server that
//     the test closes takes the connections with it.
//
// What does not count:
//
//   - Idle connections that a transport or a server keeps for the next request. They are told from leased ones by what their
//     goroutines do, and not by a list of names to ignore. Sockets without a goroutine, while a sql.DB is open, may be its
//     idle connections: they are logged. A driver's own goroutine for each connection is reported: open the pool, and ping it,
//     before Verify, or set it aside with Ignore. With a pool that is tracked (package dbcheck) none of this is needed: what
//     belongs to it is known.
//   - The goroutines of the testing package, of -cpuprofile, -trace, fuzzing and signal.Notify.
//   - A body that was read to EOF and not closed: net/http has its connection back. It is logged, because the next caller may
//     stop reading earlier. httpcheck.Verify fails a test for it.
//   - Memory (Sample records the heap), files (they are listed nowhere but in /proc), timers without a goroutine, and statements of a sql.DB
//     that is not tracked.
//
// # Whose it is
//
// Verify puts a pprof label on the test's goroutine. Every goroutine that it starts inherits it, and so do theirs, so that
// leaks are told apart also under t.Parallel: by the label, or by the goroutine that runs the test. What has neither (a
// callback of time.AfterFunc, code under pprof.Do, a socket) belongs to the test when nothing else ran meanwhile. Beside a
// parallel test something may have: then it is reported as not attributed, with the tests that could have been it, by the
// last of them to end, which fails for it, or by Main. Use Main in suites of parallel tests. The connection of a
// response that is not tracked has the label of the test that dialled it, which is not taken for the one that leaked it.
//
// The label replaces labels that the goroutine had; they are put back at the end. On Go 1.25 a dump does not show labels,
// and where goroutines of several tests have equal stacks, their number is exact and which is whose is not.
//
// # How long it waits
//
// The first look is at once, and a test that holds nothing new is done. Otherwise the check looks again, for up to a second
// (see Wait), until nothing is left. It gives up early when what is left is blocked and has not changed for 100 ms. A
// goroutine that a timer ends later than that is reported: give Wait, which then waits for it. The check is over in time for
// t.Deadline, and in a testing/synctest bubble it does not sleep.
//
// A socket that nobody refers to is closed by the garbage collector sooner or later. Whether it is reported does not depend on
// when, as long as it was open when the test ended: while the check waits, and nothing else runs, automatic collections are
// off. At the end it asks for one, and says of what went away that nothing referred to it.
//
// # Reports and the baseline
//
// With LEAKGATE_REPORT=dir in the environment each test binary writes a fragment into that folder: the tests that ran, every
// leak, what was ignored and why, what each test used of each pool, and what the process held over time (package fragment).
// A relative folder is meant from the module's root. Each record is written when it is known, so that a test that panics, or
// a process that is killed, loses nothing but the last second of samples. "leakgate report dir" makes one verdict of all
// fragments. Listed are the tests that call Verify, and with Main every test, benchmark, fuzz target and example; a benchmark
// once for each time that its function is called, an example when the run has passed. A run for a report is never taken from
// go test's cache, as long as the module and the folder are on one volume. The workers of -fuzz write nothing.
//
// A file leakgate.baseline beside go.mod names leaks that were there before. Verify and Main log those and do not fail for
// them; one more than the entry's count, in one run of the top-level test with its subtests, and all of them fail. A file that cannot be read fails
// every Verify, and Main. LEAKGATE_BASELINE=off judges without it, and LEAKGATE_BASELINE=path with another one. Take,
// Snapshot.Leaks and Check know nothing of it: they say what is held. The command "leakgate baseline" writes the file.
//
// Where t has them, t.Attr says leakgate.leaks (a number), leakgate.known and leakgate.fingerprint of a test that leaked,
// which go test -json and JUnit files show; and with go test -artifacts the leaks are in leaks.json of t.ArtifactDir, which
// is a fragment.
//
// # Growth
//
// Repeat runs a scenario once to warm up and then n times, and fails the test for what grows with every run (LK601). One run
// may leave something: a cache, a pool that fills, a worker that is started once. What each run leaves more of has no end.
//
//	leakcheck.Repeat(t, 10, func() {
//		require.NoError(t, sync.Run(t.Context(), "7"))
//	})
//
// After each run what is new is counted by kind and call site, with the options of Verify; idle connections of HTTP clients
// and sockets of database pools count as well, since a new transport in each call is a leak although each connection is
// idle. The entry is at the line that Verify names, with the counts after each run, and in how many runs the pool or the
// process has no more. 3 runs find what each of three leaves; 10 tell that from a cache that fills for five and find a leak
// in every second or third; one in ten takes 30. What fn gives to t.Cleanup ends with the test, and so grows with
// every run: end it by defer.
//
// # Under load
//
// Concurrently lets many clients call a function at once and says what that did to each tracked pool: how many connections
// were out at once, who waited and for how long, how long each was held, and by Little's law how many the load needs. A pool that
// had all of its connections out while somebody waited for one fails the test (LK603), also when it recovered; the entry
// says who held what at that moment, by line.
//
//	load := leakcheck.Concurrently(t, 100, func(ctx context.Context) error {
//		return checkout.Pay(ctx, newOrder())
//	}, leakcheck.For(2*time.Second), leakcheck.MayBeFull(0.25))
//	require.NoError(t, load.Err())
//	t.Log(load)
//
// All clients begin at once. Where there are more of them than connections, that moment alone may exhaust the pool of code that is
// well: MayBeFull(0.25) lets a pool be exhausted for a quarter of the load's time.
//
// # While it runs
//
// Sample records what the process holds over time: goroutines, sockets by state, leases of tracked pools, file descriptors
// (on Linux) and the heap in use. With a ceiling, as in Sample(t, 10*time.Millisecond, AtMost(CloseWait, 5)), the test
// fails as soon as a sample is above it (LK602), and says what is held at that moment and which line took it. It counts
// all of the process, so beside parallel tests what they hold too, and what comes and goes between two samples is not seen:
// HighWater counts every lease.
//
// WarnHeld(2*time.Second) logs a lease that is held for longer while it is still held (LK604): the line that took it, the
// pool, what it is doing; and "was returned after 4.2s" when it is given back. It fails no test. Without -v the lines are on
// standard error too, because a test that hangs until -timeout never shows its own log. Given to Main it holds for all tests.
//
// # Where it may connect to
//
// AllowRemotes fails a test that connects, or tries to connect, to an address that it does not name (LK605): a service that
// is gone and is still dialled at start-up, a metrics endpoint of production. It sees requests of tracked transports, dials
// made with DialContext or a function that WrapDial gave (failed ones too), and sockets. A dial and its socket are one
// entry. A socket has no line, because the kernel does not say who opened it.
//
// FailFast runs a start-up against a dependency that is dead (mockserver.Refuse, DropSYN, BlackHole): it has to return an
// error in time (LK606, LK607), and leave nothing behind. Where it hangs is in the report.
//
// # A running service
//
// Handler answers at an admin path with what the process holds: leases by pool and line with their ages, goroutines by
// stack, sockets by state and peer. It is for loopback clients unless AnyClient is given, shows no secrets, and does
// nothing between requests. Publish gives the counts to package expvar. What is tracked is what httpcheck.Instrument,
// httpcheck.Wrap, dbcheck.Open and dbcheck.Wrap were given, and http.DefaultTransport. Remote lets a test judge a
// service by its Handler: what the service leased while the test ran and still holds fails the test with the service's
// lines. What other users of the service do meanwhile counts too.
//
// # Limits
//
//   - A test that failed by itself, or panicked, is not failed again; one log line says what it still held.
//
//   - A goroutine's entry can be attached to a socket only by number where several are open: the stack does not tell which.
//
//   - What a test opened before it called Verify was there before. Make Verify the first line.
//
//   - A leak in code that runs for as long as the process, started by the first test that uses it, is reported on that
//     test. Start it in TestMain, or set it aside with Ignore and a reason.
//
//   - A fragment cannot know what fails a test after its last cleanup (the race detector does), nor which of two reasons came
//     second: a test that leaked and then failed by itself in another cleanup is listed as leaked.
//
// # Without a test
//
// Take and Snapshot.Leaks compare two moments anywhere, and Check looks at all there is. They blame nobody.
package leakcheck

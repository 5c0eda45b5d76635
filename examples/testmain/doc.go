// Package testmain checks a whole package for leaks, with one line and no change to any test:
//
//	func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }
//
// Main looks when all tests have run, and names the test that leaked where it can. Work that is still to be done after
// the tests goes between the two:
//
//	code := leakcheck.Main(m)
//	cleanUp()
//	os.Exit(code)
//
// Use it to begin with; then add t.Cleanup(leakcheck.Verify(t)) to the tests that matter, so that the test that leaks is
// the one that fails. The two work together: what a test has reported is not reported again.
package testmain

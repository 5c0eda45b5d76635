package leakcheck

// TB is the part of a test that leakcheck needs. *testing.T, *testing.B, *testing.F, GinkgoT() and quicktest's *qt.C
// have it. Where t also has Deadline and Cleanup, those are used.
type TB interface {
	Helper()
	Name() string
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
}

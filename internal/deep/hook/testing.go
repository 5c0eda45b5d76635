package hook

// Tests is told of tests.
type Tests struct {
	// Test is told of each test and subtest, a *testing.T, and of each fuzz target, a *testing.F, before its function runs.
	Test func(t any)
	// Benchmark is told of each benchmark, by its name and the *testing.B that runs it, before its first run; what it gives, if
	// anything, is called after the last.
	Benchmark func(parent any, name string) (end func())
	// Example gives the function that is run in place of an example's own.
	Example func(name string, f func()) func()
	// Main runs the tests of a *testing.M with run, and gives the exit code.
	Main func(m any, run func() int) int
	// Offer is what a second copy of leakcheck in the binary is given, see package bridge.
	Offer map[string]any
}

// Test tells of a test that begins.
func Test(t any) {
	TestsBegin()
	if a := agent.Load(); a != nil {
		a.Test(t)
	}
}

// Main runs the tests.
func Main(m any, run func() int) int {
	if a := agent.Load(); a != nil {
		return a.Main(m, run)
	}
	return run()
}

// Offer is what the agent offers; nil when there is none.
func Offer() map[string]any {
	if a := agent.Load(); a != nil {
		return a.Offer
	}
	return nil
}

// Benchmark tells of a benchmark that begins.
func Benchmark(parent any, name string) (end func()) {
	TestsBegin()
	if a := agent.Load(); a != nil {
		return a.Benchmark(parent, name)
	}
	return nil
}

// Example tells of an example that begins.
func Example(name string, f func()) func() {
	TestsBegin()
	if a := agent.Load(); a != nil {
		return a.Example(name, f)
	}
	return f
}

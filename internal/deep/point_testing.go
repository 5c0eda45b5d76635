package deep

// testPoints are where tests begin and end.
var testPoints = []point{
	{
		pkg: "testing/internal/testdeps", name: "TestDeps", imports: []string{agentImport},
		sees: "anything",
	},
	{
		pkg: "testing", name: "tRunner", types: "(*T, func(t *T))",
		enter: "leakgatehook.Test(@p0@)",
		sees:  "what a single test leaks",
	},
	{
		pkg: "testing", name: "(*M).Run", types: "() int",
		wrap: "leakgateCode := leakgatehook.Main(@recv@, @orig@)\n" +
			"\t@recv@.exitCode = leakgateCode\n" +
			"\treturn leakgateCode",
		tail: agentOfM,
		sees: "what is left when all tests have run",
	},
	{
		pkg: "testing", name: "fRunner", types: "(*F, func(*F))",
		enter: "leakgatehook.Test(@p0@)",
		sees:  "what a single fuzz target leaks",
	},
	{
		// It stays where it is on the stack: B.Run asks who has called it.
		pkg: "testing", name: "(*B).Run", types: "(string, func(b *B)) bool",
		enter: "if leakgateEnd := leakgatehook.Benchmark(@recv@, @p0@); leakgateEnd != nil { defer leakgateEnd() }",
		sees:  "what a single benchmark leaks",
	},
	{
		pkg: "testing", name: "runExample", types: "(InternalExample) bool",
		enter: "@p0@.F = leakgatehook.Example(@p0@.Name, @p0@.F)",
		sees:  "what a single example leaks",
	},
}

// agentOfM is how the leakcheck that the code under test requires finds the agent. Nobody embeds an M, and leakcheck can name it.
const agentOfM = `
// LeakgateAgent is what the agent of leakgate test offers to package leakcheck.
func (m *M) LeakgateAgent() map[string]any { return leakgatehook.Offer() }
`

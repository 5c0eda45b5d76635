package deep

// allocationPoints are where tests count allocations: those of the agent are not to be among them.
var allocationPoints = []point{
	{
		pkg: "testing", name: "AllocsPerRun", types: "(int, func()) float64",
		enter: "defer leakgatehook.CountingAllocations()()",
		sees:  "that allocations are counted (which have those of deep mode among them then)",
	},
}

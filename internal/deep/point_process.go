package deep

// processPoints are where child processes are started.
var processPoints = []point{
	{
		pkg: "os", name: "StartProcess", types: "(string, []string, *ProcAttr) (*Process, error)",
		wrap: "leakgateProcess, leakgateErr := @orig@(@p0@, @p1@, @p2@)\n" +
			"\tif leakgateErr == nil {\n" +
			"\t\tleakgatehook.Started(leakgateProcess.Pid, leakgateunsafe.Pointer(leakgateProcess))\n" +
			"\t}\n" +
			"\treturn leakgateProcess, leakgateErr",
		imports: []string{"unsafe"},
		sees:    "who started a child process",
	},
}

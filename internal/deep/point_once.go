package deep

import "fmt"

// oncePoints are where something is made once for the life of a process.
var oncePoints = []point{
	{
		pkg: "sync", name: "(*Once).doSlow", types: "(func())",
		enter:   "if leakgateEnd := leakgatehook.Once(uintptr(leakgateunsafe.Pointer(@recv@))); leakgateEnd != nil { defer leakgateEnd() }",
		imports: []string{"unsafe"},
		sees:    "that something is process-wide",
	},
	onceMade("OnceFunc", "(func()) func()", "func() { %s; leakgateF() }"),
	onceMade("OnceValue", "(func() T) func() T", "func() T { %s; return leakgateF() }"),
	onceMade("OnceValues", "(func() (T1, T2)) func() (T1, T2)", "func() (T1, T2) { %s; return leakgateF() }"),
}

// onceMade is a point of sync.OnceFunc and those like it. The Once that they make is on the heap, also where the function that they give
// is kept in a package-level variable; whether it was made before the tests began is known when it is made, and noted by a function
// around the one that is to run once.
func onceMade(name, types, around string) point {
	const marked = "if leakgateEnd := leakgatehook.OnceOfProcess(); leakgateEnd != nil { defer leakgateEnd() }"
	return point{
		pkg: "sync", name: name, types: types,
		enter: "if leakgatehook.BeforeTests() { leakgateF := @p0@; @p0@ = " + fmt.Sprintf(around, marked) + " }",
		sees:  "that what sync." + name + " acquires is process-wide",
	}
}

// poolPoints tell the agent of the list of all pools, which leads to pools that are parts of something else, and is no variable
// of the program; and where pools keep what was put back: that is kept for its memory, whatever it still refers to.
var poolPoints = []point{
	{
		pkg: "sync", name: "(*Pool).pinSlow", types: "() (*poolLocal, int)",
		tail: "\nfunc init() {\n" +
			"\tleakgatehook.Own(uintptr(unsafe.Pointer(&allPools)), unsafe.Sizeof(allPools))\n" +
			"\tleakgatehook.Own(uintptr(unsafe.Pointer(&oldPools)), unsafe.Sizeof(oldPools))\n" +
			"\tleakgatehook.Pools(func() (kept []unsafe.Pointer) {\n" +
			"\t\tallPoolsMu.Lock()\n" +
			"\t\tdefer allPoolsMu.Unlock()\n" +
			"\t\tfor _, list := range [][]*Pool{allPools, oldPools} {\n" +
			"\t\t\tfor _, p := range list {\n" +
			"\t\t\t\tkept = append(kept, p.local, p.victim)\n" +
			"\t\t\t}\n" +
			"\t\t}\n" +
			"\t\treturn kept\n" +
			"\t})\n" +
			"}\n",
		sees: "that a package-level variable holds something",
	},
}

package deep

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
)

// The walk through what package-level variables reach is a file more for package runtime, because nothing else can stop the world and
// knows which words are pointers.
//
//go:embed inruntime/walk.go
var walkFile string

const (
	walkTag  = "leakgate_runtime" // build tag of the walk, and of what calls it
	walkName = "runtime/leakgate_walk.go"
	walkSees = "what package-level variables hold will be told as the leak of the first test that used it"
)

// walkNeeds is what the walk is written for, by the file of package runtime that it is in, with one space for any number of
// spaces. A Go version where one of these is another gets no walk.
var walkNeeds = map[string][]string{
	"mbitmap.go": {
		"func (span *mspan) typePointersOf(addr, size uintptr) typePointers {",
		"func (tp typePointers) next(limit uintptr) (typePointers, uintptr) {",
		"func (s *mspan) objIndex(p uintptr) uintptr {",
	},
	"mheap.go": {
		"func spanOf(p uintptr) *mspan {", "func (s *mspan) base() uintptr {", "func (sc spanClass) noscan() bool {",
		"\n state mSpanStateBox ", "\n limit uintptr ", "\n elemsize uintptr ", "\n spanclass spanClass ", "\n mSpanInUse ",
	},
	"proc.go": {
		"func stopTheWorldGC(reason stwReason) worldStop {", "func startTheWorldGC(w worldStop) {", "func forEachGRace(fn func(gp *g)) {",
		"func readgstatus(gp *g) uint32 {", "\n stwWriteHeapDump ", "\n allgs []*g\n", "\n m0 m\n", "\n g0 g\n",
	},
	"runtime2.go": {
		"\n waiting *sudog ", "\n waitlink *sudog ", "\n goid uint64\n", "\n trackingSeq uint8 ", "\n alllink *m ", "\n sched schedt\n", "\n allp []*p\n",
		"\n allm *m\n", "\n _Gwaiting ",
	},
	"sema.go":      {"\nvar semtable semTable\n"},
	"chan.go":      {"\n timer *timer "},
	"stack.go":     {"type bitvector struct {\n n int32 ", "func (bv *bitvector) ptrbit(i uintptr) uint8 {"},
	"stkframe.go":  {"func (frame *stkframe) getStackMap(debug bool) (locals, args bitvector, objs []stackObjectRecord) {", "\n varp uintptr ", "\n argp uintptr "},
	"symtab.go":    {"func activeModules() []*moduledata {", "\n data, edata uintptr\n bss, ebss uintptr\n", "\n gcdatamask, gcbssmask bitvector\n"},
	"traceback.go": {"func (u *unwinder) init(gp *g, flags unwindFlags) {", "func (u *unwinder) valid() bool {", "func (u *unwinder) next() {", "\n unwindSilentErrors\n"},
}

// walkFits says whether the walk is written for this Go version; else why not.
func (g Goroot) walkFits() (why string) {
	for file, texts := range walkNeeds {
		src, err := g.read(filepath.Join(g.Dir, "src", "runtime", file))
		if err != nil {
			if os.IsNotExist(err) {
				return "runtime/" + file + " is not there"
			}
			return "runtime/" + file + " cannot be read"
		}
		have := singleSpaced(string(src))
		for _, text := range texts {
			if !strings.Contains(have, text) {
				return "runtime/" + file + " is without " + strings.TrimSpace(text)
			}
		}
	}
	return ""
}

// singleSpaced makes one space of each run of spaces and tabs.
func singleSpaced(src string) string {
	var b strings.Builder
	b.Grow(len(src))
	space := false
	for i := 0; i < len(src); i++ {
		if c := src[i]; c == ' ' || c == '\t' {
			space = true
			continue
		} else if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteByte(src[i])
	}
	return b.String()
}

// walkSource is the file as package runtime gets it.
func walkSource() []byte {
	return []byte(strings.Replace(walkFile, "//go:build "+walkTag+"\n", "", 1))
}

//go:build leakgate_deep

package leakcheck

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/deep/bridge"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// This is the agent of deep mode's side of what two copies of leakcheck in one test binary do together. The other side is in
// deep_user.go.

// who is what messages begin with.
const who = "leakgate"

// isAgent says whether this copy is the agent's, which sees every test.
const isAgent = true

// deepFlag is what a command needs to run the tests as they are run now.
func deepFlag() string { return "-deep " }

func init() {
	bridge.Agents = bridge.Judge{
		ClaimTest: claimTest,
		ClaimMain: claimMain,
		Report:    func(list string, id uint64) bool { return registry.claim([]report.Key{{List: list, ID: id}}) },
		Reported:  func(list string, id uint64) bool { return registry.isReported(report.Key{List: list, ID: id}) },
		Suspects: func(list string, id uint64) ([]string, bool) {
			return registry.suspectsOf(report.Key{List: list, ID: id})
		},
		Leaked: leakedElsewhere,
		RecordLeak: func(text []byte) {
			var l fragment.Leak
			if json.Unmarshal(text, &l) == nil {
				writeLeak(l)
			}
		},
		RecordIgnored: func(text []byte) {
			var ig fragment.Ignored
			if json.Unmarshal(text, &ig) == nil {
				recording().write(func(f *fragment.Writer) error { return f.Ignored(ig) })
			}
		},
		RecordEnd: func(passed bool, code int, unused []string) { recording().stop(passed, code, unused) },
	}
}

// claims are what the other copy judges.
var claims struct {
	sync.Mutex
	tests   map[*watch]bool
	names   map[string]bool // of tests that were left to the other copy, ever
	leaked  map[*watch]bool // the other copy has failed their tests, and nothing had before
	main    bool
	ignored func(leak []byte) string
}

// claimTest leaves a test that runs, and its subtests, to the other copy.
func claimTest(x any) bool {
	t, ok := x.(*testing.T)
	if !ok || t == nil {
		return false
	}
	w, outer := watchOf(t), watchesAround(t)
	if w == nil && len(outer) == 0 {
		return false
	}
	claims.Lock()
	defer claims.Unlock()
	if claims.tests == nil {
		claims.tests, claims.names = make(map[*watch]bool), make(map[string]bool)
	}
	claims.names[t.Name()] = true
	if w != nil { // else it is a subtest that the test around it is judged with, see isOfLeft
		claims.tests[w] = true
	}
	return true
}

// watchesAround gives the watches of the tests around one.
func watchesAround(t *testing.T) (out []*watch) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	for w := range registry.active {
		if w.t != nil && w.name != "" && strings.HasPrefix(t.Name(), w.name+"/") {
			out = append(out, w)
		}
	}
	return out
}

// watchOf gives the watch of a test that runs; nil when there is none.
func watchOf(t *testing.T) *watch {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	for w := range registry.active {
		if w.t != nil && innermost(w.t) == TB(t) {
			return w
		}
	}
	return nil
}

// leakedElsewhere notes that the other copy is about to fail a test for leaks.
func leakedElsewhere(x any) {
	t, ok := x.(*testing.T)
	if !ok || t == nil || t.Failed() {
		return
	}
	failed := watchesAround(t)
	if w := watchOf(t); w != nil {
		failed = append(failed, w)
	}
	for _, w := range failed {
		if w.t.Failed() {
			continue
		}
		w.failsByLeaks()
		claims.Lock()
		if claims.leaked == nil {
			claims.leaked = make(map[*watch]bool)
		}
		claims.leaked[w] = true
		claims.Unlock()
	}
}

// failedElsewhere says whether the test of the watch failed for leaks that the other copy has told, and for nothing before.
func (w *watch) failedElsewhere() bool {
	claims.Lock()
	defer claims.Unlock()
	return claims.leaked[w]
}

// isOfLeft says whether a leak is one of a test that the other copy has judged, by whose options it is none: in the last look, or of
// a subtest in that of the test around it.
func (w *watch) isOfLeft(l report.Leak) bool {
	if !w.isMain && !strings.HasPrefix(l.Test, w.name+"/") || l.Test == "" {
		return false
	}
	claims.Lock()
	defer claims.Unlock()
	for name := l.Test; ; {
		if name == w.name {
			return false
		}
		if claims.names[name] {
			return true
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return false
		}
		name = name[:i]
	}
}

func claimMain(ignored func(leak []byte) string) {
	claims.Lock()
	defer claims.Unlock()
	claims.main, claims.ignored = true, ignored
}

// isLeft says whether the other copy judges the watch's test.
func (w *watch) isLeft() bool {
	claims.Lock()
	defer claims.Unlock()
	return claims.tests[w]
}

// forgetClaim is called when the watch has ended.
func (w *watch) forgetClaim() {
	claims.Lock()
	defer claims.Unlock()
	delete(claims.tests, w)
	delete(claims.leaked, w)
}

// mainIsLeft says whether the other copy looks at what is left when all tests have run.
func mainIsLeft() bool {
	claims.Lock()
	defer claims.Unlock()
	return claims.main
}

// withinLeft says whether a test that begins is a subtest of one that the other copy judges, which takes it in. It is not looked
// at then, and its goroutine keeps the label of the test around it, as without deep mode.
func withinLeft(t TB) bool {
	claims.Lock()
	defer claims.Unlock()
	for w := range claims.tests {
		if len(t.Name()) > len(w.name) && related(w.name, t.Name()) {
			return true
		}
	}
	return false
}

// ignoredElsewhere asks Main's options of the other copy, which hold for every test of the package.
func ignoredElsewhere(l *report.Leak) string {
	claims.Lock()
	ask := claims.ignored
	claims.Unlock()
	if ask == nil {
		return ""
	}
	text, err := json.Marshal(l)
	if err != nil {
		return ""
	}
	return ask(text)
}

func joinAgent() {}

func (w *watch) tellsLeaked() {}

func recordsElsewhere() bool { return false }

func recordLeakElsewhere(fragment.Leak) {}

func recordIgnoredElsewhere(fragment.Ignored) {}

func recordEndElsewhere(bool, int, []string) {}

func (w *watch) claimsTest() {}

func claimsMain(*watch) {}

func reportElsewhere(report.Key) bool { return true }

func isReportedElsewhere(report.Key) bool { return false }

func suspectsElsewhere(report.Key) ([]string, bool) { return nil, false }

func deepLeases(uint64, func(kind string, db uintptr) bool) []*lease.Lease { return nil }

func isDeep(*lease.Lease) bool { return false }

func deepPools(func(id uint64, db uintptr, pcs []uintptr)) {}

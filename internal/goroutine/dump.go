package goroutine

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
)

// firstSize is what a Dumper's buffer starts with: about 100 goroutines.
const firstSize = 64 << 10

// Dumper takes the stacks of all goroutines. It keeps its buffer, so that a dump allocates nothing once the buffer
// is large enough. The zero Dumper is ready to use. Its methods must not run at the same time: the caller locks.
type Dumper struct {
	buf []byte
}

// Dump gives the stacks of all goroutines as runtime.Stack prints them, the caller's own first. The text is never
// cut: the buffer doubles until all of it fits. It is valid until the next call of one of d's methods.
func (d *Dumper) Dump() []byte {
	if len(d.buf) == 0 {
		d.buf = make([]byte, firstSize)
	}
	for {
		n := runtime.Stack(d.buf, true)
		if n < len(d.buf) {
			return d.buf[:n]
		}
		d.buf = make([]byte, 2*len(d.buf))
	}
}

// DumpLabels is Dump with each goroutine's pprof labels in its header, where the Go version can print them (see
// LabelsInDump). Where they are not printed already, it turns them on for the time of the dump: it appends
// tracebacklabels=1 to the environment variable GODEBUG, which the runtime reads again when it is set, and puts the
// old value back. A child process that another goroutine starts at that very moment inherits the setting; it has no
// effect there but on the text of a crash.
func (d *Dumper) DumpLabels() []byte {
	labels.mu.Lock()
	defer labels.mu.Unlock()
	labels.detectOnce()
	switch labels.mode {
	case labelsNever:
		return d.Dump()
	case labelsOn:
		dump := d.Dump()
		if hasLabels(dump) || probe() {
			return dump
		}
		// Somebody set GODEBUG since: that turns the labels off even where they are on by default, because the
		// runtime forgets the default of a setting that the new value does not name.
		labels.mode = labelsOff
	}
	var dump []byte
	withLabels(func() { dump = d.Dump() })
	return dump
}

// LabelsInDump says whether DumpLabels shows labels with the Go version that this program was built with. Go 1.25
// has no such setting.
func LabelsInDump() bool {
	labels.mu.Lock()
	defer labels.mu.Unlock()
	labels.detectOnce()
	return labels.mode != labelsNever
}

// labelMode is what has to be done to see labels in a dump.
type labelMode int

const (
	labelsUnknown labelMode = iota
	labelsOn                // nothing: they are printed
	labelsOff               // set GODEBUG around the dump
	labelsNever             // this Go version cannot print them
)

// labelState is shared by all Dumpers, because the environment is.
type labelState struct {
	mu   sync.Mutex
	mode labelMode
}

var labels labelState

// detectOnce finds the mode. The caller holds mu.
func (s *labelState) detectOnce() {
	if s.mode != labelsUnknown {
		return
	}
	if probe() {
		s.mode = labelsOn
		return
	}
	s.mode = labelsNever
	withLabels(func() {
		if probe() {
			s.mode = labelsOff
		}
	})
}

// probe says whether the runtime prints labels now. It asks on a goroutine of its own, because setting labels on the
// caller's would lose the ones that it has.
func probe() bool {
	found := make(chan bool)
	go func() {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("leakgate.probe", "1")))
		var buf [512]byte
		n := runtime.Stack(buf[:], false)
		found <- hasLabels(buf[:n])
	}()
	return <-found
}

// hasLabels says whether any header of the dump shows labels.
func hasLabels(dump []byte) bool {
	for len(dump) > 0 {
		var block []byte
		block, dump = nextBlock(dump)
		header, _, _ := bytes.Cut(block, newline)
		if bytes.Contains(header, labelsOpen26) || bytes.Contains(header, labelsOpen27) {
			return true
		}
	}
	return false
}

const (
	envKey     = "GODEBUG"
	envSetting = "tracebacklabels=1"
)

// withLabels calls f while GODEBUG asks for labels. The old value is not put back when somebody else changed the
// variable in the meantime: theirs is the newer word.
func withLabels(f func()) {
	// syscall.Getenv and not os.Getenv, which would tell the go command that the test's result depends on the variable.
	old, had := syscall.Getenv(envKey)
	set := envSetting
	if strings.TrimSpace(old) != "" {
		set = old + "," + envSetting
	}
	if os.Setenv(envKey, set) != nil {
		f()
		return
	}
	defer func() {
		if now, _ := syscall.Getenv(envKey); now != set {
			return
		}
		if had {
			os.Setenv(envKey, old)
		} else {
			os.Unsetenv(envKey)
		}
	}()
	f()
}

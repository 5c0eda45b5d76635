package plain

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// What is printed behind "same:" must be the same with deep mode as without.
func same(t *testing.T, what string, value any) { t.Logf("same: %s: %v", what, value) }

func TestSizes(t *testing.T) {
	same(t, "sizes", []uintptr{
		unsafe.Sizeof(http.Transport{}), unsafe.Sizeof(http.Response{}), unsafe.Sizeof(http.Client{}), unsafe.Sizeof(sql.DB{}),
		unsafe.Sizeof(sql.Conn{}), unsafe.Sizeof(sql.Tx{}), unsafe.Sizeof(sql.Rows{}), unsafe.Sizeof(os.File{}),
	})
}

func TestEnvironment(t *testing.T) {
	var names []string
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); !strings.HasPrefix(name, "LEAKGATE_") {
			switch name {
			case "GODEBUG", "GOFLAGS", "GOROOT", "GOTOOLCHAIN", "GOEXPERIMENT":
				name += "=" + value
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	same(t, "environment", names)
}

func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("sub", func(t *testing.T) {
		if n := runtime.NumGoroutine(); n != before+1 {
			t.Errorf("%d goroutines, not one more than %d", n, before)
		}
	})
}

func TestAllocations(t *testing.T) {
	same(t, "allocations of a file", testing.AllocsPerRun(100, func() {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	same(t, "allocations of two files, one from before", testing.AllocsPerRun(1, func() {
		w.Close()
		os.Stat(os.DevNull)
	}))
}

func TestOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	TestBodies(t)
}

// Connections that are opened while allocations are counted, and kept for the next use, are nobody's leak.
func TestAllocationsOfRequest(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	n := testing.AllocsPerRun(10, func() {
		resp, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	if n < 10 {
		t.Error(n, "are too few to be true")
	}
	TestBodies(t) // which is seen again
}

package mockserver

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	srv := New(t, AllowUnmatched())
	a := srv.On("POST", "/a/{id}").Reply(Status(201))
	b := srv.On("POST", "/a/{id}", WithBody("b")).Reply(Status(202))
	assert.Empty(t, srv.Calls(a))
	for i, body := range []string{"1", "b", "3"} {
		read(srv.Client(), "POST", fmt.Sprint(srv.URL, "/a/", i), body)
	}
	read(srv.Client(), "GET", srv.URL+"/a", "")

	got := srv.Calls(a)
	require.Len(t, got, 2)
	assert.Equal(t, "/a/0", got[0].Path)
	assert.Equal(t, "3", string(got[1].Body))
	assert.Equal(t, 201, got[1].Status)
	require.Len(t, srv.Calls(b), 1)
	assert.Equal(t, "POST /a/{id}", srv.Calls(b)[0].Stub)
	assert.Len(t, srv.Requests(), 4, "also the one that no stub matched")

	got[0].Body[0] = 'x'
	got[0].Header.Set("User-Agent", "changed")
	assert.Equal(t, "1", string(srv.Calls(a)[0].Body), "the result is a copy")
	assert.Equal(t, "Go-http-client/1.1", srv.Calls(a)[0].Header.Get("User-Agent"))
	srv.Close()
	assert.Len(t, srv.Calls(a), 2, "also after Close")
}

func TestWait(t *testing.T) {
	t.Parallel()
	srv := New(t)
	stub := srv.On("POST", "/job").Reply(Status(202))
	assert.Empty(t, srv.Wait(stub, 0, 0), "no request is needed")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			got := srv.Wait(stub, 2, time.Hour)
			assert.GreaterOrEqual(t, len(got), 2)
		})
	}
	for i := range 3 {
		wg.Go(func() { read(srv.Client(), "POST", srv.URL+"/job", fmt.Sprint(i)) })
	}
	wg.Wait()
	assert.Len(t, srv.Wait(stub, 3, time.Hour), 3)
	assert.Len(t, srv.Wait(stub, 3, 0), 3, "what is there needs no time")
	assert.Len(t, srv.Wait(stub, 3, -time.Second), 3)
}

// waitT ends the goroutine at FailNow, as *testing.T does.
type waitT struct {
	fakeT
	ended bool
}

func (t *waitT) FailNow() {
	t.ended = true
	runtime.Goexit()
}

func TestWaitEndsTheTest(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(srv *Server, stub *Stub){
		"timeout": func(srv *Server, stub *Stub) { srv.Wait(stub, 1, time.Millisecond) },
		"no stub": func(srv *Server, stub *Stub) { srv.Wait(nil, 1, time.Hour) },
		"closed":  func(srv *Server, stub *Stub) { srv.Close(); srv.Wait(stub, 1, time.Hour) },
		"is being closed": func(srv *Server, stub *Stub) {
			go func() {
				for { // until somebody waits
					srv.mu.Lock()
					waits := srv.arrived != nil
					srv.mu.Unlock()
					if waits {
						srv.Close()
						return
					}
					runtime.Gosched()
				}
			}()
			srv.Wait(stub, 1, time.Hour)
		},
	} {
		ft := &waitT{}
		srv := New(ft, AllowUnused())
		stub := srv.On("GET", "/x")
		done := make(chan bool)
		returned := false
		go func() {
			defer close(done)
			wait(srv, stub)
			returned = true
		}()
		<-done
		assert.False(t, returned, name)
		assert.True(t, ft.ended, name)
		assert.Len(t, ft.failures(), 1, name)
		srv.Close()
	}
}

// A request that is answered between two looks is not lost.
func TestWaitMissesNothing(t *testing.T) {
	t.Parallel()
	srv := New(t)
	stub := srv.On("GET", "/x").Reply(Status(204))
	for i := range 200 {
		go read(srv.Client(), "GET", srv.URL+"/x", "")
		require.Len(t, srv.Wait(stub, i+1, time.Minute), i+1)
	}
}

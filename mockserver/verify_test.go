package mockserver

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// skippedT is a test that was skipped.
type skippedT struct{ fakeT }

func (*skippedT) Skipped() bool { return true }

func TestVerifySaysNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		use  func(srv *Server)
		opts []Option
	}{
		{"called", func(srv *Server) {
			srv.On("GET", "/x").Reply(Status(200))
			read(srv.Client(), "GET", srv.URL+"/x", "")
		}, nil},
		{"Optional", func(srv *Server) { srv.On("GET", "/x").Optional() }, nil},
		{"AllowUnused", func(srv *Server) { srv.On("GET", "/x") }, []Option{AllowUnused()}},
		{"Expect(0)", func(srv *Server) { srv.On("GET", "/x").Expect(0) }, nil},
		{"Expect(0) and AllowUnused", func(srv *Server) { srv.On("GET", "/x").Expect(0) }, []Option{AllowUnused()}},
		{"Optional, with Expect", func(srv *Server) { srv.On("GET", "/x").Optional().Expect(2) }, nil},
		{"Expect", func(srv *Server) {
			srv.On("GET", "/x").Reply(Status(200)).Expect(2)
			read(srv.Client(), "GET", srv.URL+"/x", "")
			read(srv.Client(), "HEAD", srv.URL+"/x", "")
		}, nil},
	} {
		ft := &fakeT{}
		c.use(New(ft, c.opts...))
		ft.end()
		assert.Empty(t, ft.failures(), c.name)
		assert.Empty(t, ft.logged(), c.name)
	}

	ft := &skippedT{}
	srv := New(ft)
	srv.On("GET", "/x").Expect(3)
	srv.On("GET", "/x")
	ft.end()
	assert.Empty(t, ft.failures(), "the test was skipped")
	assert.Empty(t, ft.logged(), "the test was skipped")
}

func TestAllowUnusedIsNotForExpect(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	New(ft, AllowUnused()).On("GET", "/x").Expect(2)
	ft.end()
	assert.Equal(t, []string{"mockserver: 1 stub was not called as expected:\n\tGET /x (verify_test.go:55): called 0 times, not 2"}, ft.failures())
}

// Close reports once, whoever calls it.
func TestVerifyOnce(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/x")
	srv.Close()
	assert.Len(t, ft.failures(), 1)
	ft.end()
	assert.Len(t, ft.failures(), 1)
	assert.Empty(t, ft.logged())
}

// One more than expected fails the test at once, is answered, and is said once.
func TestExpectIsExceeded(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/x").Reply(Text(200, "x")).Expect(1)
	assert.Equal(t, "200 x", read(srv.Client(), "GET", srv.URL+"/x", ""))
	assert.Empty(t, ft.failures())
	assert.Equal(t, "200 x", read(srv.Client(), "GET", srv.URL+"/x", ""))
	assert.Len(t, ft.failures(), 1)
	assert.Equal(t, "200 x", read(srv.Client(), "GET", srv.URL+"/x", ""))
	assert.Len(t, ft.failures(), 1)
	assert.Len(t, srv.Requests(), 3)
	ft.end()
	assert.Len(t, ft.failures(), 1)
	assert.Len(t, ft.logged(), 1)
}

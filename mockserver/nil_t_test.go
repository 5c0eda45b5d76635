package mockserver

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Nothing that takes a t panics without one.
func TestNilT(t *testing.T) {
	leaksOnPurpose(t) // nothing ends what Refuse gives without a test
	for _, none := range []TB{nil, (*testing.T)(nil)} {
		assert.NotPanics(t, func() {
			srv := New(none)
			srv.On("GET", "x")
			srv.Close()
			Refuse(none)
			for _, peer := range []*TCP{BlackHole(none), HangUp(none), HangUpReset(none), Script(none, Expect(""))} {
				peer.Close()
			}
		})
	}
}

// A Stub that On did not make is not called another server's.
func TestEmptyStub(t *testing.T) {
	ft := &fakeT{}
	srv := New(ft)
	srv.Calls(&Stub{})
	srv.Wait(&Stub{}, 1, 0)
	ft.end()
	assert.Equal(t, []string{
		"mockserver: Calls: the stub is an empty Stub, which belongs to no server; give it what On returned",
		"mockserver: Wait: the stub is an empty Stub, which belongs to no server; give it what On returned",
	}, ft.failures())
}

// After Close a wrong argument fails nothing, and is not silent.
func TestWrongArgumentAfterClose(t *testing.T) {
	ft := &fakeT{}
	srv := New(ft)
	ft.end()
	srv.On("GET", "/%zz")
	assert.Empty(t, ft.failures())
	assert.Equal(t, []string{`mockserver: On("GET", "/%zz"): "%zz" has a % that no two hexadecimal digits follow; write a literal one as %25: On("GET", "/%25zz")` +
		"\n\tthe server is closed already, so this fails nothing"}, ft.logged())
}

func TestURLOfNoScheme(t *testing.T) {
	ft := &fakeT{}
	peer := HangUp(ft)
	for _, ok := range []string{"amqp", "amqp://", "mongodb+srv", "x-1.0"} {
		peer.URL(ok)
	}
	assert.Empty(t, ft.failures())
	peer.URL("not a scheme")
	peer.URL("")
	peer.URL("1a")
	assert.Len(t, ft.failures(), 3)
	assert.Equal(t, `mockserver: URL("not a scheme") of the HangUp (`+peer.site+`): this is not a scheme; write URL("amqp"), for example, or use Addr for an address without one`, ft.failures()[0])
	ft.end()
}

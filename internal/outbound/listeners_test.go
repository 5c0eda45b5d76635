package outbound

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestListeners: what listens at all addresses takes what comes to any of this machine's.
func TestListeners(t *testing.T) {
	var l Listeners
	assert.False(t, l.Has(TargetOf("tcp", "127.0.0.1:80")), "there is none")
	l.Add("tcp", "127.0.0.1:80")
	l.Add("tcp", "[::]:81")
	l.Add("unix", "/run/app.sock")
	l.Add("tcp", "what")
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "localhost:80": true, "127.0.0.2:80": false, "[::1]:80": false, "10.0.0.1:80": false, "127.0.0.1:81": true,
		"localhost:81": true, "0.0.0.0:81": true, "10.0.0.1:81": false, "localhost:82": false, "what:80": false,
	} {
		assert.Equal(t, want, l.Has(TargetOf("tcp", address)), address)
	}
	assert.True(t, l.Has(TargetOf("unix", "/run/app.sock")))
	assert.False(t, l.Has(TargetOf("unix", "/run/other.sock")))

	for _, c := range []struct {
		end  End
		want bool
	}{
		{End{Local: "10.0.0.1:40000", Remote: "10.0.0.1:81"}, true},
		{End{Local: "10.0.0.1:40000", Remote: "[::ffff:10.0.0.1]:81"}, true},
		{End{Local: "10.0.0.1:40000", Remote: "10.0.0.1:82"}, false},
		{End{Local: "10.0.0.1:40000", Remote: "10.0.0.2:81"}, false},
		{End{Err: errors.New("refused")}, false},
	} {
		d := Begin("tcp", "a:81", 0)
		assert.False(t, l.HasHere(d), "it has not ended")
		d.Ended(c.end)
		assert.Equal(t, c.want, l.HasHere(d), c.end)
	}
}

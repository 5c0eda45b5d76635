package hook

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// again makes it as in a process that has just begun.
func again() {
	network.Store(nil)
	early.Store(nil)
	keptEarly.Store(0)
}

// told is a dial that notes what it is told.
type told struct {
	tried []string
	ends  []DialEnd
}

func (d *told) Trying(address string) { d.tried = append(d.tried, address) }
func (d *told) Ended(end DialEnd)     { d.ends = append(d.ends, end) }

// TestNetworkEarly: what is told before there is anybody to tell is kept, with its stack, and goes on being told.
func TestNetworkEarly(t *testing.T) {
	t.Cleanup(again)
	again()
	assert.True(t, Networked())
	refused := DialEnd{Err: errors.New("refused")}
	over := Dialling("tcp", "a:1")
	over.Trying("10.0.0.1:1")
	over.Trying("10.0.0.2:1")
	over.Ended(refused)
	over.Ended(DialEnd{})
	runs := Dialling("tcp", "b:1")
	runs.Trying("10.0.0.3:1")
	LookedUp(Lookup{Host: "c"})
	Listening("tcp", "127.0.0.1:80")

	var seen []string
	kept := WatchNetwork(&Network{
		Dialling:  func(network, address string) Dial { seen = append(seen, network+" "+address); return &told{} },
		LookedUp:  func(l Lookup) { seen = append(seen, l.Host) },
		Listening: func(network, address string) { seen = append(seen, address) },
	})
	require.Len(t, kept, 4)
	a, b := new(told), new(told)
	kept[0].Tell(a)
	kept[1].Tell(b)
	runs.Trying("10.0.0.4:1")
	runs.Ended(refused)
	assert.Equal(t, &told{tried: []string{"10.0.0.1:1", "10.0.0.2:1"}, ends: []DialEnd{refused}}, a)
	assert.Equal(t, &told{tried: []string{"10.0.0.3:1", "10.0.0.4:1"}, ends: []DialEnd{refused}}, b)
	assert.Equal(t, &Lookup{Host: "c"}, kept[2].LookedUp)
	assert.True(t, kept[3].Listening)
	f, _ := runtime.CallersFrames(kept[0].PCs).Next()
	assert.Contains(t, f.Function, "hook.TestNetworkEarly")

	assert.NotNil(t, Dialling("udp", "d:1"))
	LookedUp(Lookup{Host: "e"})
	Listening("tcp", "127.0.0.1:81")
	assert.Equal(t, []string{"udp d:1", "e", "127.0.0.1:81"}, seen)
	assert.Empty(t, WatchNetwork(nil))
	assert.False(t, Networked())
	assert.Nil(t, Dialling("tcp", "f:1"))
}

// TestNetworkFull: what is kept has an end, and what several goroutines tell at once is all there.
func TestNetworkFull(t *testing.T) {
	t.Cleanup(again)
	again()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range maxEarly / 2 {
				if d := Dialling("tcp", fmt.Sprintf("%d-%d:1", i, j)); d != nil {
					d.Ended(DialEnd{})
				}
			}
		})
	}
	wg.Wait()
	kept := WatchNetwork(&Network{})
	assert.Len(t, kept, maxEarly)
	addresses := make(map[string]bool)
	for _, e := range kept {
		addresses[e.Address] = true
	}
	assert.Len(t, addresses, maxEarly)
}

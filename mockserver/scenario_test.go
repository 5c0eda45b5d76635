package mockserver

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestScenario(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/cart", InState("cart", "Started")).Reply(Text(200, "empty"))
	srv.On("POST", "/cart").Sets("cart", "filled").Reply(Status(201))
	srv.On("GET", "/cart", InState("cart", "filled")).Reply(Text(200, "one"))
	srv.On("DELETE", "/cart", InState("cart", "filled")).Sets("cart", "Started").Sets("history", "used").Reply(Status(204))
	do := func(method string) string { return read(srv.Client(), method, srv.URL+"/cart", "") }

	assert.Equal(t, "Started", srv.State("cart"))
	assert.Equal(t, "200 empty", do("GET"))
	assert.Equal(t, "201 ", do("POST"))
	assert.Equal(t, "filled", srv.State("cart"))
	assert.Equal(t, "200 one", do("GET"))
	assert.Equal(t, "Started", srv.State("history"))
	assert.Equal(t, "204 ", do("DELETE"))
	assert.Equal(t, "used", srv.State("history"))
	assert.Equal(t, "200 empty", do("GET"))
	srv.SetState("cart", "filled")
	assert.Equal(t, "200 one", do("GET"))
}

// A stub that needs two scenarios, and one that needs a state and more.
func TestScenarioWithOtherMatchers(t *testing.T) {
	t.Parallel()
	srv := New(t, AllowUnused())
	srv.On("GET", "/", InState("a", "x"), InState("b", "y")).Reply(Text(200, "both"))
	srv.On("GET", "/", InState("a", "x"), WithQuery("q", "1")).Reply(Text(200, "one and q"))
	srv.On("GET", "/").Reply(Text(200, "none"))
	do := func(query string) string { return read(srv.Client(), "GET", srv.URL+query, "") }
	assert.Equal(t, "200 none", do("?q=1"))
	srv.SetState("a", "x")
	assert.Equal(t, "200 none", do(""))
	assert.Equal(t, "200 one and q", do("?q=1"))
	srv.SetState("b", "y")
	assert.Equal(t, "200 both", do(""))
}

// The state is tested and set in one step: of many requests at once each takes the next step, and none takes one twice.
func TestScenarioIsOneStep(t *testing.T) {
	t.Parallel()
	const steps = 60
	srv := New(t)
	for i := range steps {
		from, to := fmt.Sprint(i), fmt.Sprint(i+1)
		if i == 0 {
			from = "Started"
		}
		srv.On("POST", "/step", InState("s", from)).Sets("s", to).Expect(1).Reply(Text(200, to))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range steps / 6 {
				got := read(srv.Client(), "POST", srv.URL+"/step", "")
				mu.Lock()
				seen[got]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Len(t, seen, steps)
	assert.Equal(t, fmt.Sprint(steps), srv.State("s"))
}

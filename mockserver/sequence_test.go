package mockserver

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSequences(t *testing.T) {
	t.Parallel()
	a, b, c := Text(200, "a"), Text(200, "b"), Text(200, "c")
	for _, k := range []struct {
		name    string
		replies []Reply
		want    string // the bodies of 8 requests; "!" where the test is failed
	}{
		{"one", []Reply{a}, "aaaaaaaa"},
		{"two", []Reply{a, b}, "abbbbbbb"},
		{"Then", []Reply{a.Then(b)}, "abbbbbbb"},
		{"Then twice", []Reply{a.Then(b).Then(c)}, "abcccccc"},
		{"Then with two", []Reply{a.Then(b, c)}, "abcccccc"},
		{"Then in Then", []Reply{a.Then(b.Then(c)), a}, "abcaaaaa"},
		{"Times", []Reply{a.Times(2).Then(b)}, "aabbbbbb"},
		{"Times of the last", []Reply{a, b.Times(3)}, "abbb!!!!"},
		{"Times of the only one", []Reply{a.Times(1)}, "a!!!!!!!"},
		{"Times twice, the last call counts", []Reply{a.Times(5).Times(2).Then(b)}, "aabbbbbb"},
		{"Times of all", []Reply{a.Times(2), b.Times(2).Then(c.Times(2))}, "aabbcc!!"},
		{"Times with other modifiers", []Reply{a.Times(2).Header("X", "y").Then(b.Trailer("a", "b"))}, "aabbbbbb"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			ft := &fakeT{}
			srv := New(ft)
			srv.On("GET", "/").Reply(k.replies...)
			client := newClient(t)
			got := ""
			for range len(k.want) {
				s := read(client, "GET", srv.URL, "")
				if strings.HasPrefix(s, "501 ") {
					s = "200 !"
				}
				got += strings.TrimPrefix(s, "200 ")
			}
			ft.end()
			assert.Equal(t, k.want, got)
			assert.Equal(t, strings.Contains(k.want, "!"), ft.Failed())

			if len(k.replies) > 1 {
				return
			}
			respond, got := k.replies[0].Responder(), ""
			for range len(k.want) {
				resp, err := respond(nil)
				if err != nil {
					got += "!"
					continue
				}
				body := make([]byte, 10)
				n, _ := resp.Body.Read(body)
				got += string(body[:n])
			}
			assert.Equal(t, k.want, got, "a responder does the same")
		})
	}
}

func TestSequenceOfResponderIsUsedUp(t *testing.T) {
	t.Parallel()
	respond := Status(503).Times(2).Then(Text(200, "x").Times(1)).Responder()
	for range 3 {
		_, err := respond(nil)
		require.NoError(t, err)
	}
	_, err := respond(nil)
	require.EqualError(t, err, "mockserver: all replies of Status(503) are used up: 3 requests were answered, the last one limited by Times(1)")
	_, err = Status(503).Times(2).Then(Text(200, "x").Times(1)).Responder()(nil)
	require.NoError(t, err, "another responder starts again")
}

// A reply that is given to Reply later continues the sequence.
func TestSequenceGoesOn(t *testing.T) {
	t.Parallel()
	srv := New(t)
	stub := srv.On("GET", "/").Reply(Text(200, "a").Times(1))
	client := newClient(t)
	assert.Equal(t, "200 a", read(client, "GET", srv.URL, ""))
	stub.Reply(Text(200, "b"))
	assert.Equal(t, "200 b", read(client, "GET", srv.URL, ""))
}

// Requests at once get each reply as often as it is to be sent, and no more.
func TestSequenceWithManyClients(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Status(503).Times(40).Then(Status(404).Times(60), Status(200)))
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 10 {
				resp, err := srv.Client().Get(srv.URL)
				if !assert.NoError(t, err) {
					return
				}
				resp.Body.Close()
				mu.Lock()
				got[resp.StatusCode]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, map[int]int{503: 40, 404: 60, 200: 100}, got)
}

func TestSequenceIsAValue(t *testing.T) {
	t.Parallel()
	base := Status(503).Times(2)
	one, two := base.Then(Text(200, "one")), base.Then(Text(200, "two"))
	for i, r := range []Reply{one, two} {
		srv := New(t)
		srv.On("GET", "/").Reply(r)
		for range 2 {
			assert.Contains(t, read(srv.Client(), "GET", srv.URL, ""), "503 ")
		}
		assert.Equal(t, fmt.Sprintf("200 %s", []string{"one", "two"}[i]), read(srv.Client(), "GET", srv.URL, ""))
	}
	// Also where the list of the first has room for more.
	base = base.Then(Status(201), Status(202), Status(203)).Then(Status(204))
	one, two = base.Then(Text(200, "one")), base.Then(Text(200, "two"))
	assert.Equal(t, "one", string(flatten([]Reply{one})[5].body))
	assert.Equal(t, "two", string(flatten([]Reply{two})[5].body))
	assert.Len(t, flatten([]Reply{base}), 5)

	longer := one.Then(Status(204))
	assert.Len(t, flatten([]Reply{one}), 6)
	assert.Len(t, flatten([]Reply{longer}), 7)
}

// Package verify has tests that call the harness themselves. Each leak is told once.
package verify

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"

	"example.com/harnessed/shop"
)

func serve(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, c *http.Client, url string) {
	t.Helper()
	_, err := shop.Status(c, url)
	must(t, err)
}

func pool(t *testing.T) *sql.DB {
	db := sql.OpenDB(shop.Connector{})
	t.Cleanup(func() {
		db.Close()
	})
	return db
}

// Nobody but the agent tracks the transport.
func TestResponse(t *testing.T) {
	url := serve(t)
	t.Cleanup(leakcheck.Verify(t))
	status(t, &http.Client{Transport: &http.Transport{}}, url)
}

func TestResponseOfDefault(t *testing.T) {
	url := serve(t)
	t.Cleanup(leakcheck.Verify(t))
	status(t, http.DefaultClient, url)
}

func TestResponseTracked(t *testing.T) {
	url := serve(t)
	t.Cleanup(leakcheck.Verify(t))
	status(t, &http.Client{Transport: httpcheck.Wrap(&http.Transport{})}, url)
}

// The check of a client is of that alone: the agent tells of the file.
func TestClient(t *testing.T) {
	url := serve(t)
	c := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, c))
	status(t, c, url)
	must(t, shop.Open())
}

func TestFile(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	must(t, shop.Open())
}

func TestRows(t *testing.T) {
	db := pool(t)
	t.Cleanup(leakcheck.Verify(t))
	must(t, shop.Query(db))
}

func TestRowsTracked(t *testing.T) {
	db := dbcheck.OpenDB(shop.Connector{})
	t.Cleanup(func() { db.Close() })
	t.Cleanup(leakcheck.Verify(t))
	must(t, shop.Query(db))
}

// The connector is wrapped, and which sql.DB it is of is not told.
func TestRowsOfConnector(t *testing.T) {
	db := sql.OpenDB(dbcheck.Wrap(shop.Connector{}))
	t.Cleanup(func() { db.Close() })
	t.Cleanup(leakcheck.Verify(t))
	must(t, shop.Query(db))
}

func TestPool(t *testing.T) {
	db := pool(t)
	t.Cleanup(dbcheck.Verify(t, db))
	must(t, shop.Query(db))
}

func TestPoolTracked(t *testing.T) {
	db := dbcheck.OpenDB(shop.Connector{})
	t.Cleanup(func() { db.Close() })
	t.Cleanup(dbcheck.Verify(t, db))
	must(t, shop.Query(db))
}

func TestPoolNotClosed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	shop.Keep(sql.OpenDB(shop.Connector{}), dbcheck.OpenDB(shop.Connector{}))
}

// The check of the whole test is its own: what its subtests leave is told once, by it.
func TestSubtests(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Run("one", func(t *testing.T) { must(t, shop.Open()) })
	t.Run("two", func(t *testing.T) { must(t, shop.Open()) })
}

// The agent judges the test, and the subtest judges itself.
func TestSubtest(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		must(t, shop.Open())
	})
	t.Run("agent's", func(t *testing.T) { must(t, shop.Open()) })
}

func TestAgent(t *testing.T) {
	must(t, shop.Open())
}

func TestParallel(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if i > 0 {
				t.Cleanup(leakcheck.Verify(t))
			}
			must(t, shop.Open())
		})
	}
}

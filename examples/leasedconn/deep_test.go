//go:build deep

package leasedconn

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// These tests know nothing of the harness: leakgate test -tags deep finds what they leak.

// answers starts a session service that says 403, with a page or with nothing.
func answers(t *testing.T, page string) (url string) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, page)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestForbidden(t *testing.T) {
	client := &Client{BaseURL: answers(t, "<h1>403 Forbidden</h1>")}
	active, err := client.IsSessionActive(context.Background(), "1")
	if active || err != nil {
		t.Error(active, err)
	}
}

func TestForbiddenWithoutPage(t *testing.T) {
	client := &Client{BaseURL: answers(t, "")}
	active, err := client.IsSessionActive(context.Background(), "1")
	if active || err != nil {
		t.Error(active, err)
	}
}

func TestForbiddenFixed(t *testing.T) {
	client := &FixedClient{BaseURL: answers(t, "<h1>403 Forbidden</h1>")}
	active, err := client.IsSessionActive(context.Background(), "1")
	if active || err != nil {
		t.Error(active, err)
	}
}

//go:build incident

package leasedconn

import (
	"context"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The load balancer answers 403 with its own HTML page. This test fails: the client leaks.
func TestForbiddenPage(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403))

	client := &Client{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

// The same with the fixed client.
func TestForbiddenPageFixed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403))

	client := &FixedClient{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

// The same client against the usual mock, a 403 without a body. This test passes, and the leak is still there.
func TestForbiddenEmpty(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.Status(403).Framing(mockserver.Empty))

	client := &Client{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

package leakcheck_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

func TestAllowRemotesDial(t *testing.T) {
	dead := mockserver.Refuse(t)
	rec := &recorder{name: t.Name()}
	done := leakcheck.Verify(rec, leakcheck.AllowRemotes(leakcheck.OwnListeners))
	for range 3 {
		_, err := leakcheck.DialContext(context.Background(), "tcp", dead)
		assert.Error(t, err)
	}
	done()
	t.Log(rec.errors())
}

func TestAllowRemotesHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	tr := &http.Transport{DialContext: leakcheck.DialContext}
	for _, c := range []*http.Client{http.DefaultClient, {Transport: tr}, {Transport: &http.Transport{}}} {
		rec := &recorder{name: t.Name()}
		done := leakcheck.Verify(rec, leakcheck.AllowRemotes())
		resp, err := c.Get(srv.URL)
		require.NoError(t, err)
		resp.Body.Close()
		done()
		t.Log(rec.errors())
		c.CloseIdleConnections()
	}
}

func TestAllowRemotesSocket(t *testing.T) {
	hole := mockserver.DropSYN(t)
	rec := &recorder{name: t.Name()}
	done := leakcheck.Verify(rec, leakcheck.AllowRemotes())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan bool)
	go func() {
		defer close(ended)
		new(net.Dialer).DialContext(ctx, "tcp", hole.Addr())
	}()
	done()
	cancel()
	<-ended
	t.Log(rec.errors())
}

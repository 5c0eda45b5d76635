package linked

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestLinked(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("body"))
	}))
	defer s.Close()
	req, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := roundTrip(tr, req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

package mockserver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The lengths are the oracles of facts/mock-servers-and-error-pages.md, 2.1 and 2.5; they were not taken from this code.
func TestALBPages(t *testing.T) {
	for _, want := range []struct {
		code   int
		line   string
		length int
		close  bool
	}{
		{400, "Bad Request", 122, true},
		{403, "Forbidden", 118, false},
		{413, "Request Entity Too Large", 148, true},
		{414, "Request-URI Too Large", 142, true},
		{500, "Internal Server Error", 142, false},
		{502, "Bad Gateway", 122, false},
		{503, "Service Temporarily Unavailable", 162, false},
		{504, "Gateway Time-out", 132, false},
	} {
		r := ALB(want.code)
		require.NoError(t, r.problem(), "%d", want.code)
		assert.Equal(t, want.code, r.code)
		assert.Equal(t, want.line, r.reason, "%d", want.code)
		assert.Len(t, r.body, want.length, "%d", want.code)
		assert.Equal(t, want.close, r.close, "%d", want.code)
	}
	assert.Len(t, albPages, 8)
	assert.Equal(t, "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n",
		string(ALB(403).body))
}

func TestNginxPages(t *testing.T) {
	for _, want := range []struct {
		code       int
		line       string
		off, token int // length with server_tokens off, and with nginx/1.31.5; 0 is not known
		close      bool
	}{
		{400, "Bad Request", 150, 157, true},
		{401, "Unauthorized", 0, 0, false},
		{403, "Forbidden", 146, 153, false},
		{404, "Not Found", 146, 153, false},
		{405, "Not Allowed", 150, 157, false},
		{408, "Request Time-out", 160, 167, false},
		{413, "Request Entity Too Large", 176, 183, true},
		{414, "Request-URI Too Large", 170, 177, true},
		{429, "Too Many Requests", 162, 169, false},
		{500, "Internal Server Error", 170, 177, true},
		{502, "Bad Gateway", 150, 157, false},
		{503, "Service Temporarily Unavailable", 190, 197, false},
		{504, "Gateway Time-out", 160, 167, false},
	} {
		r := Nginx(want.code)
		require.NoError(t, r.problem(), "%d", want.code)
		assert.Equal(t, want.line, r.reason, "%d", want.code)
		assert.Equal(t, want.close, r.close, "%d", want.code)
		if want.off > 0 {
			assert.Len(t, r.body, want.off, "%d", want.code)
			assert.Len(t, nginxPage(nginxPages[want.code].title, "nginx/1.31.5"), want.token, "%d", want.code)
		}
	}
	assert.Len(t, nginxPages, 13)
	assert.Contains(t, string(Nginx(401).body), "<title>401 Authorization Required</title>")
}

func TestStatusPages(t *testing.T) {
	for code := 400; code <= 999; code++ {
		r := Status(code)
		require.NoError(t, r.problem())
		require.NotEmpty(t, r.body)
		require.False(t, r.close, "%d", code)
		if _, ok := albPages[code]; ok {
			require.Equal(t, ALB(code).body, r.body)
			require.Equal(t, ALB(code).reason, r.reason)
		}
	}
	assert.Contains(t, string(Status(404).body), "<title>404 Not Found</title>")
	assert.Contains(t, string(Status(499).body), "<title>499</title>")
	for code := 200; code < 400; code++ {
		require.Empty(t, Status(code).body)
	}
}

package outbound

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, shown string
		yes, no        []string
	}{
		{"db.internal", "db.internal", []string{"db.internal:5432", "DB.Internal.:80", "db.internal"}, []string{"x.db.internal:5432", "10.0.0.1:5432"}},
		{"db.internal:5432", "db.internal:5432", []string{"db.internal:5432"}, []string{"db.internal:5433", "db.internal"}},
		{"web:80", "web:80", []string{"web:http"}, []string{"web:https"}},
		{"*.example.com:443", "*.example.com:443", []string{"a.example.com:443", "a.b.example.com:443"}, []string{"example.com:443", "a.example.com:80", "badexample.com:443"}},
		{"10.1.2.3", "10.1.2.3", []string{"10.1.2.3:1", "[::ffff:10.1.2.3]:1"}, []string{"10.1.2.4:1", "db.internal:1"}},
		{"10.0.0.0/8", "10.0.0.0/8", []string{"10.255.0.1:1"}, []string{"11.0.0.1:1", "db.internal:1"}},
		{"10.0.0.0/8:5432", "10.0.0.0/8:5432", []string{"10.255.0.1:5432"}, []string{"10.255.0.1:1"}},
		{"::1", "::1", []string{"[::1]:80"}, []string{"127.0.0.1:80"}},
		{"[::1]:80", "[::1]:80", []string{"[::1]:80"}, []string{"[::1]:81"}},
		{"fd00::/8", "fd00::/8", []string{"[fd00::5]:80"}, []string{"[fe80::5]:80"}},
		{"[fd00::/8]:5432", "[fd00::/8]:5432", []string{"[fd00::5]:5432"}, []string{"[fd00::5]:80"}},
		{"[fe80::]/10:80", "[fe80::]/10:80", []string{"[fe80::5%eth0]:80"}, []string{"[fe80::5%eth0]:81"}},
		{"localhost:80", "localhost:80", []string{"localhost:80", "127.0.0.1:80", "[::1]:80", ":80"}, []string{"localhost:81", "10.0.0.1:80"}},
		{"loopback", "loopback", []string{"localhost:80", "127.9.0.1:80", "[::1]:80"}, []string{"10.0.0.1:80", "loopback:80"}},
		{"loopback:80", "loopback:80", []string{"127.0.0.1:80"}, []string{"127.0.0.1:81"}},
		{"unix", "unix", nil, []string{"localhost:80", "unix:80"}},
		{"127.0.0.1:80", "127.0.0.1:80", []string{"localhost:80"}, []string{"127.0.0.2:80"}},
		{"http://127.0.0.1:4321", "127.0.0.1:4321", []string{"127.0.0.1:4321"}, []string{"127.0.0.1:80"}},
		{"https://api.example.com/v1?x=1", "api.example.com:443", []string{"api.example.com:443"}, []string{"api.example.com:80"}},
		{"amqp://guest:secret@broker", "broker:5672", []string{"broker:5672"}, []string{"broker:80"}},
		{"what://host", "host", []string{"host:80"}, []string{"other:80"}},
		{OwnListeners, "leakcheck.OwnListeners", nil, []string{"127.0.0.1:80", "localhost:80"}},
	} {
		p, err := ParsePattern(c.pattern)
		require.NoError(t, err, c.pattern)
		assert.Equal(t, c.shown, p.String())
		for _, a := range c.yes {
			assert.True(t, p.Matches(TargetOf("tcp", a)), "%s allows %s", c.pattern, a)
		}
		for _, a := range c.no {
			assert.False(t, p.Matches(TargetOf("tcp", a)), "%s does not allow %s", c.pattern, a)
		}
	}

	p, err := ParsePattern("unix:/run/*.sock")
	require.NoError(t, err)
	assert.True(t, p.Matches(TargetOf("unix", "/run/app.sock")))
	assert.False(t, p.Matches(TargetOf("unix", "/run/x/app.sock")))
	assert.False(t, p.Matches(TargetOf("tcp", "/run/app.sock")))
	p, err = ParsePattern("unix:///run/app.sock")
	require.NoError(t, err)
	assert.Equal(t, "unix:/run/app.sock", p.String())
	p, err = ParsePattern("unix:@app")
	require.NoError(t, err)
	assert.True(t, p.Matches(TargetOf("unixgram", "@app")))
	p, err = ParsePattern(Unix)
	require.NoError(t, err)
	assert.True(t, p.Matches(TargetOf("unixgram", "@app")))
	p, err = ParsePattern("app")
	require.NoError(t, err)
	assert.False(t, p.Matches(TargetOf("unix", "app")), "a host is no path")
}

// TestMatchesHost: a host is allowed where it is at a port.
func TestMatchesHost(t *testing.T) {
	for pattern, want := range map[string]bool{
		"db.internal": true, "db.internal:5432": true, "*.internal:80": true, "other:5432": false, "10.0.0.0/8": false, Unix: false,
	} {
		p, err := ParsePattern(pattern)
		require.NoError(t, err)
		assert.Equal(t, want, p.MatchesHost("DB.internal."), pattern)
	}
}

func TestPatternRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                    "it is empty",
		"OwnListeners":        "it is the name of the constant leakcheck.OwnListeners: write that without quotes",
		"db.internal 5432":    "it has a space",
		"db.internal:":        "there is no port behind the colon",
		"db.internal:x":       `port "x" is no number from 1 to 65535`,
		"db.internal:0":       `port "0" is no number from 1 to 65535`,
		"db.internal:65536":   `port "65536" is no number from 1 to 65535`,
		"a:b:c":               "it has more than one colon, and is no IPv6 address",
		"[::1":                "after the ] there may be a colon and a port alone",
		"[::1]80":             "after the ] there may be a colon and a port alone",
		"[::1]:":              "after the ] there may be a colon and a port alone",
		"10.0.0.0/40":         `"10.0.0.0/40" is no range of addresses`,
		"10.0.0.1/8":          "the range 10.0.0.1/8 has bits behind its length: write 10.0.0.0/8",
		"db.internal/8":       `"db.internal/8" is no range of addresses`,
		":5432":               "it has no host",
		"5432":                `"5432" is neither a host name nor an address`,
		"300.1.1.1":           `"300.1.1.1" is neither a host name nor an address`,
		"a..b":                `"a..b" is no host name: a part of it is empty`,
		"db_1.inter$nal":      `"db_1.inter$nal" is no host name: it has '$'`,
		"*":                   "a * may only be the whole first part of a host name, as in *.example.com",
		"a.*.com":             "a * may only be the whole first part of a host name, as in *.example.com",
		"*.":                  "it has no host",
		"http://":             "it is no URL with a host",
		"http://u:p@[::1/x":   "it is no URL with a host",
		"u:p@host:5432":       "it has an @: write host and port alone, or a URL with its scheme",
		"unix:":               "a unix socket needs its full path, or the name of an abstract one with an @",
		"unix:run/app.sock":   "a unix socket needs its full path, or the name of an abstract one with an @",
		"unix:/run/[app.sock": "a unix socket needs its full path, or the name of an abstract one with an @",
	} {
		p, err := ParsePattern(pattern)
		assert.EqualError(t, err, want, pattern)
		assert.NotContains(t, p.String(), "u:p")
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a:1", "*.b", "10.0.0.0/8:1", "[::1]:2", "http://u:p@h/", "unix:/x*"} {
		f.Add(s, "10.0.0.1:1")
	}
	f.Fuzz(func(_ *testing.T, pattern, address string) {
		p, err := ParsePattern(pattern)
		if err == nil {
			p.Matches(TargetOf("tcp", address))
			p.Matches(TargetOf("unix", address))
		}
	})
}

// TestCutService: as package net takes host and port apart; what it cannot is all host.
func TestCutService(t *testing.T) {
	for address, want := range map[string][2]string{
		"a:1": {"a", "1"}, ":80": {"", "80"}, "a:": {"a", ""}, "[::1]:80": {"::1", "80"}, "[fe80::1%eth0]:80": {"fe80::1%eth0", "80"}, "[a]:1": {"a", "1"},
		"a": {"a", ""}, "": {"", ""}, "::1": {"::1", ""}, "a:b:c": {"a:b:c", ""}, "[::1]": {"[::1]", ""}, "[::1]x:80": {"[::1]x:80", ""}, "[[a]]:80": {"[[a]]:80", ""},
	} {
		host, service := cutService(address)
		assert.Equal(t, want, [2]string{host, service}, address)
		if h, s, err := net.SplitHostPort(address); err == nil {
			assert.Equal(t, [2]string{h, s}, want, address)
		}
	}
}

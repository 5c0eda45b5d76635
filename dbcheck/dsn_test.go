package dbcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHideDSN(t *testing.T) {
	for _, c := range []struct{ text, dsn, want string }{
		{"nothing", "", "nothing"},
		{`cannot parse "postgres://app:pw@host/db": no`, "postgres://app:pw@host/db", `cannot parse "(data source name)": no`},
		{"user app, password pw1", "app:pw1@tcp(host)/db", "user app, password …"},
		{"cannot parse host=x password=pw2", "host=x password=pw2 port=y", "cannot parse host=x password=…"},
		{"the password is p@/w", "postgres://app:p%40%2Fw@host/db", "the password is …"},
		{"host=x password='' is wrong", "host=x password='' port=y", "host=x password=… is wrong"},
		{"the password is 'p w'", "host=x password='p w'", "the password is '…'"},
	} {
		assert.Equal(t, c.want, hideDSN(c.text, c.dsn))
	}
}

// TestHidePasswords: what drivers quote of a data source name that they cannot parse; lib/pq and pgx did so in these words.
func TestHidePasswords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"nothing: a@b, port=x", "nothing: a@b, port=x"},
		{`parse "postgres://app:s3%2Ft@127.0.0.1:x/db": invalid port ":x" after host`, `parse "postgres://app:…@127.0.0.1:x/db": invalid port ":x" after host`},
		{`parse "postgres://app:a@b:c@h:x/db": no`, `parse "postgres://app:…@h:x/db": no`},
		{"cannot parse `host = h password = 'p \\' w' user = app`: no", "cannot parse `host = h password = … user = app`: no"},
		{"cannot parse `host=h password=p\\ w user=app`: no", "cannot parse `host=h password=… user=app`: no"},
		{"cannot parse `password='p w", "cannot parse `password=…"},
		{"app:p@w:x@tcp(h:1)/db is wrong", "app:…@tcp(h:1)/db is wrong"},
		{"file:x.db?_auth_pass=pw&password=pw2&x=1", "file:x.db?_auth_pass=…&password=…&x=1"},
	} {
		assert.Equal(t, c.want, hidePasswords(c.text))
	}
}

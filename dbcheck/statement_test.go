package dbcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStatement(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"SELECT 1", "SELECT ?"},
		{"  SELECT\n\t id ,  name\nFROM users ; ", "SELECT id , name FROM users"},
		{"WHERE name = 'secret'", "WHERE name = '…'"},
		{"WHERE name = 'it''s secret' AND n > 41", "WHERE name = '…' AND n > ?"},
		{"x = -1.5e-9 + .25 + 0xff + t1.c2", "x = -? + ? + ? + t1.c2"},
		{"a = $1 AND b = ? AND c = :name AND d = @p1 AND e = $name", "a = $1 AND b = ? AND c = :name AND d = @p1 AND e = $name"},
		{"x::int = 5", "x::int = ?"},
		{"SELECT * FROM \"users\" WHERE \"users\".\"id\" = $1", "SELECT * FROM \"users\" WHERE \"users\".\"id\" = $1"},
		{"WHERE name = \"secret\"", "WHERE name = \"…\""},
		{"SELECT `na me` FROM `t`", "SELECT `na me` FROM `t`"},
		{"SELECT a[1], ARRAY['secret']", "SELECT a[?], ARRAY['…']"},
		{"SELECT 1 -- secret's\n, 2 /* secret ' */ , 3", "SELECT ? , ? , ?"},
		{"SELECT 1 # secret's\n, 2", "SELECT ? …"},
		{"SELECT a #> b", "SELECT a #> b"},
		{"SELECT $tag$secret ' text$tag$, 1", "SELECT $…$, ?"},
		{"SELECT $$secret", "SELECT …"},
		{"SELECT /* secret", "SELECT …"},
		{"SELECT 'secret", "SELECT …"},
		{`SELECT 'a\', 'secret'`, "SELECT …"},
		{"INSERT INTO t VALUES (1,'secret',\"secret\",N'secret',X'00')", "INSERT INTO t VALUES (?,'…',\"…\",N'…',X'…')"},
		{strings.Repeat("a ", 200), strings.Repeat("a ", 80) + "…"},
		{"SELECT 'é', é", "SELECT '…', é"},
	} {
		assert.Equal(t, c.want, statement(c.query), c.query)
	}
}

func FuzzStatement(f *testing.F) {
	f.Add("SELECT 'a', \"b\", `c`, [d], $1, $x$y$x$, 12.5e-3 -- e\n/* f */ # g")
	f.Fuzz(func(t *testing.T, q string) {
		out := statement(q)
		if n := len([]rune(out)); n > maxStatement+1 {
			t.Errorf("%d characters", n)
		}
		// A literal between quotes, with nothing around it that could move them, is never shown.
		if clean := strings.Map(func(r rune) rune {
			if strings.ContainsRune("'\"`\\/-#$[", r) {
				return -1
			}
			return r
		}, q); clean != "" {
			if out := statement("SELECT '" + "zz" + clean + "zz' FROM t"); strings.Contains(out, "zz") {
				t.Errorf("%q is shown in %q", clean, out)
			}
		}
	})
}

func TestHideDSN(t *testing.T) {
	for _, c := range []struct{ text, dsn, want string }{
		{"nothing", "", "nothing"},
		{`cannot parse "postgres://app:pw@host/db": no`, "postgres://app:pw@host/db", `cannot parse "(data source name)": no`},
		{"user app, password pw1", "app:pw1@tcp(host)/db", "user app, password …"},
		{"cannot parse host=x password=pw2", "host=x password=pw2 port=y", "cannot parse host=x password=…"},
		{"the password is 'p w'", "host=x password='p w'", "the password is '…'"},
	} {
		assert.Equal(t, c.want, hideDSN(c.text, c.dsn))
	}
}

package sqltext

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
		assert.Equal(t, c.want, Statement(c.query), c.query)
	}
}

// TestUncertain: where dialects differ on what a literal or a comment is, nothing of it is shown.
func TestUncertain(t *testing.T) {
	for _, c := range []struct{ why, query, want string }{
		{"a FROM in a function is before a literal in MySQL", "SELECT TRIM(BOTH ' ' FROM \"secret\")", "SELECT TRIM(BOTH '…' FROM \"…\")"},
		{"that of a query within is before a name", "SELECT (SELECT a FROM \"t\"), (b) FROM \"u\"", "SELECT (SELECT a FROM \"t\"), (b) FROM \"u\""},
		{"IS DISTINCT FROM", "SELECT a IS DISTINCT FROM \"secret\"", "SELECT a IS DISTINCT FROM \"…\""},
		{"comments nest in Postgres", "SELECT /* a /* b */ ' */ 'secret'", "SELECT …"},
		{"the star begins no end", "SELECT /*/ secret */ 1", "SELECT ?"},
		{"two minus signs in MySQL", "SELECT 5--'a\nsecret'", "SELECT ?…"},
		{"a comment in every dialect", "SELECT 5--a\n, 6 --'secret\n", "SELECT ? , ? …"},
		{"a comment of MySQL", "SELECT 1 # secret\n, 2", "SELECT ? …"},
		{"a comment of MySQL, in which one of others begins", "SELECT 1 #> /*\n, 'a */ secret'", "SELECT ? …"},
		{"and a literal of Postgres", "SELECT 1 #> $$\n, '$$ secret'", "SELECT ? …"},
		{"a dollar within a name", "SELECT a$b$, 'x$b$ secret'", "SELECT a…"},
		{"Oracle's own quotes", "SELECT q'[it's secret]', 1", "SELECT q…"},
		{"and its national ones", "SELECT NQ'{it's secret}', 1", "SELECT NQ…"},
		{"a name in brackets, or the literals of an array", "SELECT [a'b], 'secret'", "SELECT …"},
		{"both quotes in it", "SELECT [a'\"b'\"], \"secret\"", "SELECT …"},
	} {
		assert.Equal(t, c.want, Statement(c.query), c.why)
	}
}

func FuzzStatement(f *testing.F) {
	f.Add("SELECT 'a', \"b\", `c`, [d], $1, $x$y$x$, 12.5e-3 -- e\n/* f */ # g")
	f.Fuzz(func(t *testing.T, q string) {
		out := Statement(q)
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
			if out := Statement("SELECT '" + "zz" + clean + "zz' FROM t"); strings.Contains(out, "zz") {
				t.Errorf("%q is shown in %q", clean, out)
			}
		}
	})
}

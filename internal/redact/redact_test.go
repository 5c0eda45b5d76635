package redact

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every "secret" in these texts must go. What else goes with it is seen in the text that is expected.
func TestText(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		// Queries.
		{"a query", "GET https://api.example.com/x?token=secret&page=secret2 (403)", "GET https://api.example.com/x?token=…&page=… (403)"},
		{"a relative one", "GET /x?token=secret", "GET /x?token=…"},
		{"in a sentence", "it asked for /x?token=secret, then ended.", "it asked for /x?token=…, then ended."},
		{"in parentheses", "(GET /x?a=secret)", "(GET /x?a=…)"},
		{"in quotes", `Get "http://h/x?a=secret": EOF`, `Get "http://h/x?a=…": EOF`},
		{"in quotes within quotes", `"Get \"http://h/x?a=secret\": EOF"`, `"Get \"http://h/x?a=…\": EOF"`},
		{"an apostrophe in a value", "GET /x?a=it's-secret b", "GET /x?a=… b"},
		{"without a path", "http://h?a=secret", "http://h?a=…"},
		{"a name without a value", "/x?debug&a=secret", "/x?debug&a=…"},
		{"a list", "/x?ids[]=secret&ids[]=secret", "/x?ids[]=…&ids[]=…"},
		{"a fragment", "http://h/cb#access_token=secret&x=1", "http://h/cb#access_token=…&x=1"},
		{"a DSN's", "postgres://db/shop?sslpassword=secret&user=secret", "postgres://db/shop?sslpassword=…&user=…"},

		// Users and passwords.
		{"a DSN with a scheme", "postgres://shop:secret@db:5432/shop", "postgres://shop:…@db:5432/shop"},
		{"without a user", "redis://:secret@cache:6379/0", "redis://:…@cache:6379/0"},
		{"with an @ in it", "amqp://u:sec@secret@mq/", "amqp://u:…@mq/"},
		{"with a slash in it", "postgres://u:sec/secret@db/shop", "postgres://u:…@db/shop"},
		{"with a slash in it, over HTTP", "http://u:sec/secret@h/x", "http://u:…@h/x"},
		{"with a blank in it", `parse "postgres://u:my secret@db/shop": net/url: invalid userinfo`, `parse "postgres://u:…@db/shop": net/url: invalid userinfo`},
		{"several hosts", "mongodb://u:secret@a,b/db?x=secret", "mongodb://u:…@a,b/db?x=…"},
		{"HTTP", "https://u:secret@h/x", "https://u:…@h/x"},
		{"a token as the user", "https://secret@github.com/o/r", "https://…@github.com/o/r"},
		{"the Go driver of MySQL", "shop:secret@tcp(db:3306)/shop?tls=secret", "shop:…@tcp(db:3306)/shop?tls=…"},
		{"on a socket", "dial shop:secret@unix(/run/mysql.sock)/shop", "dial shop:…@unix(/run/mysql.sock)/shop"},
		{"without an address", "shop:secret@/shop", "shop:…@/shop"},
		{"with everything in it", "shop:s:e@c/r(e)t@tcp(db)/shop", "shop:…@tcp(db)/shop"},
		{"with a blank in it", `sql.Open "shop:my secret@tcp(db)/shop"`, `sql.Open "shop:…@tcp(db)/shop"`},
		{"without a scheme", "sqlserver shop:secret@db.example.com:1433", "sqlserver shop:…@db.example.com:1433"},
		{"behind a name", "dsn=shop:secret@db", "dsn=shop:…@db"},

		// Names and values.
		{"a connection string", "host=db user=shop password=secret dbname=shop", "host=db user=shop password=… dbname=shop"},
		{"in quotes", "host=db password='my secret' user=shop", "host=db password='…' user=shop"},
		{"with a quote in it", `password='it\'s secret' user=shop`, `password='…' user=shop`},
		{"with a doubled quote", "password='it''s secret' user=shop", "password='…' user=shop"},
		{"with an escaped blank", `password=my\ secret user=shop`, `password=… user=shop`},
		{"blanks around", "password = secret user = shop", "password = … user = shop"},
		{"passwd", "passwd=secret;server=db", "passwd=…;server=db"},
		{"pwd", "Server=db;Pwd=secret;Database=shop", "Server=db;Pwd=…;Database=shop"},
		{"pwd in braces", "Pwd={sec;secret};Database=shop", "Pwd={…};Database=shop"},
		{"in double quotes", `Password="sec;secret";Database=shop`, `Password="…";Database=shop`},
		{"a comma in it", "password=sec,secret user=shop", "password=… user=shop"},
		{"an apostrophe in it", "password=o'secret user=shop", "password=… user=shop"},
		{"at the end of a text in quotes", `connect "host=db password=secret": refused`, `connect "host=db password=…": refused`},
		{"the environment", "DB_PASSWORD=secret PGPASSWORD=secret AWS_SECRET_ACCESS_KEY=secret GITHUB_TOKEN=secret", "DB_PASSWORD=… PGPASSWORD=… AWS_SECRET_ACCESS_KEY=… GITHUB_TOKEN=…"},
		{"JSON", `{"user":"shop","password":"secret","apiKey": "secret"}`, `{"user":"shop","password":"…","apiKey": "…"}`},
		{"JSON in a text", `"{\"password\":\"secret\"}"`, `"{\"password\":\"…\"}"`},
		{"JSON with a quote in it", `{"password":"se\"secret"}`, `{"password":"…"}`},
		{"YAML", "password: secret", "password: …"},
		{"Go", `{User:shop Password:secret Host:db}`, `{User:shop Password:… Host:db}`},
		{"a form", "grant_type=x&client_secret=secret&a=b", "grant_type=x&client_secret=…&a=b"},
		{"camel case", "clientSecret=secret accessToken=secret", "clientSecret=… accessToken=…"},
		{"Azure", "AccountName=shop;AccountKey=secret==;EndpointSuffix=x", "AccountName=shop;AccountKey=…;EndpointSuffix=x"},

		// Headers.
		{"Authorization", "Authorization: Bearer secret", "Authorization: Bearer …"},
		{"and what follows it", "sent Authorization: Bearer secret to GET /x (403)", "sent Authorization: Bearer … to GET /x (403)"},
		{"without a scheme", "authorization: my secret", "authorization: …"},
		{"Digest", `Authorization: Digest username="secret", response="secret"`, "Authorization: Digest …"},
		{"AWS", "Authorization: AWS4-HMAC-SHA256 Credential=secret, Signature=secret", "Authorization: AWS4-HMAC-SHA256 …"},
		{"Proxy-Authorization", "Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==", "Proxy-Authorization: Basic …"},
		{"Cookie", "Cookie: sid=secret; theme=secret", "Cookie: …"},
		{"Set-Cookie", "HTTP/1.1 200 OK\r\nSet-Cookie: sid=secret; Path=/\r\nServer: nginx", "HTTP/1.1 200 OK\r\nSet-Cookie: …\r\nServer: nginx"},
		{"a cookie with quotes", `Cookie: a="secret"; b=secret`, "Cookie: …"},
		{"X-Api-Key", "X-Api-Key: secret", "X-Api-Key: …"},
		{"X-Auth-Token", "X-Auth-Token: my secret", "X-Auth-Token: …"},
		{"a signature", "X-Hub-Signature: secret", "X-Hub-Signature: …"},
		{"in a command", "curl -H 'Authorization: token secret' -H 'Accept: */*' http://h", "curl -H 'Authorization: token …' -H 'Accept: */*' http://h"},
		{"in quotes", `sent "X-Api-Key: secret" to h`, `sent "X-Api-Key: …" to h`},
		{"a header map", "map[Accept:[*/*] Authorization:[Bearer secret] Cookie:[a=secret; b=secret]]", "map[Accept:[*/*] Authorization:[Bearer …] Cookie:[…]]"},
		{"in JSON", `{"Authorization":"Bearer secret","Accept":"*/*"}`, `{"Authorization":"Bearer …","Accept":"*/*"}`},
		{"a map in JSON", `{"Cookie":["a=secret","b=secret"],"Accept":["*/*"]}`, `{"Cookie":["…","…"],"Accept":["*/*"]}`},
		{"Bearer alone", "it sent Bearer secret and got 403", "it sent Bearer … and got 403"},
		{"Basic alone", "it sent Basic c2VjcmV0OnNlY3JldA== and got 403", "it sent Basic … and got 403"},

		// Tokens by their form.
		{"GitHub", "used ghp_0123456789abcdefghijSECRET0123456789 for it", "used ghp_… for it"},
		{"AWS", "AKIA0123456789SECRET is the key", "AKIA… is the key"},
		{"a JSON web token", "(eyJhbGciOiJIUzI1NiJ9.eyJzZWNyZXQiOjF9.c2VjcmV0)", "(eyJ…)"},
		{"a private key", "-----BEGIN RSA PRIVATE KEY-----\nsecret\nsecret\n-----END RSA PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----…-----END RSA PRIVATE KEY-----\n"},

		// Statements.
		{"a literal", "SELECT id FROM users WHERE name = 'secret' AND pin = 1234", "SELECT id FROM users WHERE name = '…' AND pin = ?"},
		{"in a sentence", "the rows of SELECT name FROM users WHERE name = 'secret'", "the rows of SELECT name FROM users WHERE name = '…'"},
		{"small letters", "query select id from users where name = 'secret'", "query select id from users where name = '…'"},
		{"an insert", "insert into users values (1, 'secret')", "insert into users values (?, '…')"},
		{"an update", "UPDATE users SET password = 'secret', pin = 1234 WHERE id = 5", "UPDATE users SET password = '…', pin = ? WHERE id = ?"},
		{"a delete", "DELETE FROM users WHERE mail = 'secret'", "DELETE FROM users WHERE mail = '…'"},
		{"a role", "ALTER USER shop WITH PASSWORD 'secret'", "ALTER USER shop WITH PASSWORD '…'"},
		{"a MySQL user", "CREATE USER shop IDENTIFIED BY 'secret'", "CREATE USER shop IDENTIFIED BY '…'"},
		{"in quotes", `query "SELECT 1 FROM t WHERE a = 'secret'" failed after 3s`, `query "SELECT ? FROM t WHERE a = '…'" failed after 3s`},
		{"double quotes within", `query "SELECT 1 FROM t WHERE a = "secret""`, `query "SELECT ? FROM t WHERE a = …`},
		{"several lines", "SELECT a\nFROM t\nWHERE b = 'sec\nsecret'", "SELECT a FROM t WHERE b = '…'"},
		{"an open end", "SELECT a FROM t WHERE b = 'secret", "SELECT a FROM t WHERE b = …"},
		{"a condition alone", "WHERE pin = 1234", "WHERE pin = ?"},
		{"a report's own words behind it", "idle; last: INSERT INTO t VALUES (5, 'secret'); out: sql.Tx from db.Begin at a_test.go:41", "idle; last: INSERT INTO t VALUES (?, '…'); out: sql.Tx from db.Begin at a_test.go:41"},
		{"what only looks like them", "SELECT a FROM t WHERE b = 'x; out: secret'", "SELECT a FROM t WHERE b = '…'"},
		{"a second statement", "SET a = 1; set b = 'secret'", "SET a = ?; set b = '…'"},
	} {
		got := Text(c.in)
		assert.Equal(t, c.want, got, "%s: %s", c.why, c.in)
		assert.NotContains(t, strings.ToLower(got), "secret ", c.why)
		assert.Equal(t, got, Text(got), "%s, a second time", c.why)
	}
}

// TestTextUnchanged: what has no secret stays as it is, what is masked already too.
func TestTextUnchanged(t *testing.T) {
	for _, s := range []string{
		"",
		"response body of GET /session (403, awselb/2.0) was never closed",
		"response body of DELETE /users/12 (403) was never closed",
		"response body of GET /x?a=…&b=… (200, nginx) was read to EOF but never closed",
		"http-response | tracked | example.com/shop/store.(*Client).Get < example.com/shop/store.TestClient.func* | TestClient",
		"github.com/shop/store.(*Client[...]).Get",
		"example.com/orm@v1.2.3/orm.go:41 orm.(*DB).Query",
		"/home/me/go/pkg/mod/example.com/orm@v1.2.3/orm.go:5",
		`C:\Users\me\go\pkg\mod\example.com\orm@v1.2.3\orm.go`,
		"C:/Users/me/go/pkg/mod/example.com/orm@v1.2.3/orm.go:5",
		"registry:5000/shop/db@sha256:0123456789abcdef",
		"git@github.com:leakgate/leakgate.git",
		"https://example.com:8080/@user/x",
		"http://[::1]:8080/@user",
		"mailto:someone@example.com",
		"socket tcp4 127.0.0.1:53422->127.0.0.1:8080 CLOSE_WAIT (fd 9)",
		"goroutine 41 [select, 3 minutes]: select (no cases)",
		"the goroutine that is in the call: select",
		"held for 3s; last thing done with it: QueryContext, 2s ago; a transaction is open on it; server process 41",
		"session 41 of shop on shop from 127.0.0.1:5432: idle in transaction for 3s; last: INSERT INTO users VALUES (?, '…'); out: sql.Tx from db.Begin at sessions_test.go:41",
		"SELECT id FROM items WHERE id > $1 ORDER BY id",
		"SELECT name FROM users WHERE name = '…' AND id > ?",
		"UPDATE users SET password = $1, token = ? WHERE id = :id AND secret = @secret",
		"SELECT …",
		"12 idle connections to one server: more than one transport keeps",
		"http.DefaultTransport reused a connection for 40% of its requests, and the budget is 75%",
		"defer cmd.Wait(), and stop the process before: use exec.CommandContext with a context that the test cancels",
		"cfg.MaxConns, or pool_max_conns in the connection string",
		"TestClient/GET_/session#01",
		"pass=5 fail=2 tokens=9 author=me password_file=/run/x token_type=jwt passed=3",
		"--- PASS: TestLeak (0.01s)",
		"Basic authentication, a Bearer token, the bearer of it",
		"Content-Type: text/html; charset=utf-8",
		"password=… user=shop",
		"Authorization: Bearer …",
		"postgres://shop:…@db/shop?sslmode=…",
		"it's what net/http's readLoop waits for",
		"is it closed? yes",
		"go1.26.8 X:nogreenteagc",
		"2026-09-01",
		"LK001",
	} {
		assert.Equal(t, s, Text(s))
	}
}

func TestCode(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		{"a query", `resp, err := http.Get("https://h/x?token=secret")`, `resp, err := http.Get("https://h/x?token=…")`},
		{"a header", `req.Header.Set("Authorization", "Bearer secret")`, `req.Header.Set("Authorization", "Bearer …")`},
		{"one of an API", `req.Header.Add("X-Api-Key", "secret") // LEAK`, `req.Header.Add("X-Api-Key", "…") // LEAK`},
		{"a map of them", `http.Header{"Cookie": {"sid=secret"}}`, `http.Header{"Cookie": {"…"}}`},
		{"a password", `db, err := open("shop", password("secret"))`, `db, err := open("shop", password("…"))`},
		{"a constant", `const apiKey = "secret"`, `const apiKey = "…"`},
		{"a variable", "password := `secret`", "password := `…`"},
		{"with its type", `var password string = "secret"`, `var password string = "…"`},
		{"a field", `Password: "secret",`, `Password: "…",`},
		{"the environment", `t.Setenv("DB_PASSWORD", "secret")`, `t.Setenv("DB_PASSWORD", "…")`},
		{"a map", `m["token"] = "secret"`, `m["token"] = "…"`},
		{"a comparison", `if token == "secret" {`, `if token == "…" {`},
		{"a DSN", `db, err := sql.Open("pgx", "postgres://shop:secret@db/shop")`, `db, err := sql.Open("pgx", "postgres://shop:…@db/shop")`},
		{"one of MySQL", `db, err := sql.Open("mysql", "shop:my secret@tcp(db)/shop")`, `db, err := sql.Open("mysql", "shop:…@tcp(db)/shop")`},
		{"a connection string", `sql.Open("pgx", "host=db password=secret user=shop")`, `sql.Open("pgx", "host=db password=… user=shop")`},
		{"Basic", `req.SetBasicAuth("shop", "secret")`, `req.SetBasicAuth("shop", "…")`},
		{"the user of an address", `u.User = url.UserPassword(user, "secret")`, `u.User = url.UserPassword(user, "…")`},
		{"a statement", `rows, err := db.Query("SELECT a FROM t WHERE b = 'secret' AND c = 1234")`, `rows, err := db.Query("SELECT a FROM t WHERE b = '…' AND c = ?")`},
		{"a line of one", `WHERE name = 'secret' AND pin = 1234`, `WHERE name = '…' AND pin = ?`},
		{"values", `(1, 'secret'),`, `(1, '…'),`},
		{"a line of one, and its end", "AND name = 'secret'`, id)", "AND name = '…'…"},
		{"a line of a connection string", "host=db password=secret user=shop", "host=db password=… user=shop"},
		{"a line of a request", "Authorization: Bearer secret", "Authorization: Bearer …"},
		{"a comment", `f() // GET /x?token=secret`, `f() // GET /x?token=…`},
		{"an address in a comment", `f() // postgres://u:secret@h`, `f() // postgres://u:…@h`},
	} {
		got := Code(c.in)
		assert.Equal(t, c.want, got, c.why)
		assert.Equal(t, got, Code(got), "%s, a second time", c.why)
	}
}

func TestCodeUnchanged(t *testing.T) {
	for _, s := range []string{
		"resp, err := c.http.Do(req) // LEAK body",
		"for frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])]); ; {",
		`rows, err := s.db.Query("SELECT id FROM items")`,
		`return s.db.QueryContext(ctx, s.q("SELECT id FROM items WHERE id > ? ORDER BY id"), 0)`,
		`rows, err := db.Query("SELECT a FROM t WHERE "+cond, 5)`,
		`rows, err := db.Query("SELECT a FROM t WHERE b = $1", "x", 41)`,
		`password := os.Getenv("DB_PASSWORD")`,
		`Password: cfg.Password, Token: tok,`,
		`if token == "" || password != nil {`,
		`req.Header.Set("Authorization", "Bearer "+token)`,
		`req.Header.Set("Authorization", auth)`,
		`req.SetBasicAuth(user, password)`,
		`u := fmt.Sprintf("https://%s/x?token=%s", host, token)`,
		`dsn := fmt.Sprintf("postgres://%s:%s@%s/db", user, password, host)`,
		`case 'a', '\'', '\n', '\x00', '\u00e9', 'é':`,
		"s = s + `'` + string('x')",
		`// it's the user's`,
		`m := map[string]int{"a": 1, "b": 2}`,
		`resp, err := http.Get(url + "/session")`,
		`x := a / b // c`,
		`go func() { defer close(done); <-ctx.Done() }()`,
		`SELECT id FROM items`,
		`WHERE id = $1`,
		`secret, err := store.Secret(ctx, "name")`,
	} {
		assert.Equal(t, s, Code(s))
	}
}

// TestReports: no text that Leakgate's own reports have is changed.
func TestReports(t *testing.T) {
	n := 0
	for _, pattern := range []string{
		"../report/testdata/text.txt", "../../leakcheck/testdata/golden/*", "../../dbcheck/drivertests/*/testdata/golden/*", "../../dbcheck/pgxcheck/testdata/golden/*",
	} {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSpace(line)
				want := line
				if strings.Contains(line, "err := s.db.") { // a line of source: a literal of its statement goes
					want = strings.NewReplacer("1000", "?", "id = 1", "id = ?").Replace(line)
				}
				assert.Equal(t, want, Text(line), name)
				n++
			}
		}
	}
	assert.Greater(t, n, 1000, "lines")
}

func TestSecretName(t *testing.T) {
	for _, name := range []string{
		"password", "Password", "DB_PASSWORD", "PGPASSWORD", "passwd", "pwd", "db.pwd", "pass", "passphrase", "secret", "clientSecret", "client_secret",
		"token", "csrfToken", "X-Auth-Token", "api_key", "apiKey", "APIKey", "X-Api-Key", "AWS_SECRET_ACCESS_KEY", "privateKey", "AccountKey", "sslpassword",
		"sessionid", "JSESSIONID", "sid", "jwt",
	} {
		assert.True(t, secretName(name), name)
	}
	for _, name := range []string{
		"", "a", "key", "tokens", "max_tokens", "passed", "bypass", "author", "token_type", "password_file", "passwordFile", "keyboard", "secretary", "session",
		"side", "signal", "tokenizer", "primary_key", "foreignKey",
	} {
		assert.False(t, secretName(name), name)
	}
}

// TestLinear: texts that would take hours if some part were looked at again for each other part.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: texts of 256 KiB")
	}
	for _, part := range []string{
		"a", " ", "=", ":", "@", "?", "?a=", "&a=b", "://", "a://", "http://h:1/@", "a:b@", "a:b@tcp(", "a:b ", `"`, "'", "`", `\`, "password=", `password="`, "password='",
		`"password":`, "password={", "Authorization:", "Cookie:[", "\"Cookie: ", "Bearer ", "Bearer a", "basic ", "eyJ", "ghp_", "-----BEGIN ", "-----BEGIN PRIVATE KEY",
		"SELECT ", "select ", "SELECT '", "SELECT '';", "SELECT 1; x ", "select from ", "update ", "WHERE a=", "SELECT [", "SELECT $", "SELECT $a$", "SELECT /*", "with as (",
		"VALUES (", "CALL ", `"SELECT`, "`SELECT ", "a,", `"a",`, "SetBasicAuth(", `("a", `, "a_", "aB", "//", "{", "}", "\n", "é", "\xff",
	} {
		s := strings.Repeat(part, 1<<18/len(part))
		assert.LessOrEqual(t, len(Text(s)), 4*len(s), part)
		assert.LessOrEqual(t, len(Code(s)), 4*len(s), part)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"GET https://u:p@h/x?a=b&c=d#e (403)", "u:p@tcp(h)/db?x=y", `host=h password='a b' "pwd": "x" Pwd={a;b}`, "Authorization: Bearer x\r\nCookie: a=b",
		`map[Cookie:[a=b]] {"Authorization":["Bearer x"]}`, "SELECT 'a' FROM \"t\" WHERE b = 5; out: x", `x := "a" + 'b' // c`, "ghp_0123456789012345678901234567890",
		"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, mask := range []func(string) string{Text, Code} {
			out := mask(s)
			if again := mask(out); again != out {
				t.Errorf("%q: first %q, then %q", s, out, again)
			}
			if utf8.ValidString(s) && !utf8.ValidString(out) {
				t.Errorf("%q: %q is no UTF-8", s, out)
			}
		}
		// A value between blanks is never shown, whatever it is made of.
		secret := strings.Map(func(r rune) rune {
			if r <= ' ' || r == 0x7f || r > 0x7e || strings.ContainsRune("\"'`\\<>#&;{}()[],.:!?@/|=$%*", r) {
				return -1
			}
			return r
		}, s)
		if secret = "zq" + secret + "zq"; strings.Contains(Text("x "+secret), secret) {
			for _, form := range []string{
				"GET /x?a=%s b", "postgres://u:%s@h/db", "u:%s@tcp(h)/db", "password=%s x", `{"token":"%s"}`, "X-Api-Key: %s", "Authorization: Bearer %s",
				"SELECT a FROM t WHERE b = '%s'",
			} {
				in := strings.Replace(form, "%s", secret, 1)
				if out := Text(in); strings.Contains(out, secret) {
					t.Errorf("%q is shown in %q", secret, out)
				}
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"function", "example.com/shop/store.(*Client).Get"},
		{"summary", "response body of GET /session?token=… (403, awselb/2.0) was never closed"},
		{"statement", "SELECT name FROM users WHERE name = '…' AND id > ?"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Text(c.text)
			}
		})
	}
}

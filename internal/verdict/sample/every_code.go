package sample

import (
	"fmt"
	"time"

	"github.com/leakgate/leakgate/fragment"
)

// everyCode gives one leak of each code, as it is told by the package that finds it.
func everyCode() []fragment.Leak {
	rows := []struct{ code, kind, class, summary, hint string }{
		{`LK001`, "http-response", "GET", "response body of GET /session (403, awselb/2.0) was never closed", "defer resp.Body.Close()"},
		{`LK002`, "http-response", "GET", "response body of GET /ping (200) was read to its end and never closed", "defer resp.Body.Close()"},
		{`LK003`, "http-conn", "idle", "7 idle connections to one server: more than one transport keeps", "use one http.Client for all calls"},
		{`LK004`, "http-conn", "limit", "dials: api.test:80 is over its limit", ""},
		{`LK005`, "http-conn", "HighWater", "4 of 5 connections were out at once, HighWater allows 75 %", "defer resp.Body.Close()"},
		{`LK011`, "http-conn", "MaxLeased", "5 responses of the transport were out at once, MaxLeased allows 4", ""},
		{`LK012`, "http-conn", "MinReuse", "10 % of the requests found an open connection, MinReuse asks for 90 %", ""},
		{`LK013`, "http-conn", "NoEarlyClose", "3 bodies were closed before EOF", "io.Copy(io.Discard, resp.Body)"},
		{`LK021`, "http-response", "held", "a connection that the client still holds: GET /session was not closed", "defer resp.Body.Close()"},
		{`LK022`, "http-response", "suspect", "a connection that the client seems to hold", "defer resp.Body.Close()"},
		{`LK101`, "goroutine", "http server", "an http.Server on 127.0.0.1 was never shut down", "defer srv.Close()"},
		{`LK102`, "goroutine", "", "a goroutine has not ended: example.com/ledger/v2/db.(*Hub).run", ""},
		{`LK201`, "goroutine", "sql.DB", "a sql.DB was never closed", "defer db.Close()"},
		{`LK202`, "sql-tx", "sql.Tx", "a sql.Tx was never ended", "defer tx.Rollback()"},
		{`LK203`, "sql-rows", "sql.Rows", "sql.Rows of SELECT name FROM users WHERE id = ? were never closed", "defer rows.Close()"},
		{`LK204`, "sql-conn", "sql.Conn", "a connection of the pool was never given back", "defer conn.Close()"},
		{`LK205`, "sql-stmt", "sql.Stmt", "a sql.Stmt was never closed", "defer stmt.Close()"},
		{`LK206`, "sql-rows", "sql.Row", "a sql.Row of DELETE FROM carts WHERE id = ? RETURNING id was never scanned", "use Exec"},
		{`LK207`, "sql-conn", "sql.Conn", "Conn.Close waits for ever: rows of the connection are open", "defer rows.Close(), below it"},
		{`LK208`, "sql-conn", "sessions", "2 sessions of ledger are still open on the server, 1 idle in a transaction", "defer tx.Rollback()"},
		{`LK211`, "sql-conn", "MaxHold", "a connection was held for 812ms, MaxHold allows 50ms", ""},
		{`LK212`, "sql-conn", "MaxConns", "9 connections were open at once, MaxConns allows 4", "db.SetMaxOpenConns(4)"},
		{`LK213`, "sql-conn", "MinReuse", "20 % of the leases found an open connection, MinReuse asks for 80 %", "db.SetMaxIdleConns(10)"},
		{`LK214`, "sql-conn", "HighWater", "16 of 20 connections were out at once, HighWater allows 75 %", ""},
		{`LK215`, "sql-conn", "NoCallWhileHeld", "POST /charge was sent while a connection was held", ""},
		{`LK216`, "sql-conn", "NoNestedLease", "a second connection of the pool was asked for while one is held", ""},
		{`LK217`, "sql-conn", "Capacity", "12 instances with pools of 20 need 240 connections, and the server has 97", "a pool of 8 for each instance"},
		{`LK221`, "goroutine", "pgxpool.Pool", "a pgxpool.Pool was never closed", "defer pool.Close()"},
		{`LK222`, "pgx-conn", "pgx.Tx", "a pgx.Tx was never ended", "defer tx.Rollback(ctx)"},
		{`LK223`, "pgx-rows", "pgx.Rows", "pgx.Rows of select id from entries where day = $1 were never closed", "defer rows.Close()"},
		{`LK224`, "pgx-conn", "pgxpool.Conn", "a connection of the pool was never released", "defer conn.Release()"},
		{`LK225`, "pgx-rows", "pgx.BatchResults", "pgx.BatchResults were never closed", "defer results.Close()"},
		{`LK226`, "pgx-rows", "pgx.Row", "a pgx.Row was never scanned", "use Exec"},
		{`LK227`, "pgx-conn", "pgxpool.Pool", "pool.Close waits for ever: 1 connection is out", "defer conn.Release()"},
		{`LK228`, "pgx-conn", "pgxpool.Conn", "a connection was released with a transaction open", "tx.Rollback(ctx) before conn.Release()"},
		{`LK229`, "pgx-conn", "pgx.Conn", "a pgx.Conn was never closed", "defer conn.Close(ctx)"},
		{`LK301`, "socket", "tcp", "a TCP socket in CLOSE_WAIT", ""},
		{`LK302`, "socket", "tcp listener", "a listener was never closed", "defer l.Close()"},
		{`LK303`, "file", "file", "file app.log was never closed", "defer f.Close()"},
		{`LK401`, "process", "child sh", "a child process was never waited for: sh", "cmd.Wait()"},
		{`LK501`, "redis-conn", "redis", "a connection of the redis pool is out", ""},
		{`LK601`, "sql-conn", "Repeat", "1 more connection after each of 10 runs", "defer db.Close()"},
		{`LK602`, "socket", "Sample", "6 sockets in CLOSE_WAIT, AtMost allows 5", "defer resp.Body.Close()"},
		{`LK603`, "sql-conn", "Concurrently", "the pool was exhausted: 10 of 10 connections out, 90 waited", ""},
		{`LK604`, "sql-conn", "WarnHeld", "a connection was held for 4.2s", ""},
		{`LK605`, "socket", "AllowRemotes", "dial of broker.internal:5672, which is not allowed", ""},
		{`LK606`, "goroutine", "FailFast", "start-up has not returned after 2s", "a context with a deadline"},
		{`LK607`, "goroutine", "FailFast", "start-up returned no error", "return the error"},
		{`LK901`, "option", "", "leakcheck.Wait: -1s is no time to wait: give 0 or more", ""},
	}
	out := make([]fragment.Leak, len(rows))
	for i, r := range rows {
		l := fragment.Leak{
			Kind: r.kind, Code: r.code, Class: r.class, Summary: r.summary, Hint: r.hint, Count: 1, Outcome: fragment.Fatal, Role: "taken at",
			Test: "TestEvery" + r.code, Waited: time.Second, At: at(2000 + 10*i),
			Site: frame("example.com/ledger/v2/db.open"+r.code, "db/open.go", 10+i, "v, err := open(ctx)"),
		}
		l.Stack = []fragment.Frame{l.Site, frame("example.com/ledger/v2/db.TestEvery"+r.code, "db/open_test.go", 20+i, "use(t)")}
		l.Fingerprint = fmt.Sprintf("%s | %s | %s | %s", l.Kind, l.Class, l.Site.Func, l.Test)
		if r.code == `LK002` || r.code == `LK604` { // these are logged
			l.Outcome = fragment.Noted
		}
		out[i] = l
	}
	return out
}

// databaseProcess has every code.
func databaseProcess() *fragment.Fragment {
	f := &fragment.Fragment{
		Header: header(Ledger, "services/ledger", "db", 5101, 100), Leaks: everyCode(), Samples: growth(100, 40, 3, "ledger"),
		End: &fragment.End{At: at(12_000), Code: 1},
	}
	for i := range f.Leaks {
		result := fragment.Leaked
		if f.Leaks[i].Outcome == fragment.Noted {
			result = fragment.Passed
		}
		t := test(f.Leaks[i].Test, result, 1990+10*i, 10)
		if i%6 == 0 {
			t.Pools = []fragment.Pool{{
				Kind: "sql-conn", Name: "ledger (mariadb, 10.0.0.9)", Size: 40, Requests: 50, Peak: 28 + i/6, Dialed: 10, Reused: 40,
			}}
		}
		f.Tests = append(f.Tests, t)
	}
	return f
}

package patterns_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// ask gives what a query of one text gives.
func ask(t testing.TB, driver, dsn, query string) (text string) {
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(query).Scan(&text))
	return text
}

// byUnix gives the data source for the server's unix socket; the test is skipped where there is none on this machine.
func (d database) byUnix(t testing.TB) string {
	var path, dsn string
	if d.dollar {
		dir, _, _ := strings.Cut(ask(t, d.driver, d.admin, "SHOW unix_socket_directories"), ",")
		port := ask(t, d.driver, d.admin, "SHOW port")
		u, err := url.Parse(d.source)
		require.NoError(t, err)
		path = dir + "/.s.PGSQL." + port
		dsn = fmt.Sprintf("host=%s port=%s dbname=%s user=%s", dir, port, strings.Trim(u.Path, "/"), u.User.Username())
		if pw, ok := u.User.Password(); ok {
			dsn += " password=" + pw
		}
	} else {
		path = ask(t, d.driver, d.admin, "SELECT @@socket")
		cfg, err := mysql.ParseDSN(d.source)
		require.NoError(t, err)
		cfg.Net, cfg.Addr = "unix", path
		dsn = cfg.FormatDSN()
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Skipf("the server has no unix socket on this machine: %v", err)
	}
	c.Close()
	return dsn
}

// byTLS switches TLS on in a server of Postgres.
func (d database) byTLS(t testing.TB) string {
	admin, err := sql.Open(d.driver, d.admin)
	require.NoError(t, err)
	defer admin.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: cert}, "server.key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		text := strings.TrimSpace(string(pem.EncodeToMemory(block)))
		_, err := admin.Exec(fmt.Sprintf("COPY (SELECT unnest(string_to_array('%s', chr(10)))) TO PROGRAM 'umask 077; cat > \"%s/%s\"'", text,
			ask(t, d.driver, d.admin, "SHOW data_directory"), name))
		require.NoError(t, err)
	}
	for _, q := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		_, err := admin.Exec(q)
		require.NoError(t, err)
	}
	dsn := strings.Replace(d.source, "sslmode=disable", "sslmode=require", 1)
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	require.Eventually(t, func() bool { err = db.Ping(); return err == nil }, 10*time.Second, 20*time.Millisecond)
	assert.Equal(t, "true", ask(t, d.driver, dsn, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
	return dsn
}

// testSockets: a leak holds a socket, which is a part of its entry: of TCP, of TLS over it, and a unix socket, of which the
// pool has several between the same two paths.
func testSockets(t *testing.T, d database) {
	if !d.net {
		t.Skip("there is no server")
	}
	for _, way := range []struct {
		name, family string
		source       func(database, testing.TB) string
	}{
		{"tcp", "tcp4", func(d database, _ testing.TB) string { return d.source }},
		{"unix", "unix", database.byUnix},
		{"tls", "tcp4", database.byTLS},
	} {
		t.Run(way.name, func(t *testing.T) {
			if way.name == "tls" && !d.dollar {
				t.Skip("a server of MariaDB that runs has no way to be given a certificate")
			}
			d := d
			d.source = way.source(d, t)
			s := store{d, d.open(t), new([]func() error)}
			require.NoError(t, s.db.Ping())
			ft := run(t, s, func(ft *fakeT) func() { return leakcheck.Verify(ft, leakcheck.Wait(20*time.Millisecond)) },
				func(s store, ctx context.Context) error {
					good, err := s.db.Conn(context.Background()) // takes the one that is open, and goes back to the pool
					if err != nil {
						return err
					}
					_ = s.closeAfterLoopBuggy(ctx)
					_ = s.txErrorPathBuggy(ctx)
					return good.Close()
				})
			require.Len(t, ft.failures(), 1)
			text := ft.failures()[0]
			assert.Contains(t, text, "leakcheck: 3 leaks: ")
			assert.Equal(t, 2, strings.Count(text, " holds  socket "+way.family+" "), text)
		})
	}
}

// testIdle: what a pool keeps is no leak, nor are the driver's goroutines for it.
func testIdle(t *testing.T, d database) {
	db := d.open(t)
	db.SetMaxIdleConns(3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Wait(10*time.Second))
	var conns []*sql.Conn
	for range 3 {
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.QueryRowContext(ctx, d.q("SELECT id FROM items WHERE id > ?"), 0).Scan(new(int)))
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	check()
	assert.Empty(t, ft.failures())
	assert.Empty(t, ft.logged())
	assert.Equal(t, 3, db.Stats().Idle)
}

// testReconnects: a connection that the server ended is opened anew, which is no leak, and the one before is not held.
func testReconnects(t *testing.T, d database) {
	if !d.net {
		t.Skip("there is no server")
	}
	db := d.open(t)
	db.SetMaxOpenConns(1)
	pid := map[bool]string{true: "SELECT pg_backend_pid()", false: "SELECT connection_id()"}[d.dollar]
	kill := map[bool]string{true: "SELECT pg_terminate_backend(%s)", false: "KILL %s"}[d.dollar]
	var first, second string
	require.NoError(t, db.QueryRow(pid).Scan(&first))
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Wait(10*time.Second))
	admin, err := sql.Open(d.driver, d.admin)
	require.NoError(t, err)
	_, err = admin.Exec(fmt.Sprintf(kill, first))
	require.NoError(t, err)
	require.NoError(t, admin.Close())
	require.Eventually(t, func() bool { return db.QueryRow(pid).Scan(&second) == nil }, 10*time.Second, 10*time.Millisecond)
	assert.NotEqual(t, first, second)
	check()
	assert.Empty(t, ft.failures())
	assert.Empty(t, ft.logged())
}

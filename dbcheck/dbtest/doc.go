// Package dbtest gives a test a real Postgres or MariaDB server.
//
//	func TestStore(t *testing.T) {
//		srv := dbtest.Postgres(t)
//		db, err := dbcheck.Open("pgx", srv.DSN)
//		if err != nil {
//			t.Fatal(err)
//		}
//		t.Cleanup(func() { db.Close() })
//		t.Cleanup(dbcheck.Verify(t, db))
//		...
//	}
//
// One server serves all tests of a package. Each call makes a fresh database in it, with a user of its own who owns
// it and is no superuser, and drops both when the test ends, also when connections to it were left open. Tests may
// run in parallel. [Own], [MaxConnections] and [Settings] give the test a server of its own, which can be killed,
// stopped, restarted and paused, and ends with the test:
//
//	srv := dbtest.Postgres(t, dbtest.MaxConnections(85)) // 82 slots for the application, 3 for superusers
//
// # Where the server comes from
//
// The first of these that works:
//
//   - given: the server that LEAKGATE_POSTGRES_DSN or LEAKGATE_MARIADB_DSN names, as a superuser. It is left as it was.
//     A test that wants a server of its own gets one in the ways below.
//   - docker: a container, by testcontainers-go, where a container engine answers and the image is there or can be pulled.
//   - local: the machine's own programs, from PATH or from where packages put them (postgres and initdb of one version,
//     mariadbd or MariaDB's mysqld, mariadb-install-db). On Unix systems.
//
// A way that leads nowhere is told in a log line of the test that started the server. If none works the test is skipped,
// with all the reasons and with what to install. LEAKGATE_REQUIRE_SERVICES=1 turns the skip into a failure. [Server.How]
// says which it was.
//
//	LEAKGATE_DBTEST            docker or local: only this way. auto, or unset: as above
//	LEAKGATE_POSTGRES_IMAGE    the image, instead of postgres:17-alpine
//	LEAKGATE_MARIADB_IMAGE     the image, instead of mariadb:11.4
//	LEAKGATE_POSTGRES_DSN      a server: postgres://postgres:password@127.0.0.1:5432/postgres?sslmode=disable
//	LEAKGATE_MARIADB_DSN       a server: root:password@tcp(127.0.0.1:3306)/
//	LEAKGATE_REQUIRE_SERVICES  1: fail instead of skipping
//
// A pull that shows no progress for 10 seconds is given up, and for the next 5 minutes not tried again. Where no registry
// can be reached, the script images/build.sh in this package's folder builds images from Debian's packages; the images
// leakgate/postgres:debian and leakgate/mariadb:debian are used where the public one is not there. DOCKER_HOST
// and testcontainers-go's own variables count as they do there, with one difference: a DOCKER_HOST that does not
// answer is not replaced by another engine.
//
// A local server listens on 127.0.0.1 on a free port. Its files are in TMPDIR, or in /tmp or /var/tmp where that cannot be
// used. Where the tests run as root, which database servers refuse to
// do, it runs as the user postgres (mysql for MariaDB) or, without one, nobody; with neither it is not to be had. The first
// server of a version leaves a pristine data directory in the user's cache folder, where there is one, from which later
// ones start in a third of the time. In containers and locally fsync is off: what was committed outlives a killed server, not a crash of the machine.
//
// # How the server ends
//
// With the test binary, however that ends: also by os.Exit, a panic, the timeout of go test, or SIGKILL. It is started
// by a keeper, a second process of the test binary itself, which an init function of this package takes aside before
// any test; the keeper watches its owner and ends the server, within a tenth of a second on Linux. A keeper that is
// killed too takes a local server with it (on Linux), and the next start of any server on the machine sweeps what is
// left: directories and processes by the owner's process number, start time and boot, containers by labels with the
// same. testcontainers-go's reaper does its part where its image is there or can be pulled; otherwise it is switched
// off, for the keeper alone.
//
// So the test's own process holds nothing of this: no goroutine, no socket, no child process. leakcheck.Verify may
// stand before the call or after it.
//
// # What is not promised
//
// The server's version, unless [Image] or a variable names one. Names of databases and users. A MariaDB
// connection that dbtest itself has closed may count in Threads_connected for a moment; Postgres's are waited for.
// Oracle's MySQL is reached by LEAKGATE_MARIADB_DSN or LEAKGATE_MARIADB_IMAGE only, and not tested.
package dbtest

#!/bin/busybox sh
# The start of leakgate/postgres: what of the public image's entrypoint a test needs.
#
#	POSTGRES_PASSWORD   the superuser's password; needed at the first start
#	POSTGRES_USER       the superuser's name, postgres if unset
#	POSTGRES_DB         a database to make, the user's name if unset
#
# The command is `postgres` with its options, as in the public image.
set -eu
PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ "${1:-postgres}" != postgres ]; then exec "$@"; fi
[ $# -eq 0 ] || shift
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	if [ -z "${POSTGRES_PASSWORD:-}" ]; then
		echo 'POSTGRES_PASSWORD is not set: it is the password that the superuser gets' >&2
		exit 1
	fi
	user=${POSTGRES_USER:-postgres}
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA"
	(umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password)
	initdb -D "$PGDATA" -U "$user" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C --no-sync --wal-segsize=1
	rm /tmp/password
	printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
	db=${POSTGRES_DB:-$user}
	if [ "$db" != postgres ]; then
		printf 'CREATE DATABASE "%s";\n' "$(printf %s "$db" | sed 's/"/""/g')" | postgres --single -D "$PGDATA" -j postgres >/dev/null
	fi
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"

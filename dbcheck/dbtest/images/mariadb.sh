#!/bin/busybox sh
# The start of leakgate/mariadb: what of the public image's entrypoint a test needs.
#
#	MARIADB_ROOT_PASSWORD            the superuser's password; needed at the first start (or MYSQL_ROOT_PASSWORD)
#	MARIADB_DATABASE                 a database to make, if set
#	MARIADB_USER, MARIADB_PASSWORD   a user with all rights on that database, if set
#
# The command is `mariadbd` with its options, as in the public image.
set -eu
data=/var/lib/mysql
case ${1:-mariadbd} in
mariadbd | mysqld | -*) ;;
*) exec "$@" ;;
esac
case ${1:-} in mariadbd | mysqld) shift ;; esac
quote() { printf %s "$1" | sed "s/[\\\\']/\\\\&/g"; }
if [ ! -d $data/mysql ]; then
	password=${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-}}
	if [ -z "$password" ]; then
		echo 'MARIADB_ROOT_PASSWORD is not set: it is the password that the superuser gets' >&2
		exit 1
	fi
	mariadb-install-db --no-defaults --datadir=$data --auth-root-authentication-method=normal --skip-test-db \
		--skip-name-resolve --innodb-log-file-size=8M >/dev/null
	(
		umask 077
		{
			printf "CREATE USER IF NOT EXISTS root@'%%' IDENTIFIED BY '%s';\n" "$(quote "$password")"
			printf "GRANT ALL PRIVILEGES ON *.* TO root@'%%' WITH GRANT OPTION;\n"
			printf "ALTER USER root@localhost IDENTIFIED BY '%s';\n" "$(quote "$password")"
			if [ -n "${MARIADB_DATABASE:-}" ]; then
				printf 'CREATE DATABASE IF NOT EXISTS `%s`;\n' "$MARIADB_DATABASE"
			fi
			if [ -n "${MARIADB_USER:-}" ]; then
				printf "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\n" "$(quote "$MARIADB_USER")" "$(quote "${MARIADB_PASSWORD:-}")"
				printf "GRANT ALL PRIVILEGES ON \`%s\`.* TO '%s'@'%%';\n" "${MARIADB_DATABASE:-%}" "$(quote "$MARIADB_USER")"
			fi
		} >$data/first.sql
	)
	set -- --init-file=$data/first.sql "$@"
fi
exec mariadbd --no-defaults --datadir=$data --socket=/tmp/mysqld.sock --bind-address=0.0.0.0 "$@"

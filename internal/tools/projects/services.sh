# services serve|ready NAME: becomes a server that writes to the folder DIR and listens on PORT of 127.0.0.1, or says
# whether it answers. The exit status is 42 when it is not installed.
set -u
as() { # USER COMMAND...: servers that refuse to be run by root run as somebody else
	if [[ $(id -u) -ne 0 ]]; then shift; exec "$@"; fi
	chown -R "$1" "$DIR"
	exec setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups "${@:2}"
}
need() {
	for c in "$@"; do command -v "$c" >/dev/null || exit 42; done
}
PATH=$PATH:/usr/sbin
for d in /usr/lib/postgresql/*/bin; do PATH=$PATH:$d; done
cd /tmp
case "$1 $2" in
'serve postgres')
	need initdb postgres
	(as postgres initdb -D "$DIR/data" -U postgres -A trust --no-sync --no-locale -E UTF8) || exit 1
	as postgres postgres -D "$DIR/data" -p "$PORT" -k "$DIR" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200
	;;
'ready postgres') pg_isready -q -h 127.0.0.1 -p "$PORT" ;;
'serve mysql')
	need mariadb-install-db mariadbd
	(as mysql mariadb-install-db --no-defaults --datadir="$DIR/data" --auth-root-authentication-method=normal --skip-test-db) || exit 1
	as mysql mariadbd --no-defaults --datadir="$DIR/data" --port="$PORT" --bind-address=127.0.0.1 --socket="$DIR/sock" --local-infile=1 --innodb-flush-log-at-trx-commit=0
	;;
'ready mysql') mariadb-admin -h 127.0.0.1 -P "$PORT" -u root --silent ping ;;
'serve redis')
	need redis-server
	exec redis-server --port "$PORT" --bind 127.0.0.1 --dir "$DIR" --save '' --databases 16
	;;
'ready redis') redis-cli -h 127.0.0.1 -p "$PORT" ping ;;
'serve memcached')
	need memcached
	as nobody memcached -l 127.0.0.1 -p "$PORT"
	;;
'serve rabbitmq')
	need rabbitmq-server erl
	export RABBITMQ_MNESIA_BASE=$DIR/mnesia RABBITMQ_LOG_BASE=$DIR/logs RABBITMQ_NODENAME=leakgate$PORT@localhost
	export RABBITMQ_NODE_PORT=$PORT RABBITMQ_DIST_PORT=$((PORT > 60000 ? PORT - 5000 : PORT + 5000)) RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
	export RABBITMQ_ENABLED_PLUGINS_FILE=$DIR/plugins RABBITMQ_PID_FILE=$DIR/pid HOME=$DIR ERL_EPMD_ADDRESS=127.0.0.1
	if [[ $(id -u) -eq 0 ]]; then
		chown -R rabbitmq "$DIR"
		exec setpriv --reuid rabbitmq --regid "$(id -g rabbitmq)" --clear-groups /usr/lib/rabbitmq/bin/rabbitmq-server
	fi
	exec /usr/lib/rabbitmq/bin/rabbitmq-server
	;;
'serve mosquitto')
	need mosquitto
	printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$PORT" >"$DIR/conf"
	as nobody mosquitto -c "$DIR/conf"
	;;
'ready '*) exec 3<>"/dev/tcp/127.0.0.1/$PORT" ;;
*) echo "no such server: $2"; exit 1 ;;
esac

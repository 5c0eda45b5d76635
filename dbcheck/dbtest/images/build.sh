#!/usr/bin/env bash
# Builds container images of Postgres and MariaDB from this machine's Debian (or Ubuntu) packages, for places where
# Docker answers but no registry can be reached. dbtest uses them when it finds them:
#
#	leakgate/postgres:15-debian  leakgate/postgres:debian
#	leakgate/mariadb:10.11-debian  leakgate/mariadb:debian
#
#	bash build.sh                    both
#	bash build.sh postgres           only this one
#	FORCE=1 bash build.sh            also where the public image is there, or ours was built before
#
# An image is left out where it is there already, and where the public one is there or can be pulled. The packages and
# what they depend on are downloaded and unpacked, not installed: nothing of the machine changes but Docker's images.
# Needs docker, apt-get, dpkg-deb and tar; not root, where the user may use Docker. Takes about a minute.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'images: %s\n' "$*"; }
die() { printf 'images: %s\n' "$*" >&2; exit 1; }

for tool in docker apt-get dpkg-deb tar; do
	command -v "$tool" >/dev/null || die "$tool is missing: this needs Docker, on Debian or Ubuntu"
done
docker version --format 'engine {{.Server.Version}}' >/dev/null || die 'Docker does not answer'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

have() { docker image inspect "$1" >/dev/null 2>&1; }

# wanted NAME PUBLIC: is our image to be built?
wanted() {
	if [[ -n ${FORCE:-} ]]; then return 0; fi
	if have "$1:debian"; then
		say "$1:debian is there: nothing to do (FORCE=1 builds it again)"
		return 1
	fi
	if have "$2"; then
		say "$2 is there, so $1 is not needed"
		return 1
	fi
	say "trying docker pull $2"
	if timeout 90 docker pull -q "$2" 2>"$tmp/pull"; then
		say "$2 was pulled, so $1 is not needed"
		return 1
	fi
	say "it cannot be pulled ($(tail -n 1 "$tmp/pull")): building $1"
}

apt=(apt-get -qq -o Dir::State::status="$tmp/status" -o Dir::Cache::archives="$tmp/archives" -o Debug::NoLocking=true
	-o APT::Sandbox::User= -o APT::Install-Recommends=false)

# candidate PACKAGE prints the version that apt would install; nothing where there is none.
candidate() { apt-cache policy "$1" | sed -n 's/^ *Candidate: \([^(].*\)/\1/p'; }

# unpack ROOT KEEP PACKAGE... downloads the packages with all they depend on, of which those whose names match KEEP or
# begin with lib are unpacked.
unpack() {
	local root=$1 keep=$2 name n=0
	shift 2
	mkdir -p "$tmp/archives/partial" "$tmp/none/partial" "$root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,etc,tmp,run,var/lib}
	: >"$tmp/status" # as if nothing were installed: so the list is whole
	local d
	for d in bin sbin lib lib64; do ln -s "usr/$d" "$root/$d"; done
	# What is in its archives already apt does not list.
	"${apt[@]}" -o Dir::Cache::archives="$tmp/none" --print-uris install "$@" | while read -r _ name _; do
		name=${name%%_*}
		# LLVM only compiles queries, and is half of all bytes.
		case $name in
		libllvm* | libz3* | libperl* | libdbi* | libdbd*) continue ;;
		lib* | zlib*) ;;
		*) [[ $name =~ ^($keep)$ ]] || continue ;;
		esac
		printf '%s\n' "$name"
	done | sort -u >"$tmp/names"
	say "downloading $(wc -l <"$tmp/names") packages for $*"
	(cd "$tmp/archives" && xargs "${apt[@]}" download <"$tmp/names")
	local deb
	for deb in $(sed "s|.*|$tmp/archives/&_*.deb|" "$tmp/names"); do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" --keep-directory-symlink --no-same-owner -xf - \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/lib/*/perl*'
		n=$((n + 1))
	done
	say "unpacked $n packages, $(du -sh "$root" | cut -f1)"
}

# image NAME VERSION ROOT USER HOME ENTRYPOINT PORT PATH builds and tags it, and starts its server once to see that it is whole.
image() {
	local name=$1 version=$2 root=$3 user=$4 home=$5 script=$6 port=$7 path=$8 server=$9
	install -D -m 755 "$here/$script" "$root/usr/local/bin/entrypoint"
	printf 'root:x:0:0::/:/bin/sh\n%s:x:999:999::%s:/bin/sh\n' "$user" "$home" >"$root/etc/passwd"
	printf 'root:x:0:\n%s:x:999:\n' "$user" >"$root/etc/group"
	printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
	tar -C "$root" --numeric-owner --owner=0 --group=0 -cf "$tmp/context/root.tar" .
	cat >"$tmp/context/Dockerfile" <<-EOF
		FROM scratch
		ADD root.tar /
		SHELL ["/bin/busybox", "sh", "-c"]
		RUN busybox --install -s /usr/local/bin && ln -sf busybox /bin/sh && mkdir -p $home /run/server && chown -R 999:999 $home /run/server && chmod 1777 /tmp
		ENV PATH=$path:/usr/local/bin:/usr/sbin:/usr/bin LANG=C
		USER 999:999
		WORKDIR $home
		EXPOSE $port
		STOPSIGNAL $([[ $server == postgres ]] && echo SIGINT || echo SIGTERM)
		LABEL org.opencontainers.image.description="$name from Debian's packages, for tests"
		ENTRYPOINT ["/usr/local/bin/entrypoint"]
		CMD ["$server"]
	EOF
	DOCKER_BUILDKIT=0 docker build -q -t "$name:$version-debian" -t "$name:debian" "$tmp/context" 2>"$tmp/build" ||
		die "docker build: $(cat "$tmp/build")"
	local says
	if ! says=$(docker run --rm --network none --entrypoint "$server" "$name:debian" --version 2>&1 | tail -n 1); then
		docker rmi "$name:$version-debian" "$name:debian" >/dev/null
		die "$name does not run: $says"
	fi
	say "built $name:$version-debian and $name:debian: $says"
}

build_postgres() {
	wanted leakgate/postgres postgres:17-alpine || return 0
	# postgresql depends on the release's version: postgresql-15 in Debian 12.
	local package version
	package=$(apt-cache depends postgresql | sed -n 's/^ *Depends: \(postgresql-[0-9][0-9]*\)$/\1/p' | head -n 1)
	[[ -n $package ]] || die 'apt knows no package postgresql: run apt-get update first'
	version=${package#postgresql-}
	local root=$tmp/postgres
	unpack "$root" "$package|busybox-static|tzdata" "$package" busybox-static
	rm -f "$root/usr/lib/postgresql/$version/lib/llvmjit.so"
	image leakgate/postgres "$version" "$root" postgres /var/lib/postgresql postgres.sh 5432 "/usr/lib/postgresql/$version/bin" postgres
}

build_mariadb() {
	wanted leakgate/mariadb mariadb:11.4 || return 0
	local version
	version=$(candidate mariadb-server-core | sed 's/^[0-9]*://' | cut -d. -f1-2)
	[[ -n $version ]] || die 'apt knows no package mariadb-server-core: run apt-get update first'
	local root=$tmp/mariadb
	unpack "$root" 'mariadb-server|mariadb-server-core|mariadb-client-core|mariadb-common|mysql-common|busybox-static|tzdata' mariadb-server busybox-static
	image leakgate/mariadb "$version" "$root" mysql /var/lib/mysql mariadb.sh 3306 /usr/sbin mariadbd
}

mkdir -p "$tmp/context"
began=$SECONDS
[[ $# -gt 0 ]] || set -- postgres mariadb
for what; do
	case $what in
	postgres | mariadb) "build_$what" ;;
	*) die "$what: postgres or mariadb" ;;
	esac
done
say "done in $((SECONDS - began)) s"

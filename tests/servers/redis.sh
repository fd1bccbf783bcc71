#!/bin/sh
# Provides Redis 7 with TLS, beside the Valkey of the wheel, which has none.
#
#   redis.sh FOLDER
#
# Nothing is done where PATH has one. Else the program of Debian's or Ubuntu's package, and the libraries that it takes,
# are put into FOLDER, with a `redis-server` that finds them.
set -eu

folder=$1
if command -v redis-server >/dev/null || "$folder/redis-server" --version >/dev/null 2>&1; then
  exit 0
fi
packages="redis-server redis-tools libjemalloc2 liblzf1 liblua5.1-0 lua-cjson lua-bitop"
if ! sh "$(dirname "$0")/unpack.sh" "$folder" $packages; then
  echo "hint: install Redis, as by \`apt-get install redis-server\`, \`dnf install redis\` or \`brew install redis\`" >&2
  exit 1
fi
cat >"$folder/redis-server" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/redis-server" "$@"
END
chmod +x "$folder/redis-server"
if ! "$folder/redis-server" --version >/dev/null; then
  echo "Redis was fetched into $folder, and cannot be run" >&2
  exit 1
fi

# Starts PostgreSQL, with TLS alone, on data that it makes the first time.
set -eu
if [ ! -e /data/PG_VERSION ]; then
  initdb --pgdata=/data --username=custctl --pwfile=/run/secrets/db_password --auth=scram-sha-256 --encoding=UTF8 --no-sync >/dev/null
  cp /certificates/server.pem /data/server.pem
  chmod 600 /data/server.pem
  echo 'hostssl all all all scram-sha-256' >>/data/pg_hba.conf
  echo 'CREATE DATABASE customers' | postgres --single -D /data postgres >/dev/null
fi
exec postgres -D /data -c listen_addresses='*' -c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.pem \
  -c unix_socket_directories=/tmp

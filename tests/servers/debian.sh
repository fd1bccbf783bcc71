#!/bin/sh
# Provides PgBouncer, and a PostgreSQL server whose messages are translated: no wheel brings either.
#
#   debian.sh FOLDER
#
# The programs of Debian's or Ubuntu's packages are put into FOLDER, with the data that locales are made from.
set -eu

folder=$1
if [ -e "$folder/ready" ]; then
  exit 0
fi
rm -rf "$folder"
here=$(dirname "$0")
for library in libc-ares2 libcares2; do
  for version in 15 16 17 18; do
    if sh "$here/unpack.sh" "$folder" pgbouncer "$library" locales "postgresql-$version" 2>"$folder.log"; then
      if ! LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libcares.so.2) "$folder/usr/sbin/pgbouncer" --version >/dev/null; then
        echo "PgBouncer was fetched into $folder, and cannot be run" >&2
        exit 1
      fi
      rm -f "$folder.log"
      touch "$folder/ready"
      exit 0
    fi
  done
done
cat "$folder.log" >&2
echo "hint: the tests of poolers and of other languages need Debian's or Ubuntu's packages" >&2
exit 1

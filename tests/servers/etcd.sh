#!/bin/sh
# Provides etcd, through which the Patroni of the tests agrees on who leads, and which no wheel brings.
#
#   etcd.sh FOLDER
#
# Nothing is done where PATH has one. Else the program of Debian's or Ubuntu's package is put into FOLDER.
set -eu

folder=$1
if command -v etcd >/dev/null || "$folder/etcd" --version >/dev/null 2>&1; then
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! sh "$(dirname "$0")/unpack.sh" "$scratch" etcd-server; then
  echo "hint: install etcd, as by \`apt-get install etcd-server\`, \`dnf install etcd\` or \`brew install etcd\`" >&2
  exit 1
fi
mv "$scratch/usr/bin/etcd" "$folder/etcd"
if ! "$folder/etcd" --version >/dev/null; then
  echo "etcd was fetched into $folder, and cannot be run" >&2
  exit 1
fi

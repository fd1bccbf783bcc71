#!/bin/sh
# Fetches packages of Debian or Ubuntu and unpacks them into a folder. That takes no privilege, and the system is left as
# it is.
#
#   unpack.sh FOLDER PACKAGE...
set -eu

folder=$1
shift
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "without apt, $* cannot be fetched" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$folder" "$scratch/lists/partial" "$scratch/cache/archives/partial"
folder=$(cd "$folder" && pwd)
cd "$scratch"

apt() {
  apt-get -q -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::Cache="$scratch/cache" "$@"
}

# What the system knows of packages may be missing or out of date. A source that is out of reach ends an update with an
# error: whether the others were enough, the download tells.
if ! apt download "$@" >log 2>&1; then
  lists="Dir::State::lists=$scratch/lists"
  apt -o "$lists" update >>log 2>&1 || true
  if ! apt -o "$lists" download "$@" >>log 2>&1; then
    cat log >&2
    echo "$* could not be fetched: see above what is wrong with the package sources" >&2
    exit 1
  fi
fi
for package in *.deb; do
  dpkg-deb --extract "$package" "$folder"
done

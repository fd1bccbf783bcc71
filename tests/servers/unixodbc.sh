#!/bin/sh
# Provides unixODBC, with which pyodbc and Microsoft's ODBC driver are linked and which no wheel brings.
#
#   unixodbc.sh PYTHON FOLDER
#
# Nothing is done where PYTHON can load both. Else packages of Debian or Ubuntu are unpacked into FOLDER, which
# LD_LIBRARY_PATH is then to name. That takes no privilege, and the system is left as it is.
set -eu

python=$1
folder=$2
# Kerberos is what the driver needs besides.
packages='libodbc2 libodbcinst2 libltdl7 libgssapi-krb5-2 libkrb5-3 libkrb5support0 libk5crypto3 libcom-err2 libkeyutils1'

loads() {
  LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$python" - <<'PYTHON'
import ctypes
import sys

try:
    import pyodbc

    from custctl.engines.mssql.driver import find_driver

    driver = find_driver()
    if driver.source != "installed":
        ctypes.CDLL(driver.name)
except (ImportError, OSError) as error:
    sys.exit(str(error))
PYTHON
}

if why=$(loads 2>&1); then
  exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "unixODBC is missing, and without apt it is not fetched: $why" >&2
  echo "hint: install it, as by \`dnf install unixODBC\`, \`apk add unixodbc\` or \`brew install unixodbc\`" >&2
  exit 1
fi

rm -rf "$folder"
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir -p lists/partial cache/archives/partial unpacked

apt() {
  apt-get -q -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::Cache="$scratch/cache" "$@"
}

# What the system knows of packages may be missing or out of date. A source that is out of reach ends an update with an
# error: whether the others were enough, the download tells.
# shellcheck disable=SC2086
if ! apt download $packages >log 2>&1; then
  lists="Dir::State::lists=$scratch/lists"
  apt -o "$lists" update >>log 2>&1 || true
  if ! apt -o "$lists" download $packages >>log 2>&1; then
    cat log >&2
    echo "unixODBC is missing, and its packages could not be fetched" >&2
    echo "hint: \`apt-get install unixodbc\` as root, or see above what is wrong with the package sources" >&2
    exit 1
  fi
fi
for package in *.deb; do
  dpkg-deb --extract "$package" unpacked
done
find unpacked -name '*.so*' ! -type d -exec mv {} "$folder" \;

if ! why=$(loads 2>&1); then
  echo "unixODBC was fetched into $folder, and pyodbc still cannot be used: $why" >&2
  exit 1
fi

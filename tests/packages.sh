#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages that are missing: `packages.sh build` for building aiod,
# `packages.sh test` for everything that tests/run.sh uses as well, `packages.sh bench` for
# tests/bench/run.sh and the peers it compares with.
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config
    libuv1-dev libmsgpack-dev libsystemd-dev libsqlite3-dev libinih-dev)
test=(libcmocka-dev clang libclang-rt-14-dev clang-format strace util-linux mount procps
    python3 python3-msgpack python3-pynvim neovim
    dpkg-dev file lintian mmdebstrap systemd systemd-container)
bench=(libcmocka-dev python3 python3-msgpack strace python3-uvloop golang-go task-spooler beanstalkd)

case ${1:-} in
build) wanted=("${build[@]}") ;;
test) wanted=("${build[@]}" "${test[@]}") ;;
bench) wanted=("${build[@]}" "${bench[@]}") ;;
*)
    echo "usage: $0 build|test|bench" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "$0: needs root or sudo to install: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null

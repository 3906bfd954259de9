#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds with warnings as errors and runs everything but the long
# runs: the plain build with all tests, then under ASan+UBSan, then the threads under TSan, then
# the fuzzers for a few seconds. `run.sh quick` is the plain build alone. A real systemd is booted
# where that can be (as root); with AIOD_REQUIRE_SYSTEMD=1 it has to be.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzz_seconds=${AIOD_FUZZ_SECONDS:-20}
# Sanitizers want a plain address space, and a failing test must say which and why.
ctest=(ctest --output-on-failure --no-tests=error -j "$(nproc)")

step() { printf '\n==== %s\n' "$*"; }

build() { # preset
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" | tail -n 1
}

step "packages"
tests/packages.sh test

step "style"
if [ -n "$(git ls-files '*.[ch]' | xargs -r clang-format-14 --dry-run 2>&1 | head -c 1)" ]; then
    git ls-files '*.[ch]' | xargs clang-format-14 --dry-run 2>&1 | grep -E 'warning:' | head -n 20
    echo "run: clang-format-14 -i on these files"
    exit 1
fi
echo "clang-format: clean"

step "plain build, all tests"
build dev
"${ctest[@]}" --test-dir build/dev -E systemd_booted
[ "${1:-}" != quick ] || exit 0

step "systemd, booted: the package, its units, users, reboots"
skipped=0
/usr/bin/python3 tests/systemd/run.py || skipped=$?
[ "$skipped" -eq 0 ] || [ "$skipped" -eq 77 ] || exit "$skipped"

step "AddressSanitizer and UndefinedBehaviorSanitizer"
build asan
"${ctest[@]}" --test-dir build/asan

# Its runtime has a thread of its own that never idles, and tenfold memory.
step "ThreadSanitizer: loop, store, end to end"
build tsan
TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp "${ctest[@]}" --test-dir build/tsan -L 'loop|store|e2e' -E 'scale|aioctl|idle'

step "fuzzers, $fuzz_seconds s each"
build fuzz
for target in build/fuzz/tests/fuzz/fuzz_scan build/fuzz/tests/fuzz/fuzz_parse; do
    corpus=$(mktemp -d)
    setarch -R "$target" -max_total_time="$fuzz_seconds" -print_final_stats=1 -verbosity=0 \
        "$corpus" tests/fuzz/corpus/"$(basename "$target" | sed s/fuzz_//)" 2>&1 | tail -n 8
    rm -r "$corpus"
done

step "all passed"

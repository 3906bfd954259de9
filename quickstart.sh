#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds aiod, starts an instance in a directory of its own and shows
# what it does. Run it again at any time: the instance is started anew, its tasks are kept.
set -euo pipefail
cd "$(dirname "$0")"

dir=$PWD/build/quickstart
bin=$PWD/build/release
export AIOD_SOCKET=$dir/run/control.sock
export PATH=$bin/client:$PATH

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { # prints a command as one would type it, then runs it
    local word line='$'
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./=:,+-]+$ ]] || word="'$word'"
        line+=" $word"
    done
    printf '%s\n' "$line"
    "$@"
}
now_ms() { date +%s%3N; }

# The aiod that answers on our socket, whoever started it.
instance_pid() { # the first pid of its health is its own, the spawner's comes later
    { aioctl health -o json 2>/dev/null || true; } | grep -o '"pid": *[0-9]*' | head -n 1 | grep -o '[0-9]*$' || true
}

stop_instance() {
    local pid
    pid=$(instance_pid)
    [ -n "$pid" ] || return 0
    kill "$pid"
    tail --pid="$pid" -f /dev/null
}

say "1. What is missing is installed, aiod is built"
tests/packages.sh build
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release | tail -n 1

say "2. The event loop starts, in $dir"
stop_instance
mkdir -p "$dir"
start=("$bin/daemon/aiod" --runtime-dir "$dir/run" --state-dir "$dir/state")
setsid "${start[@]}" >>"$dir/aiod.log" 2>&1 </dev/null &
for _ in $(seq 200); do
    aioctl health >/dev/null 2>&1 && break
    kill -0 $! 2>/dev/null || break
    sleep 0.05
done
if ! show aioctl health; then
    tail -n 5 "$dir/aiod.log"
    exit 1
fi

say "3. Commands and timers are submitted; each is a coroutine, and they overlap"
show aioctl submit uname -sr
show aioctl submit -c 'find /usr/include -name "*.h" | wc -l'
show aioctl submit --name archive -c 'tar cz /usr/include 2>/dev/null | wc -c'
show aioctl submit -c 'for i in 1 2 3; do echo "step $i of 3"; sleep 0.5; done'
show aioctl submit --name fails sh -c 'echo "this one fails" >&2; exit 3'
show aioctl submit --in 1s --name later date
show aioctl submit --call sleep 2

say "4. While they run"
show aioctl status

say "5. When they are done"
aioctl wait >/dev/null || true
show aioctl status
show aioctl logs archive
show aioctl status fails

say "6. Two timers, of 1 s and 2 s, await together"
begin=$(now_ms)
one=$(aioctl submit --call sleep 1)
two=$(aioctl submit --call sleep 2)
show aioctl wait "$one" "$two"
printf 'both took %d.%01d s together, not 3 s\n' \
    $((($(now_ms) - begin) / 1000)) $((($(now_ms) - begin) % 1000 / 100))

say "7. Go on"
cat <<END
This line points aioctl at the instance; it goes on running:

    export AIOD_SOCKET=$AIOD_SOCKET PATH=$bin/client:\$PATH

then for example

    aioctl run make            runs it here and passes its exit status on
    aioctl submit sleep 60     runs it in the background; prints its id
    aioctl                     shows what runs
    aioctl logs -f last        follows its output
    aioctl cancel last
    aioctl help                everything else

Kill it (kill -9 $(instance_pid)) while something runs, start it again: nothing is lost.
Start it:     ${start[*]} &
Stop it:      kill $(instance_pid)
Remove it:    rm -r $dir
END

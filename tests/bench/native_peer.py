# SPDX-License-Identifier: MIT
"""What native.c does, on uvloop: the same words, the same counts, nanoseconds for one (or bytes).

The driver counts its workers as native.c does: gather and TaskGroup would add their own cost."""
import asyncio
import os
import sys
import time

import uvloop

left = 0


async def worker(times):
    global left
    sleep = asyncio.sleep
    for _ in range(times):
        await sleep(0)
    left -= 1


async def batches(rounds, batch, times):
    global left
    create = asyncio.get_running_loop().create_task
    began = time.perf_counter_ns()
    for _ in range(rounds):
        left = batch
        tasks = [create(worker(times)) for _ in range(batch)]
        while left:
            await asyncio.sleep(0)
        del tasks
    return time.perf_counter_ns() - began


def memory():
    with open("/proc/self/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def sleepers(count):
    before = memory()
    tasks = [asyncio.ensure_future(asyncio.sleep(1000)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print((memory() - before) / len(tasks), flush=True)
    os._exit(0)


async def main(what, a, b=1):
    if what == "create":
        await batches(a // 10 + 1, b, 1)
        print(await batches(a, b, 1) / (a * b))
    elif what == "switch":
        await batches(1, a, b // 10)
        print(await batches(1, a, b) / (a * b))
    else:
        await sleepers(a)


uvloop.install()
asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))

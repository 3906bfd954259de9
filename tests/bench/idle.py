# SPDX-License-Identifier: MIT
"""An idle aiod and its spawner: what they ask of the kernel, and their memory.

strace counts where it may attach (root, or ptrace_scope 0). Elsewhere the scheduler tells: who made
no system call and was not woken has not run, and its run time stands still to the nanosecond.
"""
import os
import signal
import subprocess
import time

from compare import Figures, Row, at_most
from memory import resident

from harness import until


class Process:  # what memory.resident looks at
    def __init__(self, pid):
        self.pid = pid
        self.process = self


def run_time(pids):
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total


def rests(pids):
    before = run_time(pids)
    time.sleep(2)  # the checkpoint comes a second after the last commit
    return run_time(pids) == before


def traced(pids, seconds):
    """System calls that ended in that time, or None where strace may not attach."""
    args = ["strace", "-f", "-qq", "-o", "/dev/stdout"] + [a for p in pids for a in ("-p", str(p))]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True) as strace:
        time.sleep(seconds)
        strace.send_signal(signal.SIGINT)
        out, error = strace.communicate()
    if "ptrace" in error:
        return None
    # what was under way when strace came and still is has no result
    return sum(1 for line in out.splitlines()
               if " = " in line and "resuming interrupted" not in line)


def run(rig):
    with rig.aiod() as instance:
        instance.wait_for(instance.submit("true"))
        pids = [instance.process.pid, instance.spawner_pid()]
        until("it has come to rest", lambda: rests(pids))
        seconds = rig.count(10, 3)
        calls = traced(pids, seconds)
        until("it has come to rest", lambda: rests(pids))
        before = run_time(pids)
        time.sleep(seconds)
        ran = run_time(pids) - before
        how = f"and run time {ran} ns without strace" if calls is not None else "by run time, in ns"
        yield Row(f"idle for {seconds} s: system calls of aiod and spawner",
                  Figures([ran if calls is None else calls + ran], ""), at_most(0, "0"), note=how)
        yield Row("idle: resident memory of aiod", Figures([resident(instance)], "B"),
                  at_most(10 << 20, "10 MiB"))
        yield Row("idle: resident memory of the spawner",
                  Figures([resident(Process(pids[1]))], "B"), at_most(2 << 20, "2 MiB"))

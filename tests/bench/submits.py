# SPDX-License-Identifier: MIT
"""Durable submits, 256 outstanding on one connection, against beanstalkd that syncs as aiod does."""
import contextlib
import os
import socket
import struct
import subprocess

from compare import Figures, Row, at_least, in_turn
from rig import Threads

from harness import until

# argv and cwd of 256 bytes; the environment of about 2 KiB is rig.env, the same for all.
CWD = "/srv/photos/2024"
ARGV = ["rsync", "-a", "--delete"] + [f"/srv/photos/2024/{n:03}-{'x' * 24}.raw" for n in range(4)]


class Synced:
    """How often and how long a process waited in fsync and fdatasync (synced.c)."""

    def __init__(self, rig):
        self.path = os.path.join(rig.directory(), "synced")
        self.env = {"LD_PRELOAD": rig.program("libsynced.so"), "BENCH_SYNCED": self.path}

    def now(self):
        with open(self.path, "rb") as f:
            calls, ns = struct.unpack("QQ", f.read(16))
        return calls, ns / 1e9


def shares(load, synced, threads=None):
    """Where the wall time of a run went, in per cent, and how many shared a sync."""
    share = lambda seconds: f"{100 * seconds / load['seconds']:.0f} %"  # noqa: E731
    calls, seconds = synced
    text = f"client {share(load['client_cpu_s'])}, "
    if threads:
        text += f"loop thread {share(threads[0])}, store thread {share(threads[1])}, "
    return text + f"in fsync {share(seconds)}, {load['count'] / max(calls, 1):.1f} a sync"


def measured(synced, threads, load):
    calls, seconds = synced.now()
    figures = load()
    later = synced.now()
    return dict(figures, synced=(later[0] - calls, later[1] - seconds),
                threads=threads.since() if threads else None)


def ours(rig, count, window):
    synced = Synced(rig)
    with rig.aiod(slots=1, env=synced.env) as instance:
        rig.block(instance)
        command = ("-g", "bench", "-d", CWD, "--", *ARGV)
        rig.load(instance, "-n", 2000, "-w", window, *command)
        return measured(synced, Threads(instance.process.pid),
                        lambda: rig.load(instance, "-n", count, "-w", window, *command))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def beanstalkd(rig, count, window, size):
    """-f 0 syncs before it answers; its log is preallocated; one connection, pipelined."""
    synced, port = Synced(rig), free_port()
    server = subprocess.Popen(["/usr/bin/beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-f", "0",
                               "-b", rig.directory()], env=dict(rig.env, **synced.env))
    try:
        until("beanstalkd listens", lambda: answers(port))
        put = ("-b", size, "beanstalk", port)
        rig.figures("load", "-n", 1000, "-w", window, *put)
        return measured(synced, None,
                        lambda: rig.figures("load", "-n", count, "-w", window, *put))
    finally:
        server.kill()
        server.wait()


def run(rig):
    small = sum(len(text) + 1 for text in ARGV) + len(CWD) + 1
    body = small + sum(len(k) + len(v) + 2 for k, v in rig.env.items())
    got = in_turn(rig.rounds(),
                  ours=lambda: ours(rig, rig.count(50000, 10000), 256),
                  peer=lambda: beanstalkd(rig, rig.count(10000, 3000), 256, body),
                  peer_small=lambda: beanstalkd(rig, rig.count(10000, 3000), 256, small))
    rates = {side: Figures([f["count"] / f["seconds"] for f in all_], "/s")
             for side, all_ in got.items()}
    last = got["ours"][-1]
    what = f"durable submits, 256 outstanding, {body} B each"
    yield Row(what, rates["ours"], at_least(100000, "100 k/s"),
              note=shares(last, last["synced"], last["threads"]))
    last = got["peer"][-1]
    yield Row(what, rates["ours"], at_least(5, "5"), "beanstalkd -f 0", rates["peer"],
              note="beanstalkd: " + shares(last, last["synced"]))
    yield Row(f"the same, beanstalkd without the environment ({small} B)", rates["ours"], None,
              "beanstalkd -f 0", rates["peer_small"])

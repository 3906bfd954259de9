# SPDX-License-Identifier: MIT
"""64 clients at once, half of them rude: how long the submits of the polite ones take, with the rude
ones and without (tests/e2e/manners.py).

The rude clients take all the processor that they get. How much of a small machine that is, the
kernel decides; how much of aiod, aiod. So they are measured twice: at the lowest priority, where
what is left of the delay is aiod's, and at the same one as everybody else.
"""
import contextlib
import json
import os
import subprocess
import sys

import rig as rigs  # noqa: F401  (puts tests/e2e on the path)
from compare import Figures, Row, at_most, in_turn

import manners

POLITE = RUDE = 32
TASKS = 2000  # that are there: what the rude ones ask for is large
TARGET_US = 50000


def program(*args):
    return [sys.executable, "-B", os.path.abspath(manners.__file__), *map(str, args)]


@contextlib.contextmanager
def rude_clients(instance, nice):
    with subprocess.Popen(["nice", "-n", str(nice), *program("rude", instance.socket, RUDE)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield
        process.stdin.close()
        process.stdout.read()


def measure(rig, submits, nice=None):
    """(p50, p99) of the polite clients, in µs; nice: of the rude ones. None: without them."""
    with rig.aiod() as instance:
        rig.load(instance, "-n", TASKS, "-w", 256, "-s", 100000)
        with contextlib.nullcontext() if nice is None else rude_clients(instance, nice):
            done = subprocess.run(program("polite", instance.socket, POLITE, submits), check=True,
                                  stdout=subprocess.PIPE, text=True)
    took = sorted(json.loads(done.stdout)["took_us"])
    return took[len(took) // 2], took[len(took) * 99 // 100]


def run(rig):
    submits = rig.count(100, 30)
    got = in_turn(rig.rounds(5), alone=lambda: measure(rig, submits),
                  beside=lambda: measure(rig, submits, 19), equal=lambda: measure(rig, submits, 0))

    def figures(name, n):
        return Figures([pair[n] for pair in got[name]], "µs")

    note = (f"p50 {figures('beside', 0)}; without the rude ones p50 {figures('alone', 0)}, "
            f"p99 {figures('alone', 1)}")
    yield Row(f"submit of {POLITE} clients beside {RUDE} rude ones, p99", figures("beside", 1),
              at_most(TARGET_US, "50 ms"), note=note)
    yield Row("the same, with rude clients that take the processors as well", figures("equal", 1),
              note=f"p50 {figures('equal', 0)}")

# SPDX-License-Identifier: MIT
"""64 clients at once, half of them rude: how long the submits of the polite ones take, with the rude
ones and without (tests/e2e/manners.py)."""
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
def rude_clients(instance):
    with subprocess.Popen(program("rude", instance.socket, RUDE), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield
        process.stdin.close()
        process.stdout.read()


def measure(rig, submits, rude):
    """(p50, p99) of the polite clients, in µs."""
    with rig.aiod() as instance:
        rig.load(instance, "-n", TASKS, "-w", 256, "-s", 100000)
        with rude_clients(instance) if rude else contextlib.nullcontext():
            done = subprocess.run(program("polite", instance.socket, POLITE, submits), check=True,
                                  stdout=subprocess.PIPE, text=True)
    took = sorted(json.loads(done.stdout)["took_us"])
    return took[len(took) // 2], took[len(took) * 99 // 100]


def run(rig):
    submits = rig.count(200, 30)
    got = in_turn(rig.rounds(5), alone=lambda: measure(rig, submits, False),
                  rude=lambda: measure(rig, submits, True))
    for n, (name, target) in enumerate((("p50", None), ("p99", at_most(TARGET_US, "50 ms")))):
        yield Row(f"submit beside {RUDE} rude clients, {name} of {POLITE} polite ones",
                  Figures([r[n] for r in got["rude"]], "µs"), target,
                  note=f"without the rude ones: {Figures([a[n] for a in got['alone']], 'µs')}")

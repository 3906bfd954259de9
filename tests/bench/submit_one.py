# SPDX-License-Identifier: MIT
"""One durable submit at a time, against the least that a durable record can cost."""
import os

from compare import Figures, Row, at_most, in_turn


def ours(rig, count):
    with rig.aiod(slots=1) as instance:
        rig.block(instance)
        command = ("-w", 1, "-g", "bench", "--", "rsync", "-a", "src", "dst")
        rig.load(instance, "-n", 100, *command)
        return rig.load(instance, "-n", count, *command)["p50_us"]


def append(rig, count):
    return rig.figures("append", os.path.join(rig.directory(), "file"), count)["p50_us"]


def run(rig):
    count = rig.count(2000, 300)
    got = in_turn(rig.rounds(), ours=lambda: ours(rig, count), append=lambda: append(rig, count))
    yield Row("durable submit, one outstanding", Figures(got["ours"], "µs"), at_most(2, "2"),
              "4 KiB append + fdatasync", Figures(got["append"], "µs"))

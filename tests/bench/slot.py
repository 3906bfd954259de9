# SPDX-License-Identifier: MIT
"""How long a slot stays empty: from the end of one command to the start of the next, both by the
commands' own clocks (stamp.c), one at a time."""
import glob

from compare import Figures, Row, at_most, in_turn


def gaps(directory):
    """Milliseconds, in order of size."""
    stamps = []
    for path in glob.glob(f"{directory}/*/*.log"):
        with open(path, encoding="ascii") as f:
            words = f.read().split()
            if len(words) == 2:  # the block in front has none
                stamps.append((int(words[0]), int(words[1])))
    stamps.sort()
    return sorted((later[0] - before[1]) / 1e6 for before, later in zip(stamps, stamps[1:]))


def ours(rig, count):
    with rig.aiod(slots=1) as instance:
        rig.load(instance, "-n", count, "-w", 256, "-g", "bench", "-W", "--", rig.program("stamp"))
        return gaps(f"{instance.state}/output")


def bare(rig, count):
    directory = rig.directory()
    rig.figures("bare", 1, count, directory, rig.program("stamp"))
    return gaps(directory)


def at(runs, share):
    return Figures([run[min(int(len(run) * share), len(run) - 1)] for run in runs], "ms")


def run(rig):
    count = rig.count(500, 100)
    got = in_turn(rig.rounds(5), ours=lambda: ours(rig, count), bare=lambda: bare(rig, count))
    yield Row("slot reuse after a command ends, median", at(got["ours"], 0.5), at_most(2, "2 ms"),
              note=f"a posix_spawn loop: {at(got['bare'], 0.5)}")
    yield Row("the same, 99th of 100", at(got["ours"], 0.99), None,
              note=f"a posix_spawn loop: {at(got['bare'], 0.99)}")

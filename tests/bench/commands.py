# SPDX-License-Identifier: MIT
"""Commands run to completion and recorded, against a bare posix_spawn loop, and against our own
spawner without aiod behind it. Each gets a session, a fresh file for its output, the same
environment."""
from compare import Figures, Row, at_least, in_turn
from rig import CPUS


def bare(rig, n, count, *command):
    return rig.figures("bare", n, count, rig.directory(), *command)["seconds"]


def spawner(rig, n, count, *command):
    return rig.figures("starts", n, count, rig.directory(), rig.spawner, *command)["seconds"]


def ours(rig, n, count, *command):
    """From the first submit to the last outcome on disk."""
    with rig.aiod(slots=n) as instance:
        return rig.load(instance, "-n", count, "-w", 256, "-g", "bench", "-W", "--",
                        *command)["seconds"]


def rates(rig, n, count, rounds, *command, **sides):
    got = in_turn(rounds, **{name: lambda side=side: count / side(rig, n, count, *command)
                             for name, side in sides.items()})
    return {name: Figures(values, "/s") for name, values in got.items()}


def run(rig):
    for n, target in ((CPUS, at_least(0.65, "65 %")), (1, at_least(0.75, "75 %"))):
        got = rates(rig, n, rig.count(1000, 300), rig.rounds(), "true", bare=bare,
                    spawner=spawner, ours=ours)
        yield Row(f"`true` to completion, recorded, {n} at a time", got["ours"], target,
                  "posix_spawn loop", got["bare"])
        yield Row(f"our spawner alone, `true`, {n} at a time", got["spawner"],
                  at_least(0.85, "85 %"), "posix_spawn loop", got["bare"])
    got = rates(rig, CPUS, rig.count(100, 30), rig.rounds(5), "sleep", "0.05", bare=bare, ours=ours)
    yield Row(f"commands of 50 ms, {CPUS} at a time", got["ours"], at_least(0.95, "95 %"),
              "posix_spawn loop", got["bare"])

# SPDX-License-Identifier: MIT
"""What a task that was submitted costs aiod in memory, all in: what its resident set grew by."""
from compare import Figures, Row, at_least, at_most, in_turn


def resident(instance):
    with open(f"/proc/{instance.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS"))


def grown(rig, count, *load):
    """Bytes a task; what SQLite keeps at hand and our own buffers is there after the first ones."""
    with rig.aiod(slots=1) as instance:
        rig.block(instance)
        rig.load(instance, "-n", rig.count(20000, 5000), "-w", 256, *load)
        before = resident(instance)
        rig.load(instance, "-n", count, "-w", 256, *load)
        return (resident(instance) - before) / count


def flat(rig, count):
    """How fast the last tenth was accepted, as a share of the first."""
    with rig.aiod(slots=1) as instance:
        rig.block(instance)
        parts = rig.load(instance, "-n", count, "-w", 256, "-g", "bench", "-p", 10, "--",
                         "true")["parts_s"]
        return parts[0] / parts[-1]


def run(rig):
    count = 1000000 if rig.million else rig.count(100000, 40000)
    rounds = 1 if rig.million else rig.rounds(3)
    got = in_turn(rounds,
                  queued=lambda: grown(rig, count, "-g", "bench", "--", "rsync", "-a", "src", "dst"),
                  suspended=lambda: grown(rig, count, "-s", 1000000))
    for state, values in got.items():
        yield Row(f"memory of a {state} submitted task, all in, {count} at once",
                  Figures(values, "B"), at_most(1024, "1 KiB"))
    yield Row(f"submit rate, last tenth of {count} against the first",
              Figures(in_turn(rounds, flat=lambda: flat(rig, count))["flat"], ""),
              at_least(0.9, "0.9") if rig.million else None)

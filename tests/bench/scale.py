# SPDX-License-Identifier: MIT
"""With many tasks: the first page of `status`, and the time from a start to READY."""
import time

from compare import Figures, Row, at_most


def many(rig, instance, count):
    """A tenth of them is DONE, the rest waits in line."""
    rig.load(instance, "-n", count // 10, "-w", 256, "-s", 0, "-W")
    rig.block(instance)
    rig.load(instance, "-n", count - count // 10, "-w", 256, "-g", "bench", "--", "true")


def page(rig, instance, *options):
    env = dict(rig.env, AIOD_SOCKET=instance.socket)
    return rig.figures("wall", rig.count(20, 5), "--", rig.aioctl, "status", *options,
                       env=env)[0] / 1000


def restart(instance):
    """Milliseconds from a start after a clean stop to READY, and the first answer."""
    instance.stop()
    began = time.monotonic()
    instance.start()
    instance.call("status", limit=1)
    return (time.monotonic() - began) * 1000


def run(rig):
    count = 1000000 if rig.million else rig.count(10000, 3000)
    with rig.aiod(slots=1) as instance:
        many(rig, instance, count)
        rounds = rig.rounds(3)
        yield Row(f"first page of `status`, {count} tasks (the process, wall)",
                  Figures([page(rig, instance) for _ in range(rounds)], "ms"), at_most(50, "50 ms"))
        yield Row("the same of `status --done`",
                  Figures([page(rig, instance, "--done") for _ in range(rounds)], "ms"),
                  at_most(50, "50 ms"))
        yield Row(f"restart with {count} tasks, to the first answer",
                  Figures([restart(instance) for _ in range(rounds)], "ms"),
                  at_most(5000, "5 s"))

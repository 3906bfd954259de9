# SPDX-License-Identifier: MIT
"""One `aioctl submit` from its start to its end, against task-spooler's `tsp`: both daemons run, a
long job holds their only slot, so that nothing but the submit happens."""
import contextlib
import os
import subprocess

from compare import Figures, Row, at_most


@contextlib.contextmanager
def tsp(rig):
    env = dict(rig.env, TS_SOCKET=os.path.join(rig.directory(), "tsp.sock"), TS_SLOTS="1")
    subprocess.run(["/usr/bin/tsp", "-n", "sleep", "1000000"], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    try:
        yield env
    finally:  # -K would leave the running job; without its server it gets no input and no wait
        jobs = subprocess.run(["/usr/bin/tsp", "-p"], env=env, capture_output=True, text=True,
                              check=False).stdout.strip()
        subprocess.run(["/usr/bin/tsp", "-K"], env=env, check=False)
        with contextlib.suppress(ValueError, ProcessLookupError):
            os.kill(int(jobs), 9)


def pair(rig, count):
    """Medians of (aioctl, tsp, a process that does nothing), in microseconds."""
    with rig.aiod(slots=1) as instance, tsp(rig) as env:
        rig.block(instance)
        env = dict(env, AIOD_SOCKET=instance.socket)
        return rig.figures("wall", count, "--", rig.aioctl, "submit", "-g", "bench", "true", "--",
                           "/usr/bin/tsp", "-n", "true", "--", "/bin/true", env=env)


def run(rig):
    got = list(zip(*(pair(rig, rig.count(100, 50)) for _ in range(rig.rounds()))))
    ours, theirs, nothing = (Figures(values, "µs") for values in got)
    yield Row("one `aioctl submit` process, wall", ours, at_most(1, "1"), "tsp", theirs,
              note=f"/bin/true: {nothing}")

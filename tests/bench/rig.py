# SPDX-License-Identifier: MIT
"""Where comparisons run: instances of the real aiod (those of tests/e2e), fresh directories on one
file system, one environment for everything that is started, and what a thread has cost.

Nothing is deleted before the end: on some file systems that slows down what creates files next.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402  (reads AIOD_BUILD)

ENVIRONMENT_BYTES = 2048  # what a desktop's shell has; shared by all submits
CPUS = os.cpu_count()


def environment(size=ENVIRONMENT_BYTES):
    """About so many bytes of NAME=VALUE, NULs included."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    left = size - sum(len(name) + len(value) + 2 for name, value in env.items())
    for number in range(size):
        name = f"BENCH_{number:02}"
        if left <= len(name) + 2:
            break
        value = "v" * min(50, left - len(name) - 2)
        env[name] = value
        left -= len(name) + len(value) + 2
    return env


class Threads:
    """The CPU seconds of a process's threads since this was made."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.now()

    def now(self):
        seconds = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                path = f"/proc/{self.pid}/task/{thread}/schedstat"
                with open(path, encoding="ascii") as f:
                    seconds[int(thread)] = int(f.read().split()[0]) / 1e9
        return seconds

    def since(self):
        """(of the first thread, of the busiest other one)."""
        used = {t: s - self.before.get(t, 0) for t, s in self.now().items()}
        others = [s for t, s in used.items() if t != self.pid]
        return used[self.pid], max(others, default=0)


class Rig:
    def __init__(self, quick, million):
        self.quick = quick
        self.million = million
        self.programs = os.path.join(harness.BUILD, "tests/bench")
        self.spawner = harness.SPAWNER
        self.aioctl = harness.AIOCTL
        self.env = environment()
        base = os.environ.get("TMPDIR") or os.path.join(harness.BUILD, "bench")
        os.makedirs(base, exist_ok=True)
        self.root = tempfile.mkdtemp(prefix="r-", dir=base)
        self.made = 0

    def count(self, normal, quick):
        return quick if self.quick else normal

    def rounds(self, normal=7):
        return 2 if self.quick else normal

    def directory(self):
        self.made += 1
        path = os.path.join(self.root, str(self.made))
        os.mkdir(path)
        return path

    def program(self, name):
        return os.path.join(self.programs, name)

    def run(self, *args, env=None, **kwargs):
        """Runs a program to its end; returns what it printed."""
        args = [self.program(args[0]), *map(str, args[1:])] if "/" not in args[0] else args
        done = subprocess.run(args, env=self.env if env is None else env, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(args)}: {done.stderr or done.returncode}")
        return done.stdout

    def figures(self, *args, **kwargs):
        return json.loads(self.run(*args, **kwargs))

    @contextlib.contextmanager
    def aiod(self, slots=None, env=None):
        """A fresh instance with a group "bench"; it is killed at the end: no bench waits for
        a clean stop of a hundred thousand tasks."""
        instance = harness.Instance(
            root=self.directory(), env=env,
            config=f"[group bench]\nslots = {slots}\n" if slots else None)
        instance.start()
        try:
            yield instance
        finally:
            instance.kill()
            instance.end_spawner()

    def load(self, instance, *args, env=None):
        """args: options of load, then a command if there is one."""
        split = next((i for i, a in enumerate(args) if a == "--"), len(args))
        return self.figures("load", *args[:split], "aiod", instance.socket, *args[split + 1:],
                            env=env)

    @staticmethod
    def block(instance, slots=1):
        """Takes all slots of the group: what is submitted from now on waits in line."""
        for _ in range(slots):
            instance.until_state(instance.submit("sleep", "1000000", group="bench"), "RUNNING")

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

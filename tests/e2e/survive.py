# SPDX-License-Identifier: MIT
"""What the tests of restarts, crashes and faults share: processes watched from outside, commands
that wait for a word of ours, and a test case that looks into the spawner's log too.
"""
import os

from harness import AIOD, Instance, InstanceTest, until

with open(AIOD, "rb") as _f:
    SANITIZED = b"__asan_init" in _f.read()


def process_stat(pid):
    """Fields of /proc/PID/stat behind the name (state, ppid, …); None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(pid):
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children_of(pid):
    """Every child, zombies too."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = process_stat(name)
            if stat and int(stat[1]) == pid:
                found.append(int(name))
    return found


def lines(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]
    except FileNotFoundError:
        return []


def output(rpc, task, stream="out"):
    """All that a task has written, as bytes."""
    rpc.notifications.clear()
    rpc.call("logs", id=task, stream=stream)
    return b"".join(data if isinstance(data, bytes) else data.encode()
                    for data in (n[2][0]["data"] for n in rpc.notifications))


class Gate:
    """A FIFO on which commands wait (`read _ < GATE`): each line that open() writes lets one go.
    Our end is open for reading and writing, so nobody blocks in open, and when the test ends
    every command sees the end of the file."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path, 0o666)
        os.chmod(path, 0o666)
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def open(self, n=1):
        os.write(self.fd, b"\n" * n)

    def close(self):
        os.close(self.fd)


class SurviveTest(InstanceTest):
    """An instance that is stopped, killed and started again; `log` is a file for commands."""

    def setUp(self):
        super().setUp()
        self.log = os.path.join(self.aiod.root, "commands.log")
        self.gate = Gate(os.path.join(self.aiod.root, "gate"))
        self.addCleanup(self.gate.close)

    def task(self, task):
        return self.aiod.call("task", id=task)

    def gated(self, line="exit 0", **fields):
        """`line`, run when the gate opens; returns once it waits there."""
        word = f"at-gate-{os.urandom(6).hex()}"
        task = self.aiod.submit("sh", "-c", f"echo {word} >> {self.log}; read _ < {self.gate.path}; "
                                f"{line}", **fields)
        until("the command is at the gate", lambda: word in lines(self.log))
        self.running(task)
        return task

    def log_words(self):
        """What commands have written, without those who stood at the gate."""
        return [line for line in lines(self.log) if not line.startswith("at-gate-")]

    def running(self, task):
        """Its pid, once aiod knows that it runs."""
        def started():
            seen = self.task(task)
            return seen["state"] == "RUNNING" and seen.get("pid")
        return until(f"task {task} runs", started)

    def gone(self, *pids):
        until(f"{pids} have ended", lambda: not any(alive(pid) for pid in pids))

    def spawner(self):
        """The pid of the spawner, once it answers."""
        return until("the spawner answers", lambda: self.aiod.call("health")["spawner"]["connected"]
                     and self.aiod.spawner_pid())

    def restart(self, how):
        status = self.aiod.kill(how)
        self.aiod.start()
        return status

    def assertEnds(self, task, outcome, **error):
        """Waits for it; its error must have at least these fields."""
        end = self.aiod.wait_for(task)
        self.assertEqual(end["outcome"], outcome, end)
        self.assertEqual({key: end.get("error", {}).get(key) for key in error}, error, end)
        return end


__all__ = ["SANITIZED", "Gate", "Instance", "SurviveTest", "alive", "children_of", "lines", "output",
           "process_stat", "until"]

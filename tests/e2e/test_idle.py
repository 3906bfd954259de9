# SPDX-License-Identifier: MIT
"""An idle aiod costs nothing: no system call in 5 s of real time, little memory. This one does
wait, because nothing is what has to happen."""
import glob
import os
import re
import signal
import subprocess
import time
import unittest

from harness import SANITIZED, TIMEOUT, InstanceTest, until

SECONDS = 5
# A call that was under way when strace came and still was when it left.
BLOCKED = re.compile(r"\d+ +(restart_syscall|epoll_wait|epoll_pwait|futex|read|ppoll|poll)"
                     r"\(.*(<unfinished \.\.\.>|<detached \.\.\.>)$")
DETACHED = re.compile(r"\d+ +<\.\.\. \w+ resumed> ?(<detached|<unfinished) \.\.\.>\)?$")


def switches(pid):
    """How often the threads of a process have gone to sleep so far."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path, encoding="ascii") as f:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
    return total


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"^VmRSS:\s*(\d+)", f.read(), re.M)[1])


class Idle(InstanceTest):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")
        self.spawner = self.aiod.spawner_pid()
        until("it has come to rest", self.rests)

    def rests(self):
        before = switches(self.aiod.process.pid)
        time.sleep(2)  # the checkpoint and the status for systemd come about a second later
        return switches(self.aiod.process.pid) == before

    def start_strace(self, pid):
        trace = os.path.join(self.aiod.root, f"trace.{pid}")
        strace = subprocess.Popen(["strace", "-f", "-p", str(pid), "-o", trace],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertIn("attached", strace.stderr.readline())
        return strace, trace

    def system_calls(self, *pids):
        """What these processes ask of the kernel in SECONDS; blocked calls are left out."""
        straces = {pid: self.start_strace(pid) for pid in pids}
        time.sleep(SECONDS)
        found = []
        for pid, (strace, trace) in straces.items():
            self.assertIsNone(strace.poll())
            strace.send_signal(signal.SIGINT)
            strace.communicate(timeout=TIMEOUT)
            with open(trace, encoding="ascii") as f:
                lines = f.read().splitlines()
            blocked = [line for line in lines if BLOCKED.match(line)]
            threads = len(os.listdir(f"/proc/{pid}/task"))
            self.assertGreaterEqual(len(blocked), threads, lines)  # strace has seen every thread
            found += [line for line in lines if line not in blocked and not DETACHED.match(line)]
        return found

    def test_alone(self):
        self.assertEqual(self.system_calls(self.aiod.process.pid, self.spawner), [])
        if not SANITIZED:  # whose own memory is not aiod's
            self.assertLess(memory_kib(self.aiod.process.pid), 10 << 10)
            self.assertLess(memory_kib(self.spawner), 2 << 10)

    def test_with_clients_that_wait_and_a_command_that_runs(self):
        later = self.aiod.submit("true", **{"in": 1000})
        running = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(running, "RUNNING")
        with self.aiod.connect() as rpc:
            rpc.send("await", id=later)
            rpc.send("logs", id=running, follow=True)
            rpc.call("hello")
            until("it has come to rest", self.rests)
            self.assertEqual(self.system_calls(self.aiod.process.pid, self.spawner), [])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""A disk that is full: nothing new is accepted, what ends is on record, and nothing accepted is
lost. A disk that fails: aiod ends with 74 and never takes back a promise."""
import collections
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import Instance, RpcError
from survive import SANITIZED, Gate, SurviveTest, alive, lines, until

EX_IOERR = 74


def skip_aloud(test, why):
    sys.stderr.write(f"SKIPPED {test.id()}: {why}\n")
    test.skipTest(why)


class FullDisk(SurviveTest):
    SIZE = 16 * 1024 * 1024
    LOW = SIZE // 16  # low water: the larger of 1/20 and the ballast, which is 1/16

    def setUp(self):
        if os.getuid() != 0:
            skip_aloud(self, "mounting a small tmpfs needs root")
        self.mount = tempfile.mkdtemp(prefix="aiod-full-")
        self.addCleanup(os.rmdir, self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "aiod",
                               self.mount], capture_output=True, text=True, check=False)
        if done.returncode:
            skip_aloud(self, f"no tmpfs can be mounted here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount], check=True)
        super().setUp()

    def make_instance(self):
        return Instance(config=self.config, state=os.path.join(self.mount, "state"))

    def free(self):
        fs = os.statvfs(self.mount)
        return fs.f_bavail * fs.f_frsize

    def fill(self, leave):
        """All but so many bytes."""
        with open(os.path.join(self.mount, "filler"), "ab", buffering=0) as f:
            while self.free() > leave:
                size = min(self.free() - leave, 1 << 16)
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, size)
                except OSError:
                    return

    def empty(self):
        os.unlink(os.path.join(self.mount, "filler"))

    def refused(self):
        """The word that a submit is refused with, or None."""
        try:
            self.aiod.submit("true", **{"in": 1000})
            return None
        except RpcError as error:
            return error.word

    def until_refused(self, word):
        """aiod looks at the disk once a second at most; asked more seldom than always, as each
        submit that is accepted meanwhile takes some of the space that is left."""
        def asked():
            if time.monotonic() < asked.next:
                return False
            asked.next = time.monotonic() + 0.1
            return self.refused() == word
        asked.next = 0
        until(f"submits are answered with {word}", asked)

    def test_low_water(self):
        """Refused in time: there is room left for what finishes."""
        task = self.gated("echo done; exit 3")
        self.fill(self.LOW // 2)
        self.until_refused("no-space")
        self.gate.open()
        self.assertEnds(task, "failed", exit=3)
        self.assertTrue(os.path.exists(os.path.join(self.aiod.state, "ballast")))
        self.empty()
        self.until_refused(None)

    def recorded(self):
        """All tasks, without what they cost the loop."""
        tasks = self.aiod.call("status", limit=1000)["tasks"]
        return [{key: task[key] for key in task if key != "loop"} for task in tasks]

    def test_full_to_the_last_byte(self):
        tasks = {self.gated(f"exit {n}"): n for n in (1, 2, 3, 4)}
        pids = [self.running(task) for task in tasks]
        slept = self.aiod.call("submit", function="sleep", args={"seconds": 3600})["id"]
        until("it sleeps", lambda: self.task(slept)["state"] == "SUSPENDED")
        self.fill(0)
        self.until_refused("no-space")
        self.fill(0)
        self.gate.open(4)
        self.gone(*pids)
        ends = {self.aiod.wait_for(task)["error"]["exit"] for task in tasks}
        self.assertEqual(ends, {1, 2, 3, 4})
        self.assertTrue(self.aiod.call("cancel", ids=[slept])[0]["asked"])
        self.assertEnds(slept, "cancelled")
        before = self.recorded()
        self.restart(signal.SIGKILL)
        self.assertEqual(self.recorded(), before)
        self.assertEqual(self.refused(), "no-space")
        self.empty()
        self.until_refused(None)
        self.assertEnds(self.aiod.submit("true"), "ok")
        self.assertTrue(os.path.exists(os.path.join(self.aiod.state, "ballast")))

    def test_start_on_a_full_disk(self):
        task = self.gated("exit 6")
        self.aiod.kill()
        self.fill(0)
        self.aiod.start()
        self.assertEqual(self.running(task), self.task(task)["pid"])
        self.assertEqual(self.refused(), "no-space")
        self.gate.open()
        self.assertEnds(task, "failed", exit=6)
        self.empty()
        self.until_refused(None)

    def test_queued_tasks_outlast_it(self):
        """What was accepted before is not thrown away because there is no room now."""
        first = [self.gated() for _ in range(4)]
        tasks = [self.aiod.submit("sh", "-c", f"echo {n} >> {self.log}") for n in range(30)]
        self.fill(0)
        self.until_refused("no-space")
        self.fill(0)
        self.gate.open(4)
        for task in first:
            self.assertEnds(task, "ok")
        self.empty()
        for n, task in enumerate(tasks):
            self.assertEnds(task, "ok")
            self.assertEqual(self.log_words().count(str(n)), 1)

    def test_a_command_fills_the_disk(self):
        """It gets ENOSPC as anywhere else, and its end is on record; its output gone, all is well."""
        task = self.aiod.submit("cat", "/dev/zero")
        self.assertEnds(task, "failed", type="ExitStatus", exit=1)
        self.until_refused("no-space")
        self.aiod.call("remove", ids=[task])
        self.until_refused(None)


@functools.cache
def strace_works():
    if SANITIZED or not shutil.which("strace"):
        return False
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL,
                          check=False)
    return done.returncode == 0


class FailingDisk(unittest.TestCase):
    """The n-th sync of the store's thread fails with EIO: what it was for is unknown, a second one
    would lie, so aiod ends with 74; what it had acknowledged is there at the next start."""

    config = "[group one]\nslots = 1\n"

    def setUp(self):
        if not strace_works():
            skip_aloud(self, "needs strace that may trace, and a build without sanitizers")
        self.aiod = Instance(config=self.config)
        self.addCleanup(self.aiod.close)
        self.gate = Gate(os.path.join(self.aiod.root, "gate"))
        self.addCleanup(self.gate.close)
        self.log = os.path.join(self.aiod.root, "commands.log")

    def prepare(self):
        """A command that runs keeps the spawner, which must not be a child of strace."""
        self.aiod.start()
        self.running = self.aiod.submit("sh", "-c", f"read _ < {self.gate.path}; exit 9")
        self.pid = until("it runs", lambda: self.aiod.call("task", id=self.running).get("pid"))
        self.assertEqual(self.aiod.stop(), 0)

    def start_failing(self, calls, when, ready=True):
        self.trace = os.path.join(self.aiod.root, "trace")
        self.aiod.wrapper = ["strace", "-f", "-o", self.trace, "-e", f"trace={calls}",
                             "-e", f"inject={calls}:error=EIO:when={when}"]
        self.aiod.start(ready)
        self.aiod.wrapper = []

    def submit_until_it_ends(self):
        """Pairs of submits on one connection, each with a number that its command writes down.
        Returns {number: id}, what was acknowledged, and {number: how it ended}, the rest: the word
        of an error, or "EOF"."""
        acknowledged, ends = {}, {}
        with self.aiod.connect() as rpc:
            while not ends:
                self.assertLess(len(acknowledged), 1000, "it does not fail")
                numbers = range(len(acknowledged), len(acknowledged) + 2)
                msgids = {}
                for n in numbers:
                    with contextlib.suppress(OSError):
                        msgids[n] = rpc.send("submit", args={
                            "argv": ["sh", "-c", f"echo {n} >> {self.log}"], "cwd": "/"})
                for n in numbers:
                    try:
                        acknowledged[n] = rpc.answer(msgids[n])["id"]
                    except RpcError as error:
                        ends[n] = error.word
                    except (OSError, KeyError):
                        ends[n] = "EOF"
        return acknowledged, ends

    def check_end(self, acknowledged, ends):
        """aiod has ended with 74; the next one keeps every promise."""
        self.assertEqual(self.aiod.process.wait(harness.TIMEOUT), EX_IOERR, self.aiod.log_text())
        self.assertLessEqual(set(ends.values()), {"outcome-unknown", "stopping", "EOF"})
        self.assertIn("the store failed", self.aiod.log_text())
        self.assertTrue(alive(self.pid), "the command is left alone")
        self.aiod.start()
        self.gate.open()
        self.assertEqual(self.aiod.wait_for(self.running)["error"]["exit"], 9)
        for task in acknowledged.values():
            self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.aiod.call("wait")
        ran = collections.Counter(int(word) for word in lines(self.log))
        self.assertEqual({n: ran[n] for n in acknowledged}, {n: 1 for n in acknowledged})
        for n, word in ends.items():
            self.assertLessEqual(ran[n], 0 if word == "stopping" else 1, (n, word))
        self.assertEqual(self.aiod.stop(), 0)

    def check(self, calls, when):
        self.prepare()
        self.start_failing(calls, when)
        acknowledged, ends = self.submit_until_it_ends()
        self.check_end(acknowledged, ends)
        with open(self.trace, encoding="utf-8") as f:
            trace = f.read()
        if "+" not in when:
            self.assertEqual(len(re.findall("INJECTED", trace)), 1, "no sync is tried again")
        return acknowledged, ends

    def test_first_sync(self):
        acknowledged, _ = self.check("fdatasync", "1")
        self.assertEqual(acknowledged, {})

    # The second one is of the directory, for the new WAL: SQLite itself does not look at it.

    def test_third_sync(self):
        self.check("fdatasync", "3")

    def test_fourth_sync(self):
        self.check("fdatasync", "4")

    def test_ninth_sync(self):
        self.check("fdatasync", "9")

    def test_all_syncs_from_there_on(self):
        self.check("fdatasync,fsync", "4+")

    def test_a_write_fails(self):
        self.check("pwrite64", "19+")

    def test_submits_whose_sync_fails(self):
        """All that one connection has under way, and the daemon does nothing else: their own sync."""
        self.prepare()
        self.start_failing("fdatasync", "5+")
        words = []
        with self.aiod.connect() as rpc:
            while not words:
                msgids = [rpc.send("submit", function="sleep", args={"seconds": 1000}, **{"in": 1000})
                          for _ in range(20)]
                for msgid in msgids:
                    try:
                        rpc.answer(msgid)
                    except RpcError as error:
                        words.append(error.word)
                    except ConnectionError:
                        words.append("EOF")
        self.assertIn("outcome-unknown", words)
        self.assertLessEqual(set(words), {"outcome-unknown", "stopping", "EOF"})
        self.assertEqual(self.aiod.process.wait(harness.TIMEOUT), EX_IOERR, self.aiod.log_text())

    def test_a_sync_of_the_start(self):
        """Then nothing was promised: it does not start, and the next one does."""
        self.prepare()
        with open(os.path.join(self.aiod.state, "tasks.db"), "rb") as f:
            before = f.read()
        self.aiod.wrapper = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
                             "-e", "inject=fsync,fdatasync:error=EIO:when=1"]
        self.aiod.start(ready=False)
        self.assertNotIn(self.aiod.process.wait(harness.TIMEOUT), (0, -signal.SIGSEGV))
        self.assertIn("Input/output error", self.aiod.log_text())
        with open(os.path.join(self.aiod.state, "tasks.db"), "rb") as f:
            self.assertEqual(f.read(), before)
        self.aiod.wrapper = []
        self.aiod.start()
        self.gate.open()
        self.assertEqual(self.aiod.wait_for(self.running)["error"]["exit"], 9)

    def test_clients_that_wait_are_told(self):
        self.prepare()
        self.start_failing("fdatasync", "3")
        with self.aiod.connect() as waiting:
            msgid = waiting.send("await", id=self.running)
            waiting.call("hello")
            self.submit_until_it_ends()
            with self.assertRaises((RpcError, ConnectionError)) as caught:
                waiting.answer(msgid)
            if isinstance(caught.exception, RpcError):
                self.assertIn(caught.exception.word, ("stopping", "outcome-unknown"))
        self.assertEqual(self.aiod.process.wait(harness.TIMEOUT), EX_IOERR)
        self.aiod.start()
        self.gate.open()
        self.aiod.wait_for(self.running)


if __name__ == "__main__":
    unittest.main()

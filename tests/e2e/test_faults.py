# SPDX-License-Identifier: MIT
"""Directories that cannot be used, databases that are no good: aiod says what is wrong, in one
sentence, and changes nothing that it cannot read."""
import os
import shutil
import sqlite3
import tempfile
import unittest

import harness
from harness import Instance, until
from survive import lines

NOBODY = 65534


def as_nobody():
    """A wrapper that takes root's rights away: nothing that only they would allow is tested."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class RefusalTest(unittest.TestCase):
    """aiod must not start."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="aiod-test-")
        self.addCleanup(until, f"{self.root} is removed", self.removed)

    def removed(self):
        """A spawner that aiod started just before its end may still be making its socket here; it
        ends by itself when nobody connects."""
        shutil.rmtree(self.root, ignore_errors=True)
        return not os.path.exists(self.root)

    def instance(self, **fields):
        aiod = Instance(root=self.root, **fields)
        self.addCleanup(aiod.close)
        return aiod

    def assertRefuses(self, aiod, *words, status=None):
        """Ends with an error and one sentence that has all the words; no sanitizer's report."""
        if os.path.exists(aiod.log):
            os.unlink(aiod.log)
        aiod.start(ready=False)
        ended = aiod.process.wait(harness.TIMEOUT)
        log = aiod.log_text()
        self.assertNotEqual(ended, 0, log)
        self.assertGreater(ended, 0, log)
        if status is not None:
            self.assertEqual(ended, status, log)
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, log)
        told = log.strip().split("\n")
        self.assertEqual(len(told), 1, log)
        for word in words:
            self.assertIn(word, told[0])


class Directories(RefusalTest):
    def nobodys(self):
        """An instance that runs as nobody below a directory of root's."""
        os.chmod(self.root, 0o777)
        return self.instance(wrapper=as_nobody(), config="")

    def read_only(self, path):
        os.mkdir(path)
        os.chmod(path, 0o555)
        self.addCleanup(os.chmod, path, 0o755)
        return path

    def test_state_not_writable(self):
        aiod = self.nobodys()
        os.chown(self.read_only(aiod.state), 65534, 65534)
        self.assertRefuses(aiod, aiod.state, "Permission denied")
        self.assertEqual(os.listdir(aiod.state), [])

    def test_state_cannot_be_made(self):
        aiod = self.nobodys()
        aiod.state = os.path.join(self.read_only(os.path.join(self.root, "closed")), "state")
        self.assertRefuses(aiod, aiod.state, "Permission denied")

    def test_runtime_not_writable(self):
        aiod = self.nobodys()
        self.read_only(aiod.runtime)
        self.assertRefuses(aiod, aiod.runtime, "Permission denied")

    def test_state_is_a_file(self):
        aiod = self.instance()
        with open(aiod.state, "w", encoding="ascii") as f:
            f.write("mine\n")
        self.assertRefuses(aiod, aiod.state, "Not a directory")
        self.assertEqual(lines(aiod.state), ["mine"])

    def test_runtime_is_a_file(self):
        aiod = self.instance()
        with open(aiod.runtime, "w", encoding="ascii") as f:
            f.write("mine\n")
        self.assertRefuses(aiod, aiod.runtime, "Not a directory")
        self.assertEqual(lines(aiod.runtime), ["mine"])

    def test_in_use(self):
        with Instance() as first:
            aiod = self.instance(state=first.state)
            self.assertRefuses(aiod, first.state, str(first.process.pid))
            first.wait_for(first.submit("true"))

    def test_output_directory_is_a_file(self):
        aiod = self.instance()
        os.mkdir(aiod.state)
        path = os.path.join(aiod.state, "output")
        with open(path, "w", encoding="ascii") as f:
            f.write("mine\n")
        self.assertRefuses(aiod, path)
        self.assertEqual(lines(path), ["mine"])


def wal_end(path):
    """Where the frames of the WAL end: behind them the file may have room for more."""
    with open(path, "rb") as f:
        wal = f.read()
    end = 32
    while wal[end + 8:end + 16] == wal[16:24]:  # the salt
        end += 24 + 4096
    return end


class Databases(RefusalTest):
    """A database with 200 tasks, closed in order; then something happens to it."""

    def setUp(self):
        super().setUp()
        self.aiod = self.instance()
        self.aiod.start()
        with self.aiod.connect() as rpc:
            asked = [rpc.send("submit", args={"argv": ["true", "x" * 500], "cwd": "/"}, **{"in": 1000})
                     for _ in range(200)]
            self.ids = [rpc.answer(msgid)["id"] for msgid in asked]
            rpc.call("cancel", ids=self.ids[:150])
            rpc.call("wait", ids=self.ids[:150])
        self.assertEqual(self.aiod.stop(), 0)
        self.path = os.path.join(self.aiod.state, "tasks.db")
        self.bytes = self.read()

    def read(self):
        with open(self.path, "rb") as f:
            return f.read()

    def write(self, data):
        with open(self.path, "wb") as f:
            f.write(data)

    def crashed(self):
        """As if aiod had not ended in order: the whole is checked at the next start."""
        os.unlink(os.path.join(self.aiod.state, "clean"))

    def assertUntouched(self, data, *words, status=None):
        """Refused, twice, and the file has every byte; whole again, it serves again."""
        self.write(data)
        for _ in range(2):
            self.assertRefuses(self.aiod, self.path, *words, status=status)
            self.assertEqual(self.read(), data)
            self.assertFalse(os.path.exists(self.path + "-journal"))
        self.write(self.bytes)
        self.aiod.start()
        self.assertEqual(self.aiod.submit("true"), self.ids[-1] + 1)
        self.assertEqual(self.aiod.call("status", limit=1)["counts"]["cancelled"], 150)

    def test_overwritten_in_the_middle(self):
        self.crashed()
        middle = len(self.bytes) // 2 // 4096 * 4096
        data = self.bytes[:middle] + b"\xa5" * 8192 + self.bytes[middle + 8192:]
        self.assertUntouched(data, "damaged", "backup")

    def test_live_tasks_overwritten_after_a_clean_end(self):
        """Not checked then, but read: the page of the last task, which is live."""
        at = self.bytes.rindex(b"x" * 500) // 4096 * 4096
        data = self.bytes[:at] + b"\xa5" * 4096 + self.bytes[at + 4096:]
        self.assertUntouched(data, "damaged", "backup")

    def test_truncated(self):
        self.crashed()
        self.assertUntouched(self.bytes[:len(self.bytes) // 2], "damaged")

    def test_truncated_within_a_page(self):
        self.crashed()
        self.assertUntouched(self.bytes[:len(self.bytes) - 1000], "damaged")

    def test_truncated_after_a_clean_end(self):
        self.assertUntouched(self.bytes[:len(self.bytes) // 2], "damaged")

    def test_empty(self):
        self.assertUntouched(b"", "missing or empty")

    def test_missing(self):
        os.unlink(self.path)
        for _ in range(2):
            self.assertRefuses(self.aiod, self.path, "missing")
            self.assertFalse(os.path.exists(self.path))

    def test_not_a_database(self):
        self.assertUntouched(b"#!/bin/sh\necho hello\n" * 1000, "damaged")

    def test_another_programs(self):
        other = os.path.join(self.root, "other.db")
        with sqlite3.connect(other) as db:
            db.execute("CREATE TABLE t (x)")
        db.close()
        with open(other, "rb") as f:
            self.assertUntouched(f.read(), "another program")

    def test_newer_schema(self):
        newer = bytearray(self.bytes)
        newer[60:64] = (999).to_bytes(4, "big")  # user_version in the header of the file
        self.assertUntouched(bytes(newer), "newer", "999")

    def test_of_another_instance(self):
        other = Instance()
        self.addCleanup(other.close)
        other.start()
        other.stop()
        with open(os.path.join(other.state, "tasks.db"), "rb") as f:
            self.assertUntouched(f.read(), "another instance")

    def test_garbage_in_the_wal(self):
        """Frames whose checksums do not fit end the WAL: what is before them counts."""
        self.aiod.start()
        task = self.aiod.submit("true", **{"in": 1000})
        self.aiod.kill()
        self.aiod.end_spawner()
        with open(self.path + "-wal", "ab") as f:
            f.write(b"\xa5" * 50000)
        self.aiod.start()
        self.assertEqual(self.aiod.call("task", id=task)["state"], "PENDING")

    def test_wal_cut(self):
        """What a power failure leaves of a commit that nobody had been told of."""
        self.aiod.start()
        first = self.aiod.submit("true", **{"in": 1000})
        size = wal_end(self.path + "-wal")
        self.aiod.submit("true", **{"in": 1000})
        self.aiod.kill()
        self.aiod.end_spawner()
        os.truncate(self.path + "-wal", size + 100)
        self.aiod.start()
        self.assertEqual(self.aiod.call("task", id=first)["state"], "PENDING")
        self.assertEqual(self.aiod.call("health")["store"]["last_id"], first)


if __name__ == "__main__":
    unittest.main()

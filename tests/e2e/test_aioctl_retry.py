# SPDX-License-Identifier: MIT
"""aioctl retry and is-done, is-cancelled, is-failed."""
import json
import os
import re
import subprocess
import unittest

from harness import AIOCTL, InstanceTest
from terminal import Terminal


class RetryTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def retry(self, *args, check=0):
        """The new ids."""
        return [int(line) for line in self.aioctl("retry", *args, check=check).stdout.split()]

    def submit(self, *args):
        return int(self.aioctl("submit", *args, cwd=self.aiod.root).stdout)


class Retry(RetryTest):
    def test_as_it_was(self):
        old = self.submit("--name", "once", "-g", "one", "--env", "A=b", "-c",
                          'echo "$A $PWD" >> out; test -e ready')
        self.assertEqual(self.aiod.wait_for(old)["outcome"], "failed")
        open(os.path.join(self.aiod.root, "ready"), "w", encoding="ascii").close()
        done = self.aioctl("retry", str(old))
        self.assertEqual(done.stderr, "")  # no terminal: no talk
        new = int(done.stdout)
        task = self.aiod.wait_for(new)
        self.assertEqual((task["outcome"], task["name"], task["group"], task["retry_of"]),
                         ("ok", "once", "one", old))
        self.assertEqual(self.aiod.call("task", id=old)["retried_as"], new)
        with open(os.path.join(self.aiod.root, "out"), encoding="ascii") as f:
            self.assertEqual(f.read(), f"b {self.aiod.root}\n" * 2)
        self.assertIn(f"retry       retried as {new}", self.aioctl("status", str(old)).stdout)
        self.assertIn(f"retry       of {old}", self.aioctl("status", str(new)).stdout)
        self.assertIn(f"retried as {new}, exit 1", self.aioctl("status", "--failed").stdout)

    def test_picked(self):
        for args in (["false"], ["-g", "one", "false"], ["true"], ["--in", "1h", "true"],
                     ["sleep", "1000"], ["false"]):
            self.submit(*args)
        self.aioctl("cancel", "4")
        self.aioctl("wait", "1-4", "6", check=1)
        self.assertEqual(self.retry("--failed", "-g", "one"), [7])
        self.aioctl("wait", "7", check=1)
        # 2 has been retried; 7, its retry, has not
        self.assertEqual(self.retry("--failed", "1-6"), [8, 9])
        self.aioctl("wait", "8", "9", check=1)
        self.assertEqual([self.aiod.call("task", id=n)["retry_of"] for n in (7, 8, 9)], [2, 1, 6])
        self.assertEqual(self.retry("--failed", "--since", "1h", "-g", "one"), [10])
        self.assertEqual(self.retry("--failed", "-g", "one", "--until", "1h", check=3), [])
        self.assertEqual(self.retry("--cancelled"), [11])
        self.aiod.wait_for(11)
        self.assertEqual(self.retry("--ok", "1-6"), [12])
        # by its number one is retried again and again
        self.assertEqual(self.retry("2", "2-3"), [13, 14])

    def test_a_name(self):
        for _ in range(2):
            self.aiod.wait_for(self.submit("--name", "again", "false"))
        self.assertEqual(self.retry("again"), [3])
        self.assertEqual(self.aiod.call("task", id=3)["retry_of"], 2)

    def test_live_ones_are_refused(self):
        self.submit("sleep", "1000")
        self.aiod.wait_for(self.submit("false"))
        self.aiod.until_state(1, "RUNNING")
        done = self.aioctl("retry", "1", "2", check=5)
        self.assertEqual(done.stdout, "3\n")
        self.assertEqual(done.stderr, "aioctl: retry: 1 is RUNNING: only what is DONE can be "
                                      "retried\n")
        done = self.aioctl("retry", "-o", "json", "1", check=5)
        item, = json.loads(done.stdout)
        self.assertEqual((item["id"], item["new"], item["state"]), (1, None, "RUNNING"))
        self.assertEqual(item["error"]["code"], "not-done")

    def test_a_group_that_is_gone(self):
        self.aioctl("group", "new", "brief", "--slots", "1")
        self.aiod.wait_for(self.submit("-g", "brief", "false"))
        self.aiod.wait_for(self.submit("false"))
        self.aioctl("group", "rm", "brief")
        done = self.aioctl("retry", "--failed", check=3)
        self.assertEqual(done.stdout, "3\n")
        self.assertIn("there is no group brief", done.stderr)
        # its tasks are still there, and their group is known by them
        self.assertEqual(self.aioctl("status", "-g", "brief", "--done", "-o", "id").stdout, "1\n")

    def test_nothing(self):
        self.assertEqual(self.retry("--failed", check=3), [])
        self.assertEqual(self.retry("7", check=3), [])
        self.assertEqual(self.retry("--failed", "-g", "nope", check=3), [])
        self.assertEqual(self.retry("all", "--failed", check=3), [])

    def test_many(self):
        with self.aiod.connect() as rpc:
            sent = [rpc.send("submit", function="sleep", args=["0", "x"][:1]) for _ in range(4500)]
            for msgid in sent:
                rpc.answer(msgid)
        self.aioctl("wait")
        new = self.retry("--ok")
        self.assertEqual(new, list(range(4501, 9001)))
        self.assertEqual(self.aiod.call("task", id=4501)["retry_of"], 1)
        self.assertEqual(self.aiod.call("task", id=9000)["retry_of"], 4500)

    def test_talk_on_a_terminal(self):
        self.aiod.wait_for(self.aiod.submit("false"))
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, TERM="xterm")
        with Terminal([AIOCTL, "retry", "1"], env) as terminal:
            self.assertEqual(terminal.wait(), 0)
            self.assertEqual(terminal.text(), "aioctl: retry: 2 is a retry of 1\n2")


class Is(RetryTest):
    def setUp(self):
        """1 ok, 2 failed, 3 cancelled, 4 live."""
        super().setUp()
        self.aiod.wait_for(self.aiod.submit("true"))
        self.aiod.wait_for(self.aiod.submit("false"))
        self.aiod.submit("sleep", "1000")
        self.aioctl("cancel", "3")
        self.aiod.wait_for(3)
        self.submit("--name", "nap", "--call", "sleep", "1000")

    def test_answers(self):
        for args, status in (
                ("is-done 1", 0), ("is-done 2", 0), ("is-done 3", 0), ("is-done 4", 1),
                ("is-done nap", 1), ("is-done 1 2 3", 0), ("is-done 1 4", 1), ("is-done 1-3", 0),
                ("is-done 1-9", 1), ("is-done last", 1), ("is-done all", 1), ("is-done 99", 3),
                ("is-done nobody", 3), ("is-done 90-99", 3), ("is-done 1 99", 3),
                ("is-failed 2", 0), ("is-failed 1", 1), ("is-failed 3", 1), ("is-failed 4", 1),
                ("is-failed 1-4", 1), ("is-failed 99", 3),
                ("is-cancelled 3", 0), ("is-cancelled 2", 1), ("is-cancelled 4", 1),
                ("is-cancelled 2 3", 1), ("is-cancelled 99", 3)):
            done = self.aioctl(*args.split(), check=status)
            self.assertEqual(done.stdout + done.stderr, "", args)

    def test_in_a_script(self):
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOCTL=AIOCTL)
        script = 'if "$AIOCTL" is-done 1 && ! "$AIOCTL" is-failed 1; then echo fine; fi'
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True,
                              check=True)
        self.assertEqual(done.stdout + done.stderr, "fine\n")

    def test_mistakes(self):
        self.assertIn("which task?", self.aioctl("is-done", check=2).stderr)
        self.aioctl("is-done", "9-3", check=2)
        self.assertTrue(self.aioctl("is-done", "--socket", "/nowhere/s", "1", check=4).stderr)


if __name__ == "__main__":
    unittest.main()

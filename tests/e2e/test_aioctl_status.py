# SPDX-License-Identifier: MIT
"""aioctl status: the overview, lists, one task in detail, every format, and what a terminal gets
instead of a pipe."""
import json
import os
import pty
import re
import subprocess
import unittest

from harness import AIOCTL, TIMEOUT, Gate, InstanceTest

TIME = r"[0-9]+(ms|s|m[0-9]{2}s)"


class StatusTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def setUp(self):
        """1 ok, 2 failed, 3 PENDING for its time, 4 RUNNING, 5 and 6 PENDING for a slot, 7
        SUSPENDED, 8 cancelled."""
        super().setUp()
        self.gate = Gate(self.aiod.root)
        for args in (["true"], ["-c", "echo a; echo b >&2; exit 3"],
                     ["--name", "later", "--in", "1h", "true"],
                     ["-g", "one", "-c", "read x < gate"], ["-g", "one", "true"],
                     ["-g", "one", "false"], ["--call", "sleep", "1000"],
                     ["--in", "1h", "echo", "never"]):
            self.aioctl("submit", *args, cwd=self.aiod.root)
        self.aioctl("cancel", "8")
        self.aioctl("wait", "1", "2", "8", check=1)
        self.pid = self.aiod.until_state(4, "RUNNING")["pid"]
        self.aiod.until_state(7, "SUSPENDED")

    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def status(self, *args):
        return self.aioctl("status", *args).stdout

    def ids(self, *args):
        return [int(line) for line in self.status("-o", "id", *args).split()]


class Overview(StatusTest):
    def test_table(self):
        expected = [
            r"aiod · .* · on the loop: nobody, [0-9.]+ % busy · up [0-9]+ s · 1 of 5 slots  "
            r"[A-Z][a-z]{2} [0-9:]{8}",
            r"1 RUNNING · 1 SUSPENDED · 3 PENDING · (today )?3 DONE: 1 ok 1 failed 1 cancelled",
            r"",
            r" +ID  STATE +SINCE +AWAITS / RESULT +TASK",
            r"one · slots 1 of 1",
            rf" +4  RUNNING +{TIME} +process {self.pid} +read x < gate",
            rf" +5  PENDING +{TIME} +slot of one, next +true",
            rf" +6  PENDING +{TIME} +slot of one, 2nd +false",
            r"default · slots 0 of 4",
            rf" +7  SUSPENDED +{TIME} +timer, [A-Za-z0-9: ]+ +sleep 1000",
            rf" +3  PENDING +{TIME} +timer, [A-Za-z0-9: ]+ +later: true",
            r" +8  DONE cancelled +[0-9]+s ago  .*echo never",
            r" +2  DONE failed +[0-9]+s ago +exit 3: b +echo a; echo b >&2; exit 3",
            r" +1  DONE ok +[0-9]+s ago +took [0-9]+ms +true"]
        for args in (["status"], ["ps"], ["ls"], [], ["status", "-o", "table"]):
            lines = self.aioctl(*args).stdout.splitlines()
            self.assertEqual(len(lines), len(expected), lines)
            for line, pattern in zip(lines, expected):
                self.assertRegex(line, rf"\A{pattern}\Z")

    def test_equal_rows_fold(self):
        for _ in range(200):
            self.aiod.submit("true", "x", group="one")
        self.assertRegex(self.status(), r"(?m)^ *9-208 +PENDING .*slot of one, 3rd to 202nd +"
                                        r"200 × true$")

    def test_empty(self):
        self.aioctl("cancel", "--kill", "all")
        self.aioctl("wait", "1-8", check=1)
        self.aioctl("rm", "1-8")
        lines = self.status().splitlines()
        self.assertEqual((len(lines), lines[1]), (2, "no tasks"))

    def test_wide(self):
        self.assertRegex(self.status("-o", "wide"),
                         r"(?m)^ +ID  STATE +SINCE +GROUP +USER +ATTEMPT +AWAITS / RESULT +TASK$")


class Lists(StatusTest):
    def test_filters(self):
        self.assertEqual(sorted(self.ids()), [1, 2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(self.ids("--all"), [8, 7, 6, 5, 4, 3, 2, 1])
        self.assertEqual(self.ids("--done"), [8, 2, 1])
        self.assertEqual(self.ids("-s", "pending"), [6, 5, 3])
        self.assertEqual(self.ids("--state=RUNNING", "-s", "suspended"), [7, 4])
        self.assertEqual(self.ids("-g", "one", "--all"), [6, 5, 4])
        self.assertEqual(self.ids("-g", "one", "-s", "pending"), [6, 5])
        self.assertEqual(self.ids("--all", "-n", "3"), [8, 7, 6])
        self.assertEqual(self.ids("-n", "1"), [4, 7, 3, 5, 6, 8])  # all live ones, and of those DONE
        self.assertEqual(self.ids("-n", "0"), [4, 7, 3, 5, 6])
        self.assertEqual(self.ids("--done", "-n", "2"), [8, 2])

    def test_named(self):
        self.assertEqual(self.ids("2", "4-6"), [2, 4, 5, 6])
        self.assertEqual(self.ids("later"), [3])
        self.assertEqual(self.ids("last"), [8])
        self.assertEqual(sorted(self.ids("all")), [3, 4, 5, 6, 7])

    def test_more_is_said(self):
        self.assertEqual(self.status("--done", "-n", "1").splitlines()[-1],
                         "there are more: -n N or --all")

    def test_many_pages(self):
        for _ in range(1500):
            self.aiod.submit("true", group="one")
        self.assertEqual(self.ids("--all"), list(range(1508, 0, -1)))
        self.assertEqual(self.ids("--all", "-n", "1200"), list(range(1508, 308, -1)))
        self.assertEqual(self.ids("1-1508"), list(range(1, 1509)))
        self.assertEqual(self.ids("-s", "pending", "1-6"), [3, 5, 6])

    def test_json(self):
        tasks = json.loads(self.status("-o", "json", "--all"))
        self.assertEqual(tasks, self.aiod.call("status")["tasks"])
        lines = self.status("-o", "jsonl", "--all").splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], [8, 7, 6, 5, 4, 3, 2, 1])
        one = json.loads(self.status("-o", "json", "2"))
        self.assertEqual(one, [self.aiod.call("task", id=2)])
        self.assertEqual(json.loads(self.status("-o", "json", "-g", "one", "--done")), [])

    def test_json_of_bytes_that_are_not_text(self):
        task = self.aiod.submit("echo", b"\xff\x00"[:1], "\x1b[31m\"\\")
        self.aiod.wait_for(task)
        one, = json.loads(self.status("-o", "json", str(task)))
        self.assertEqual(one["args"]["argv"][2], "\x1b[31m\"\\")
        self.assertEqual(one["id"], task)


class Detail(StatusTest):
    def test_failed(self):
        root = re.escape(self.aiod.root)
        expected = [
            r"task 2  DONE failed  exit 3: b",
            r'  coroutine +exec\("sh", "-c", "echo a; echo b >&2; exit 3"\)',
            rf"  group +default +user +.+ +cwd +{root} +env +[0-9]+ variables \(--env\)",
            r"  asyncio +done\(\) True +cancelled\(\) False +result\(\) raises +"
            r"exception\(\) ExitStatus\(3\)",
            r"  timeline +[0-9:.]+ +submitted +by process [0-9]+.*",
            r" +[0-9:.]+ +PENDING .*",
            r" +[0-9:.]+ +RUNNING +process [0-9]+.*",
            r" +[0-9:.]+ +DONE +failed: exit 3: b",
            r"  used +cpu 0\.[0-9]{2} s · memory peak .* · output 4 B · loop: [0-9]+ steps, .*",
            r"  output +a",
            r" +b",
            r"  next +aioctl logs 2 · aioctl retry 2 · aioctl rm 2"]
        lines = self.status("2").splitlines()
        self.assertEqual(len(lines), len(expected), lines)
        for line, pattern in zip(lines, expected):
            self.assertRegex(line, rf"\A{pattern}\Z")

    def test_live_ones(self):
        text = self.status("4")
        self.assertTrue(text.startswith(f"task 4  RUNNING  process {self.pid}\n"), text)
        self.assertIn("result() raises InvalidStateError", text)
        self.assertIn("next        aioctl logs -f 4 · aioctl await 4 · aioctl cancel 4", text)
        self.assertTrue(self.status("5").startswith("task 5  PENDING  slot of one, next\n"))
        self.assertTrue(self.status("7").startswith("task 7  SUSPENDED  timer, "))
        self.assertIn("coroutine   sleep(", self.status("7"))
        self.assertRegex(self.status("later"), r"\Atask 3  PENDING  later  timer, ")

    def test_environment_only_when_asked_for(self):
        task = self.aioctl("submit", "--env", "SECRET=hunter2", "true").stdout.strip()
        self.aiod.wait_for(int(task))
        for args in ([task], ["-o", "json", task], ["-o", "wide", task], ["--all"]):
            self.assertNotIn("hunter2", self.status(*args))
        self.assertIn("SECRET=hunter2", self.status("--env", task))
        self.assertIn("SECRET=hunter2",
                      json.loads(self.status("--env", "-o", "json", task))[0]["env"])


class Terminal(StatusTest):
    def on_a_terminal(self, *args, columns=80, **env):
        """What aioctl writes to a terminal so wide."""
        master, slave = pty.openpty()
        subprocess.run(["stty", "-F", os.ttyname(slave), "cols", str(columns), "raw"], check=True)
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, TERM="xterm", TZ="UTC", **env)
        process = subprocess.Popen([AIOCTL, *args], env=env, stdin=slave, stdout=slave,
                                   stderr=slave)
        os.close(slave)
        written = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: the other side is closed
                break
            written += data
        os.close(master)
        self.assertEqual(process.wait(TIMEOUT), 0)
        return written.decode()

    def test_fits(self):
        self.aiod.submit("echo", "x" * 300, group="one")
        for columns in (60, 80, 132):
            text = self.on_a_terminal("status", columns=columns, NO_COLOR="1")
            self.assertNotIn("\x1b", text)
            self.assertEqual([line for line in text.splitlines() if len(line) > columns], [])

    def test_colours(self):
        self.assertIn("\x1b[", self.on_a_terminal("status"))
        self.assertNotIn("\x1b", self.on_a_terminal("status", NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_a_terminal("--color", "never", "status"))
        self.assertIn("\x1b[", self.aioctl("--color", "always", "status").stdout)
        self.assertNotIn("\x1b", self.aioctl("status").stdout)

    def test_text_from_tasks_is_escaped(self):
        task = self.aiod.submit("printf", "a\x1b]0;owned\x07\x1b[31mred\\033[2J\\n")
        self.aiod.wait_for(task)
        for args in (["status"], ["status", str(task)]):
            self.assertNotIn("\x1b", self.on_a_terminal(*args, NO_COLOR="1"))
            self.assertNotIn("\x1b", self.aioctl(*args).stdout)
        text = self.on_a_terminal("logs", str(task))
        self.assertNotIn("\x1b]", text)
        self.assertNotIn("\x1b[2J", text)
        self.assertIn("\x1b[31mred", text)
        self.assertIn("\x1b[2J", self.aioctl("logs", str(task)).stdout)
        self.assertIn("\x1b[2J", self.on_a_terminal("logs", "--raw", str(task)))


if __name__ == "__main__":
    unittest.main()

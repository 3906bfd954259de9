# SPDX-License-Identifier: MIT
"""What picks tasks in aioctl: by state, outcome, group, name and time, in status, cancel and rm,
also of thousands."""
import json
import re
import time
import unittest

from harness import Gate, InstanceTest


class FiltersTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n[commands]\ngrace = 5s\n"

    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def ids(self, *args, check=0):
        return [int(n) for n in self.aioctl("status", "-o", "id", *args, check=check).stdout.split()]

    def submit(self, *args):
        return int(self.aioctl("submit", *args, cwd=self.aiod.root).stdout)

    def submit_many(self, count, **fields):
        with self.aiod.connect() as rpc:
            sent = [rpc.send("submit", fields) for _ in range(count)]
            return [rpc.answer(msgid)["id"] for msgid in sent]


class Status(FiltersTest):
    def setUp(self):
        """1 ok, 2 and 3 failed, 4 cancelled, 5 SUSPENDED, 6 RUNNING, 7 PENDING behind it."""
        super().setUp()
        self.gate = Gate(self.aiod.root)
        for args in (["true"], ["--name", "b", "false"], ["-g", "one", "--name", "b", "false"],
                     ["--in", "1h", "true"], ["--name", "nap", "--call", "sleep", "1000"],
                     ["-g", "one", "-c", self.gate.command], ["-g", "one", "--name", "b", "true"]):
            self.submit(*args)
        self.aioctl("cancel", "4")
        self.aioctl("wait", "1-4", check=1)
        self.aiod.until_state(5, "SUSPENDED")
        self.aiod.until_state(6, "RUNNING")

    def test_states_and_outcomes(self):
        for args, ids in (("--failed", [3, 2]), ("--ok", [1]), ("--cancelled", [4]),
                          ("--done", [4, 3, 2, 1]), ("--live", [7, 6, 5]),
                          ("--ok --failed", [3, 2, 1]), ("--done --failed", [3, 2]),
                          ("--live --failed", [7, 6, 5, 3, 2]), ("--state running,PENDING", [7, 6]),
                          ("-s running -s done --cancelled", [6, 4]), ("-s suspended", [5]),
                          ("-g one --failed", [3]), ("-g one --live", [7, 6]), ("--name b", [7, 3, 2]),
                          ("--name b --failed", [3, 2]), ("--name b -g one --live", [7]),
                          ("--name nobody", []), ("1-7 --failed", [2, 3]), ("1 6 --live", [6]),
                          ("--failed -n 1", [3]), ("--all -n 2", [7, 6])):
            self.assertEqual(self.ids(*args.split()), ids, args)

    def test_times(self):
        third = self.aiod.call("task", id=3)["ended"]
        self.assertEqual(self.ids("--done", "--since", "1h"), [4, 3, 2, 1])
        self.assertEqual(self.ids("--since", "today", "--until", "1h"), [])
        self.assertEqual(self.ids("--done", "--until", "1h"), [])
        self.assertIn(3, self.ids("--done", "--since", third))
        self.assertNotIn(3, self.ids("--done", "--until", third))
        self.assertEqual(sorted(self.ids("--done", "--since", third)
                                + self.ids("--done", "--until", third)), [1, 2, 3, 4])
        self.assertEqual(self.ids("--live", "--since", "1h"), [7, 6, 5])

    def test_one_page_after_the_other(self):
        tasks = self.submit_many(1200, function="sleep", args=[0], name="many")
        self.aioctl("wait", f"{tasks[0]}-{tasks[-1]}")
        self.assertEqual(self.ids("--name", "many", "--ok", "--all"), tasks[::-1])
        self.assertEqual(len(self.ids("--name", "many")), 100)
        self.assertEqual(self.ids("--name", "many", "-n", "700"), tasks[:-701:-1])
        lines = self.aioctl("status", "--name", "many", "--all", "-o", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], tasks[::-1])
        self.assertEqual(len(json.loads(self.aioctl("status", "--all", "-o", "json").stdout)), 1207)
        # so many that today's are not counted
        self.assertIn(" · 1204 DONE: 1201 ok 2 failed 1 cancelled\n", self.aioctl("status").stdout)

    def test_groups(self):
        for args in (["-g", "nope"], ["-g", "nope", "--failed"], ["-g", "nope", "-o", "json"]):
            done = self.aioctl("status", *args, check=3)
            self.assertEqual((done.stdout, done.stderr), (
                "", "aioctl: status: there is no group nope: `aioctl group` lists them\n"))
        done = self.aioctl("status", "-g", "one", "--cancelled")
        self.assertEqual((done.stdout, done.stderr), ("", "aioctl: status: no task matches\n"))

    def test_bare(self):
        """All live ones, and so many of those DONE; the footer counts what is not there."""
        self.assertEqual(self.ids("-n", "0"), [5, 6, 7])
        self.assertEqual(self.ids("-n", "2"), [5, 6, 7, 4, 3])
        self.assertEqual(self.ids("-g", "one"), [6, 7, 3])
        text = self.aioctl("status", "-n", "1").stdout
        self.assertRegex(text, r"(?m)^1 RUNNING · 1 SUSPENDED · 1 PENDING · today 4 DONE: 1 ok "
                               r"2 failed 1 cancelled$")
        self.assertTrue(text.endswith("\n3 more DONE today: aioctl status --done --since today\n"))
        self.assertNotIn("more DONE", self.aioctl("status").stdout)

    def test_more_than_a_table(self):
        self.submit_many(700, function="sleep", args=[1000])
        for n in range(1200):
            self.aiod.submit("echo", str(n), group="one")
        self.aiod.until_state(707, "SUSPENDED")
        text = self.aioctl("status").stdout
        self.assertIn("\n202 more RUNNING or SUSPENDED: aioctl status --state running,suspended "
                      "--all\n", text)
        self.assertRegex(text, r"\n[0-9]+ more PENDING: aioctl status --state pending --all\n")
        self.assertEqual(len(self.ids("-n", "0")), 1903)  # programs get them all

    def test_several_of_a_name(self):
        """A name is every live task of that name, else the newest that is DONE."""
        self.assertEqual(self.ids("b"), [7])
        other = self.submit("-g", "one", "--name", "b", "true")
        self.assertEqual(sorted(self.ids("b")), [7, other])
        self.assertEqual(self.aioctl("status", "7").stdout[:6], "task 7")
        self.assertRegex(self.aioctl("status", "b").stdout, rf"(?s) 7  PENDING.* {other}  PENDING")
        tasks = json.loads(self.aioctl("status", "b", "-o", "json").stdout)
        self.assertEqual(sorted(task["id"] for task in tasks), [7, other])
        self.aioctl("is-done", "b", check=1)
        done = self.aioctl("cancel", "b")
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.aioctl("wait", "7", str(other), check=1)
        self.assertEqual(self.ids("b"), [other])
        self.assertEqual(self.aioctl("status", "b").stdout.split("  ")[0], f"task {other}")


class Cancel(FiltersTest):
    def test_by_group(self):
        self.submit("sleep", "1000")
        held = [self.submit("-g", "one", "sleep", "1000") for _ in range(3)]
        self.aiod.until_state(held[0], "RUNNING")
        self.aioctl("cancel", "-g", "one")
        for task in held:
            self.assertEqual(self.aiod.wait_for(task)["outcome"], "cancelled")
        self.assertNotIn("started", self.aiod.call("task", id=held[1]))
        self.assertEqual(self.ids("--live"), [1])
        self.assertIn("nothing matches", self.aioctl("cancel", "-g", "one", check=3).stderr)
        self.assertIn("there is no group", self.aioctl("cancel", "-g", "nope", check=3).stderr)

    def test_by_state_and_name(self):
        running = self.submit("-g", "one", "sleep", "1000")
        self.aiod.until_state(running, "RUNNING")
        waiting = [self.submit("-g", "one", "--name", name, "true") for name in ("a", "b", "a")]
        self.aioctl("cancel", "--name", "a")
        self.aioctl("wait", str(waiting[0]), str(waiting[2]), check=1)
        self.assertEqual(self.ids("--live"), [waiting[1], running])
        self.aioctl("cancel", "--state", "pending,suspended", "-g", "one")
        self.aioctl("wait", str(waiting[1]), check=1)
        self.assertEqual(self.ids("--live"), [running])
        self.aioctl("cancel", "--since", "1h", "--kill")
        self.assertEqual(self.aiod.wait_for(running)["error"]["signal"], 9)

    def test_refused_without_words(self):
        self.submit("sleep", "1000")
        self.assertIn("which tasks?", self.aioctl("cancel", check=2).stderr)
        self.aioctl("cancel", "--kill", check=2)
        self.aioctl("cancel", "--state", "done", check=2)
        self.assertEqual(self.ids("--live"), [1])

    def test_thousands(self):
        """More than one answer holds; none that waits is started by a slot that comes free."""
        first = self.aiod.submit("sleep", "1000", group="one")
        self.aiod.until_state(first, "RUNNING")
        tasks = self.submit_many(9000, function="exec", args={"argv": ["false"]}, group="one")
        done = self.aioctl("cancel", "all")
        lines = done.stderr.splitlines()
        self.assertEqual((len(lines), lines[-1]),
                         (11, "aioctl: cancel: and so on: 9001 are asked to end"))
        self.aioctl("wait", f"1-{tasks[-1]}", check=1)
        self.assertEqual(self.ids("--live"), [])
        counts = self.aiod.call("status", limit=1)["counts"]
        self.assertEqual((counts["cancelled"], counts["failed"]), (9001, 0))
        done = self.aioctl("cancel", f"1-{tasks[-1]}", check=5)
        self.assertIn("9001 are DONE already", done.stderr)


class Remove(FiltersTest):
    def test_by_outcome(self):
        for args in (["true"], ["false"], ["-g", "one", "false"], ["--in", "1h", "true"],
                     ["sleep", "1000"]):
            self.submit(*args)
        self.aioctl("cancel", "4")
        self.aioctl("wait", "1-4", check=1)
        self.assertEqual(self.aioctl("rm", "--failed", "-g", "one").stderr,
                         "aioctl: rm: removed 1 task\n")
        self.assertEqual(self.ids("--done"), [4, 2, 1])
        self.assertIn("nothing matches",
                      self.aioctl("rm", "--done", "--older", "1h", check=3).stderr)
        self.assertEqual(self.aioctl("rm", "--ok", "--cancelled", "--since", "1h").stderr,
                         "aioctl: rm: removed 2 tasks\n")
        self.aioctl("rm", "--older", "0")
        self.assertEqual(self.ids("--all"), [5])

    def test_refused(self):
        self.submit("sleep", "1000")
        self.aiod.wait_for(self.submit("true"))
        for args in ([], ["-g", "default"], ["--since", "1h"], ["--name", "x"]):
            self.assertIn("which tasks?", self.aioctl("rm", *args, check=2).stderr)
        self.assertEqual(self.ids("--all"), [2, 1])
        done = self.aioctl("rm", "1-2", check=5)
        self.assertRegex(done.stderr, r"\Aaioctl: rm: 1 is [A-Z]+: cancel it first: "
                                      r"aioctl cancel 1\naioctl: rm: removed 1 task\n\Z")
        self.aioctl("rm", "2", check=3)
        self.aioctl("rm", "all", check=5)
        self.aioctl("rm", "--done", "-g", "nope", check=3)

    def test_thousands(self):
        tasks = self.submit_many(10000, function="sleep", args=[0])
        self.submit("sleep", "1000")
        self.aioctl("wait", f"1-{tasks[-1]}")
        before = self.aiod.call("health")["store"]["commits"]
        self.assertEqual(self.aioctl("rm", "--done").stderr,
                         "aioctl: rm: removed 10000 tasks\n")
        commits = self.aiod.call("health")["store"]["commits"] - before
        self.assertLess(commits, 2000)  # not one for each
        self.assertEqual(self.ids("--all"), [10001])


if __name__ == "__main__":
    unittest.main()

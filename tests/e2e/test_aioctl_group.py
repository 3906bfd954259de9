# SPDX-License-Identifier: MIT
"""aioctl group: made, changed, paused and removed groups, and what status says of them."""
import json
import os
import unittest

from harness import Gate, InstanceTest


class GroupTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def group(self, *args, check=0):
        return self.aioctl("group", *args, check=check)

    def rows(self):
        return {row["name"]: row for row in json.loads(self.group("-o", "json").stdout)}


class Group(GroupTest):
    def test_list(self):
        self.group("new", "convert", "--slots", "12")
        self.group("pause", "one")
        expected = ["GROUP    SLOTS  HELD  WAITING  PAUSED  FROM",
                    "default      4     0        0  -       file",
                    "one          1     0        0  paused  file",
                    "convert     12     0        0  -       command"]
        for args in (["group"], ["group", "list"], ["groups"], ["group", "-o", "table"]):
            self.assertEqual(sorted(self.aioctl(*args).stdout.splitlines()), sorted(expected))
        self.assertEqual(sorted(self.group("-o", "id").stdout.split()),
                         ["convert", "default", "one"])
        self.assertEqual(self.rows()["convert"], {
            "name": "convert", "slots": 12, "held": 0, "waiting": 0, "paused": False,
            "from": "command"})

    def test_new(self):
        self.assertEqual(self.group("new", "a", "b", "--slots", "2").stdout, "")
        self.assertEqual(self.rows()["b"]["slots"], 2)
        self.assertIn("there is a group a already",
                      self.group("new", "a", "--slots", "3", check=5).stderr)
        self.assertEqual(self.rows()["a"]["slots"], 2)
        self.assertIn("0 would never start",
                      self.group("new", "c", "--slots", "0", check=2).stderr)
        self.group("new", "c", "--slots", "1000001", check=2)
        self.group("new", "not a name", "--slots", "1", check=2)
        row, = json.loads(self.group("new", "d", "--slots", "7", "-o", "json").stdout)
        self.assertEqual((row["name"], row["slots"], row["from"]), ("d", 7, "command"))

    def test_slots_bind(self):
        self.group("new", "two", "--slots", "2")
        tasks = [self.aiod.submit("sleep", "1000", group="two") for _ in range(4)]
        for task in tasks[:2]:
            self.aiod.until_state(task, "RUNNING")
        self.assertEqual((self.rows()["two"]["held"], self.rows()["two"]["waiting"]), (2, 2))
        self.group("set", "two", "--slots", "3")
        self.aiod.until_state(tasks[2], "RUNNING")
        self.assertEqual(self.aiod.call("status", ids=[tasks[3]])["tasks"][0]["state"], "PENDING")

    def test_paused(self):
        gate = Gate(self.aiod.root)
        running = self.aiod.submit("sh", "-c", gate.command + "; true", group="one")
        self.aiod.until_state(running, "RUNNING")
        waiting = self.aiod.submit("true", group="one")
        self.group("pause", "one")
        text = self.aioctl("status").stdout
        self.assertIn("one · slots 1 of 1 · paused\n", text)
        self.assertRegex(text, rf" {waiting}  PENDING +\S+ +slot of one, paused  ")
        self.assertIn("slot of one, paused", self.aioctl("status", str(waiting)).stdout)
        gate.open()
        self.assertEqual(self.aiod.wait_for(running)["outcome"], "ok")  # what runs goes on
        self.aiod.stop()
        self.aiod.start()
        self.assertTrue(self.rows()["one"]["paused"])  # also after a restart
        self.assertEqual(self.aiod.call("status", ids=[waiting])["tasks"][0]["state"], "PENDING")
        self.group("resume", "one")
        self.assertEqual(self.aiod.wait_for(waiting)["outcome"], "ok")
        self.assertNotIn("paused", self.aioctl("status").stdout)

    def test_all(self):
        self.group("pause", "--all")
        self.assertEqual({row["paused"] for row in self.rows().values()}, {True})
        self.group("resume", "-a")
        self.assertEqual({row["paused"] for row in self.rows().values()}, {False})

    def test_removed(self):
        self.group("new", "brief", "--slots", "1")
        task = self.aiod.submit("sleep", "1000", group="brief")
        self.assertIn("live tasks", self.group("rm", "brief", check=5).stderr)
        self.aioctl("cancel", str(task))
        self.aiod.wait_for(task)
        self.group("rm", "brief")
        self.assertNotIn("brief", self.rows())
        self.assertIn("there is no group brief", self.group("rm", "brief", check=3).stderr)
        self.aiod.aioctl("submit", "-g", "brief", "true", check=3)

    def test_a_group_of_the_file(self):
        self.group("set", "one", "--slots", "9")
        self.assertEqual((self.rows()["one"]["slots"], self.rows()["one"]["from"]),
                         (9, "command"))
        self.aiod.stop()
        self.aiod.start()
        self.assertEqual(self.rows()["one"]["slots"], 9)
        self.group("rm", "one")
        self.assertEqual((self.rows()["one"]["slots"], self.rows()["one"]["from"]), (1, "file"))
        self.assertIn("configuration file", self.group("rm", "one", check=2).stderr)

    def test_several_at_once(self):
        done = self.group("pause", "nope", "one", check=3)
        self.assertIn("there is no group nope", done.stderr)
        self.assertTrue(self.rows()["one"]["paused"])

    def test_misuse(self):
        for args in (["rm"], ["pause"], ["pause", "one", "--all"], ["new", "x"], ["list", "one"],
                     ["rm", "--all"], ["frobnicate", "one"], ["pause", "one", "--slots", "1"]):
            self.group(*args, check=2)


@unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
class Foreign(GroupTest):
    def test_only_the_owner(self):
        os.chmod(self.aiod.root, 0o755)
        os.chmod(self.aiod.runtime, 0o755)
        os.chmod(self.aiod.socket, 0o666)
        for args in (["new", "x", "--slots", "1"], ["set", "one", "--slots", "2"],
                     ["pause", "one"], ["rm", "one"]):
            done = self.aioctl("group", *args, check=5, user=65534, group=65534, extra_groups=[])
            self.assertIn("aioctl --user", done.stderr)
        self.aioctl("group", user=65534, group=65534, extra_groups=[])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Groups: made, changed, paused and removed by requests; what the file says and what wins; over
restarts and reloads; users who take turns."""
import os
import signal
import unittest

from harness import InstanceTest, RpcError, until
from survive import Gate, lines
from test_users import NOBODY, UsersTest

HOW = (signal.SIGTERM, signal.SIGKILL)


class GroupsTest(InstanceTest):
    config = "[group default]\nslots = 99\n[group file]\nslots = 2\n"

    def groups(self):
        return {g["name"]: g for g in self.aiod.call("groups")}

    def group(self, name, **fields):
        return self.aiod.call("group", name=name, **fields)

    def restart(self, how=signal.SIGTERM):
        self.aiod.kill(how)
        self.aiod.start()

    def reload(self, config):
        """Until the new file is in force; it has to change the slots of `default`."""
        before = self.groups()["default"]["slots"]
        self.aiod.configure(config)
        self.aiod.process.send_signal(signal.SIGHUP)
        until("it is reloaded", lambda: self.groups()["default"]["slots"] != before)

    def gate(self):
        gate = Gate(os.path.join(self.aiod.root, "gate"))
        self.addCleanup(gate.close)
        return gate

    def hold(self, gate, **fields):
        """A command that waits at the gate."""
        task = self.aiod.submit("sh", "-c", f"read _ < {gate.path}", **fields)
        self.aiod.until_state(task, "RUNNING")
        return task


class Commands(GroupsTest):
    def test_made(self):
        row = {"name": "new", "slots": 3, "held": 0, "waiting": 0, "paused": False, "from": "command"}
        self.assertEqual(self.group("new", new=True, slots=3), row)
        self.assertEqual(self.groups()["new"], row)
        self.assertEqual(self.aiod.call("status")["groups"], self.aiod.call("groups"))
        self.assertEqual(self.group("new"), row)  # only asks
        task = self.aiod.submit("true", group="new")
        self.assertEqual(self.aiod.wait_for(task)["group"], "new")

    def test_made_without_slots_has_those_of_default(self):
        self.reload("[group file]\nslots = 2\n")  # default as it is without a file
        self.assertEqual(self.groups()["default"]["from"], "default")
        self.assertEqual(self.group("new", new=True)["slots"], max(4, os.cpu_count()))

    def test_made_paused(self):
        self.assertEqual(self.group("new", new=True, slots=1, paused=True)["paused"], True)

    def test_refused(self):
        for name in ("default", "file"):
            self.assertRpcError("exists", "group", name=name, new=True)
            self.assertRpcError("exists", "group", name=name, new=True, slots=9)
        for fields in ({}, {"slots": 3}, {"paused": True}, {"remove": True}):
            self.assertRpcError("not-found", "group", name="nobody", **fields)
        self.assertIn("pause", self.assertRpcError("invalid", "group", name="file", slots=0))
        for fields in ({"slots": 1000001}, {"slots": -1}, {"slots": "3"}, {"paused": 1},
                       {"remove": True, "slots": 1}, {"remove": True, "new": True},
                       {"remove": True, "paused": False}, {"colour": "red"}):
            self.assertRpcError("invalid", "group", name="file", **fields)
        for name in ("", "1st", "a b", "a\nb", "x" * 65, "a\u202eb", "all"):
            with self.subTest(name=name):
                self.assertRpcError("invalid", "group", name=name, new=True)
        self.assertRpcError("invalid", "group", slots=3)
        self.assertEqual(sorted(self.groups()), ["default", "file"])

    def test_of_two_that_make_it_at_once_one_does(self):
        with self.aiod.connect() as rpc:
            asked = [rpc.send("group", name="new", new=True, slots=n) for n in (1, 2, 3)]
            answers = []
            for msgid in asked:
                try:
                    answers.append(rpc.answer(msgid)["slots"])
                except RpcError as error:
                    answers.append(error.word)
        self.assertEqual(answers, [1, "exists", "exists"])
        self.assertEqual(self.groups()["new"]["slots"], 1)

    def test_changes_at_once_add_up(self):
        with self.aiod.connect() as rpc:
            asked = [rpc.send("group", name="file", **fields)
                     for fields in ({"slots": 7}, {"paused": True}, {"slots": 8}, {"paused": False})]
            rows = [rpc.answer(msgid) for msgid in asked]
        self.assertEqual([(r["slots"], r["paused"]) for r in rows],
                         [(7, False), (7, True), (8, True), (8, False)])
        self.restart()
        self.assertEqual(self.groups()["file"]["slots"], 8)

    def test_more_slots_start_more(self):
        gate = self.gate()
        held = [self.hold(gate, group="file") for _ in range(2)]
        waits = self.aiod.submit("sh", "-c", f"read _ < {gate.path}", group="file")
        self.assertEqual(self.group("file", slots=3)["slots"], 3)
        self.aiod.until_state(waits, "RUNNING")
        self.assertEqual(self.group("file", slots=1)["held"], 3)  # what runs goes on
        gate.open(3)
        self.aiod.call("wait", ids=[*held, waits])

    def test_removed(self):
        self.group("new", new=True, slots=1)
        gate = self.gate()
        task = self.hold(gate, group="new")
        self.assertRpcError("not-done", "group", name="new", remove=True)
        gate.open()
        self.aiod.wait_for(task)
        self.assertEqual(self.group("new", remove=True),
                         {"name": "new", "slots": 1, "held": 0, "waiting": 0, "paused": False,
                          "from": "command", "removed": True})
        self.assertNotIn("new", self.groups())
        self.assertRpcError("not-found", "submit", args={"argv": ["true"]}, group="new")
        self.assertEqual(self.aiod.call("status", ids=[task])["tasks"][0]["group"], "new")
        self.restart(signal.SIGKILL)
        self.assertNotIn("new", self.groups())
        self.assertEqual(self.group("new", new=True, slots=5)["slots"], 5)

    def test_no_task_slips_into_a_group_that_goes(self):
        self.group("new", new=True, slots=1)
        with self.aiod.connect() as rpc:
            removal = rpc.send("group", name="new", remove=True)
            submit = rpc.send("submit", args={"argv": ["true"]}, group="new")
            with self.assertRaises(RpcError) as caught:
                rpc.answer(submit)
            self.assertEqual(caught.exception.word, "not-found")
            self.assertTrue(rpc.answer(removal)["removed"])
        self.assertNotIn("new", self.groups())

    def test_removed_back_to_the_file(self):
        self.assertRpcError("invalid", "group", name="file", remove=True)
        self.assertRpcError("invalid", "group", name="default", remove=True)
        gate = self.gate()
        task = self.hold(gate, group="file")
        for fields in ({"slots": 9}, {"paused": True}):
            self.group("file", **fields)
            row = self.group("file", remove=True)  # with live tasks: it stays
            self.assertEqual((row["slots"], row["paused"], row["from"]), (2, False, "file"))
            self.assertNotIn("removed", row)
        self.assertRpcError("invalid", "group", name="file", remove=True)
        self.restart()
        self.assertEqual(self.groups()["file"]["from"], "file")
        gate.open()
        self.aiod.wait_for(task)


class Pauses(GroupsTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def check_paused(self, how):
        gate = self.gate()
        log = os.path.join(self.aiod.root, "log")
        running = self.hold(gate, group="one")
        waiting = [self.aiod.submit("sh", "-c", f"echo {n} >> {log}", group="one") for n in range(12)]
        self.assertEqual(self.group("one", paused=True)["paused"], True)
        if how:
            self.restart(how)
        gate.open()
        self.assertEqual(self.aiod.wait_for(running)["outcome"], "ok")  # what runs goes on
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")  # elsewhere
        tasks = until("they are in line", lambda: self.in_line(waiting))
        self.assertEqual([t["awaits"] for t in tasks],
                         [{"kind": "slot", "group": "one", "position": n + 1, "paused": True}
                          for n in range(12)])
        ahead = {signal.SIGTERM: 0, signal.SIGKILL: 8, None: 8}[how]  # recorded before it was paused
        self.assertEqual([t.get("attempt") for t in tasks], [1] * ahead + [None] * (12 - ahead))
        row = self.groups()["one"]
        self.assertEqual((row["slots"], row["held"], row["waiting"]), (1, 0, 12))
        self.group("one", paused=False)
        self.aiod.call("wait", ids=waiting)
        self.assertEqual(lines(log), [str(n) for n in range(12)])  # in order

    def in_line(self, tasks):
        found = self.aiod.call("status", ids=tasks)["tasks"]
        return found if all(t["awaits"]["kind"] == "slot" for t in found) else None

    def test_paused(self):
        self.check_paused(None)

    def test_paused_over_a_stop(self):
        self.check_paused(signal.SIGTERM)

    def test_paused_over_a_kill(self):
        self.check_paused(signal.SIGKILL)

    def test_what_needs_no_slot_is_not_held_up(self):
        self.group("one", paused=True)
        task = self.aiod.call("submit", function="sleep", args=[0], group="one")["id"]
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")

    def test_cancelled_while_paused(self):
        self.group("one", paused=True)
        tasks = [self.aiod.submit("true", group="one") for _ in range(20)]
        self.aiod.call("cancel", ids=tasks[5:])
        for task in tasks[5:]:
            self.assertEqual(self.aiod.wait_for(task)["outcome"], "cancelled")
        until("the others are in line", lambda: self.groups()["one"]["waiting"] == 5)
        self.group("one", paused=False)
        self.assertEqual({t["outcome"] for t in self.aiod.call("wait", ids=tasks[:5])["done"]}, {"ok"})


class Files(GroupsTest):
    def test_a_command_wins_at_reload_and_restart(self):
        self.group("file", slots=7, paused=True)
        self.group("new", new=True, slots=6)
        self.reload("[group default]\nslots = 3\n[group file]\nslots = 5\n[group new]\nslots = 1\n")
        for _ in range(2):
            groups = self.groups()
            self.assertEqual((groups["file"]["slots"], groups["file"]["paused"]), (7, True))
            self.assertEqual((groups["new"]["slots"], groups["new"]["from"]), (6, "command"))
            self.restart()
        self.assertEqual(self.group("new", remove=True)["slots"], 1)  # the file's

    def test_taken_out_of_the_file(self):
        self.reload("[group default]\nslots = 3\n")
        self.assertEqual(list(self.groups()), ["default"])
        self.assertRpcError("not-found", "submit", args={"argv": ["true"]}, group="file")

    def test_taken_out_of_the_file_with_tasks(self):
        gate = self.gate()
        tasks = [self.aiod.submit("sh", "-c", f"read _ < {gate.path}", group="file") for _ in range(3)]
        for task in tasks[:2]:
            self.aiod.until_state(task, "RUNNING")
        self.reload("[group default]\nslots = 3\n")
        row = self.groups()["file"]
        self.assertEqual((row["slots"], row["held"], row["waiting"], row["from"]), (2, 2, 1, "task"))
        self.assertRpcError("not-found", "submit", args={"argv": ["true"]}, group="file")
        self.assertRpcError("not-done", "group", name="file", remove=True)
        gate.open(3)
        self.assertEqual({t["outcome"] for t in self.aiod.call("wait", ids=tasks)["done"]}, {"ok"})
        self.assertNotIn("file", self.groups())

    def test_taken_out_of_the_file_while_aiod_is_down(self):
        gate = self.gate()
        tasks = [self.aiod.submit("sh", "-c", f"read _ < {gate.path}", group="file") for _ in range(3)]
        for task in tasks[:2]:
            self.aiod.until_state(task, "RUNNING")
        self.aiod.stop()
        self.aiod.configure("[group default]\nslots = 3\n")
        self.aiod.start()
        self.assertEqual(self.groups()["file"]["from"], "task")
        gate.open(3)
        for task in tasks:
            self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        until("it is gone", lambda: "file" not in self.groups())

    def test_a_command_keeps_what_the_file_drops(self):
        self.group("file", slots=5)
        self.reload("[group default]\nslots = 3\n")
        self.assertEqual((self.groups()["file"]["slots"], self.groups()["file"]["from"]), (5, "command"))
        self.aiod.wait_for(self.aiod.submit("true", group="file"))


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(UsersTest):
    config = ("[control]\nsocket-mode = 0666\n[group default]\nslots = 1\n[group wide]\nslots = 4\n"
              "[limits]\nrunning = 2\n")

    def test_may_not_change_groups(self):
        other = self.other()
        for fields in ({"name": "default", "slots": 9}, {"name": "mine", "new": True},
                       {"name": "default", "paused": True}, {"name": "default"}):
            message = self.refused("denied", other, "group", **fields)
            self.assertIn("aioctl --user", message)
        self.assertEqual([g["slots"] for g in other.call("groups")], [1, 4])

    def test_take_turns(self):
        """A long queue of one user, and one task of each of two others."""
        gate = Gate(os.path.join(self.aiod.root, "gate"))
        self.addCleanup(gate.close)
        first = self.aiod.submit("sh", "-c", f"read _ < {gate.path}")
        self.aiod.until_state(first, "RUNNING")
        mine = [self.aiod.submit("true") for _ in range(30)]
        others = [self.other(), self.other(uid=NOBODY - 1)]
        theirs = [other.call("submit", args={"argv": ["true"]})["id"] for other in others]
        for place, (other, task) in enumerate(zip(others, theirs)):
            awaits = other.call("status", ids=[task])["tasks"][0]["awaits"]
            self.assertEqual(awaits, {"kind": "slot", "group": "default", "position": place + 2})
        gate.open()
        done = [t["id"] for t in self.aiod.call("wait", ids=[first, *mine, *theirs])["done"]]
        self.assertEqual(done, [first, mine[0], *theirs, *mine[1:]])

    def test_as_many_as_a_user_may_run(self):
        gate = Gate(os.path.join(self.aiod.root, "gate"))
        self.addCleanup(gate.close)
        other = self.other()
        args = {"argv": ["sh", "-c", f"read _ < {gate.path}"]}
        theirs = [other.call("submit", args=args, group="wide")["id"] for _ in range(3)]
        for task in theirs[:2]:
            self.aiod.until_state(task, "RUNNING")
        third = other.call("submit", args=args)["id"]  # nor in another group
        mine = [self.aiod.submit(*args["argv"], group="wide") for _ in range(2)]
        for task in mine:  # the owner is not held up, neither by them nor by the limit
            self.aiod.until_state(task, "RUNNING")
        for task in (theirs[2], third):
            shown = other.call("status", ids=[task])["tasks"][0]
            self.assertEqual(shown["state"], "PENDING")
            self.assertNotIn("position", shown["awaits"])  # nobody can tell
        other.call("cancel", ids=[theirs[0]], kill=True)
        until("the next one runs", lambda: "RUNNING" in {
            t["state"] for t in other.call("status", ids=[theirs[2], third])["tasks"]})
        gate.open(5)
        other.call("wait", ids=[*theirs, third])
        self.aiod.call("wait", ids=mine)


if __name__ == "__main__":
    unittest.main()

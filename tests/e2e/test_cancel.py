# SPDX-License-Identifier: MIT
"""cancel in every state: what the command sees, what dies with it, what is on record; remove."""
import os
import time
import unittest

from harness import Gate, InstanceTest, until

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.02; done"


def has_ended(pid):
    """Also true of a zombie, which its reaper may leave for a while."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return not f.read()
    except FileNotFoundError:
        return True


class CancelTest(InstanceTest):
    def cancel(self, *ids, **fields):
        return self.aiod.call("cancel", ids=list(ids), **fields)

    def wait_cancelled(self, task):
        done = self.aiod.wait_for(task)
        self.assertEqual((done["state"], done["outcome"], done["done"], done["cancelled"]),
                         ("DONE", "cancelled", True, True))
        self.assertEqual(done["cancel"]["uid"], os.getuid())
        self.assertLessEqual(done["cancel"]["at"], done["ended"])
        self.assertNotIn("result", done)
        return done

    def until_output(self, task, data):
        until(f"task {task} has printed {data}", lambda: data in self.aiod.output(task))


class Cancel(CancelTest):
    config = "[commands]\ngrace = 200ms\n[group one]\nslots = 1\n"

    def test_pending_on_a_slot(self):
        gate = Gate(self.aiod.root)
        ahead = self.aiod.submit("sh", "-c", gate.command, group="one")
        task = self.aiod.submit("sh", "-c", f"echo ran > {self.aiod.root}/ran", group="one")
        self.assertEqual(self.cancel(task)[0]["asked"], True)
        done = self.wait_cancelled(task)
        self.assertNotIn("started", done)
        self.assertNotIn("pid", done)
        gate.open()
        self.aiod.wait_for(ahead)
        self.aiod.wait_for(self.aiod.submit("true", group="one"))
        self.assertFalse(os.path.exists(f"{self.aiod.root}/ran"))
        self.assertEqual(self.aiod.output(task), b"")

    def test_pending_on_its_time(self):
        task = self.aiod.submit("true", **{"in": 3600})
        self.cancel(task)
        done = self.wait_cancelled(task)
        self.assertNotIn("started", done)

    def test_suspended(self):
        task = self.aiod.call("submit", function="sleep", args=[3600])["id"]
        self.aiod.until_state(task, "SUSPENDED")
        self.assertEqual(self.cancel(task)[0]["asked"], True)
        self.assertIn("started", self.wait_cancelled(task))

    def test_at_once_after_submit(self):
        for _ in range(20):
            task = self.aiod.submit("sleep", "1000")
            self.cancel(task)
            self.wait_cancelled(task)
        self.assertEqual(self.aiod.call("status")["counts"]["cancelled"], 20)
        until("nothing is left of them",
              lambda: self.aiod.call("health")["spawner"]["processes"] == 0)

    def test_running_sees_term(self):
        line = "trap 'echo got TERM; exit 0' TERM; echo ready; sleep 1000 & wait"
        task = self.aiod.submit("sh", "-c", line)
        self.until_output(task, b"ready\n")
        self.assertEqual(self.cancel(task),
                         [{"id": task, "state": "RUNNING", "asked": True, "grace": 0.2}])
        done = self.wait_cancelled(task)
        self.assertEqual(self.aiod.output(task), b"ready\ngot TERM\n")
        self.assertEqual(done.get("error", {}).get("exit", 0), 0)

    def test_ended_by_term(self):
        task = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(task, "RUNNING")
        self.cancel(task)
        error = self.wait_cancelled(task)["error"]
        self.assertEqual((error["type"], error["signal"]), ("Signal", 15))

    def test_children_end_too(self):
        line = "sleep 1001 & echo $!; (sleep 1002 & echo $!); echo ready; wait"
        task = self.aiod.submit("sh", "-c", line)
        self.until_output(task, b"ready\n")
        children = self.aiod.output(task).split()[:2]
        self.cancel(task)
        self.wait_cancelled(task)
        for pid in children:
            until(f"child {pid} has ended", lambda pid=int(pid): has_ended(pid))

    def test_ignoring_term_gets_killed_after_the_grace(self):
        task = self.aiod.submit("sh", "-c", STUBBORN)
        self.until_output(task, b"ready\n")
        begin = time.monotonic()
        self.cancel(task)
        asked = self.aiod.call("status", ids=[task])["tasks"][0]
        self.assertEqual((asked["state"], asked["cancel"]["uid"]), ("RUNNING", os.getuid()))
        error = self.wait_cancelled(task)["error"]
        took = time.monotonic() - begin
        self.assertEqual((error["type"], error["signal"]), ("Signal", 9))
        self.assertGreaterEqual(took, 0.2)
        self.assertLess(took, 5)

    def test_many_at_once(self):
        gate = Gate(self.aiod.root)
        tasks = [self.aiod.submit("sh", "-c", gate.command, group="one") for _ in range(5)]
        tasks += [self.aiod.call("submit", function="sleep", args=[99])["id"] for _ in range(5)]
        answers = self.cancel("all")
        self.assertEqual(sorted(a["id"] for a in answers), tasks)
        self.assertTrue(all(a["asked"] for a in answers))
        done = self.aiod.call("wait", ids=tasks)["done"]
        self.assertEqual({t["outcome"] for t in done}, {"cancelled"})
        groups = {g["name"]: (g["held"], g["waiting"]) for g in self.aiod.call("groups")}
        self.assertEqual(groups["one"], (0, 0))

    def test_twice(self):
        task = self.aiod.submit("sh", "-c", STUBBORN)
        self.until_output(task, b"ready\n")
        first, second = self.cancel(task)[0], self.cancel(task)[0]
        self.assertEqual((first["asked"], second["asked"]), (True, True))
        at = self.wait_cancelled(task)["cancel"]["at"]
        self.assertEqual(self.cancel(task), [{"id": task, "state": "DONE", "asked": False}])
        self.assertEqual(self.aiod.wait_for(task)["cancel"]["at"], at)

    def test_done_stays_as_it_is(self):
        for argv, outcome in (("true", "ok"), ("false", "failed")):
            task = self.aiod.submit(argv)
            before = self.aiod.wait_for(task)
            self.assertEqual(self.cancel(task, kill=True),
                             [{"id": task, "state": "DONE", "asked": False}])
            self.assertEqual(self.aiod.wait_for(task), before)
            self.assertEqual(before["outcome"], outcome)

    def test_nothing_there(self):
        self.assertRpcError("not-found", "cancel", ids=[1])
        self.assertRpcError("not-found", "cancel", ids=["nobody"])
        self.assertEqual(self.cancel("all"), [])
        self.assertEqual(self.cancel("3-9"), [])
        self.assertRpcError("invalid", "cancel")


class Kill(CancelTest):
    config = "[commands]\ngrace = 1h\n"

    def test_kill_waits_for_no_grace(self):
        task = self.aiod.submit("sh", "-c", STUBBORN)
        self.until_output(task, b"ready\n")
        begin = time.monotonic()
        self.cancel(task, kill=True)
        error = self.wait_cancelled(task)["error"]
        self.assertEqual((error["type"], error["signal"]), ("Signal", 9))
        self.assertLess(time.monotonic() - begin, 5)

    def test_kill_after_a_plain_cancel(self):
        task = self.aiod.submit("sh", "-c", STUBBORN)
        self.until_output(task, b"ready\n")
        self.cancel(task)
        self.assertEqual(self.aiod.call("status", ids=[task])["tasks"][0]["state"], "RUNNING")
        self.cancel(task, kill=True)
        self.assertEqual(self.wait_cancelled(task)["error"]["signal"], 9)

    def test_stopping_aiod_cancels_nothing(self):
        task = self.aiod.submit("sh", "-c", STUBBORN)
        self.until_output(task, b"ready\n")
        pid = self.aiod.call("status", ids=[task])["tasks"][0]["pid"]
        self.assertEqual(self.aiod.stop(), 0)
        self.assertTrue(os.path.exists(f"/proc/{pid}"))
        self.aiod.start()
        self.assertEqual(self.aiod.until_state(task, "RUNNING")["pid"], pid)
        self.cancel(task, kill=True)
        self.wait_cancelled(task)


class Remove(CancelTest):
    def files(self):
        return sorted(os.listdir(os.path.join(self.aiod.state, "output", "000")))

    def test_live_is_refused(self):
        gate = Gate(self.aiod.root)
        task = self.aiod.submit("sh", "-c", gate.command)
        self.aiod.until_state(task, "RUNNING")
        self.assertEqual(self.aiod.call("remove", ids=[task]),
                         [{"id": task, "removed": False, "state": "RUNNING"}])
        gate.open()
        self.assertTrue(self.aiod.wait_for(task)["done"])
        self.assertEqual(self.files(), [f"{task}.1.log"])

    def test_done_goes_with_its_output(self):
        keep = self.aiod.submit("echo", "keep")
        split = self.aiod.submit("echo", "split", args={"split": True})
        asleep = self.aiod.call("submit", function="sleep", args=[0])["id"]
        self.aiod.call("wait", ids=[keep, split, asleep])
        self.assertEqual(self.files(),
                         [f"{keep}.1.log", f"{split}.1.err", f"{split}.1.out"])
        answers = self.aiod.call("remove", ids=[split, asleep])
        self.assertEqual(answers, [{"id": split, "removed": True, "state": "DONE"},
                                   {"id": asleep, "removed": True, "state": "DONE"}])
        until("its files are gone", lambda: self.files() == [f"{keep}.1.log"])
        for method in ("task", "await", "result", "logs"):
            self.assertRpcError("not-found", method, id=split)
        self.assertRpcError("not-found", "status", ids=[split])
        self.assertRpcError("not-found", "remove", ids=[split])
        status = self.aiod.call("status")
        self.assertEqual([t["id"] for t in status["tasks"]], [keep])
        self.assertEqual(status["counts"]["ok"], 1)
        self.assertEqual(self.aiod.output(keep), b"keep\n")

    def test_ranges_and_holes(self):
        tasks = [self.aiod.submit("true") for _ in range(6)]
        self.aiod.call("wait", ids=tasks)
        self.aiod.call("remove", ids=["2", 4])
        answers = self.aiod.call("remove", ids=["1-5", 6])
        self.assertEqual([(a["id"], a["removed"]) for a in answers],
                         [(1, True), (3, True), (5, True), (6, True)])
        self.assertEqual(self.aiod.call("remove", ids=["1-6"]), [])
        self.assertEqual(self.aiod.call("status")["counts"]["ok"], 0)


if __name__ == "__main__":
    unittest.main()

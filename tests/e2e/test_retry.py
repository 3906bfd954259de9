# SPDX-License-Identifier: MIT
"""Finished tasks submitted again: with what they were called with, as who they were, once."""
import os
import signal
import unittest

from harness import InstanceTest
from test_users import GROUPS, NOBODY, UsersTest


class Retry(InstanceTest):
    config = "[group default]\nslots = 4\n[group other]\nslots = 1\n"

    def retry(self, *ids):
        return self.aiod.call("retry", ids=list(ids))

    def task(self, task, **fields):
        return self.aiod.call("task", id=task, **fields)

    def run_false(self, *argv, **fields):
        task = self.aiod.submit(*(argv or ["false"]), **fields)
        self.aiod.wait_for(task)
        return task

    def test_the_same_again(self):
        path = os.path.join(self.aiod.root, "input")
        with open(path, "w", encoding="ascii") as f:
            f.write("text\n")
        old = self.run_false("sh", "-c", "pwd; cat; echo $SECRET; umask; exit 3", name="again", group="other",
                        args={"cwd": "/usr", "env": ["SECRET=xyzzy", "PATH=/bin"], "stdin": path,
                              "umask": 0o27, "split": True})
        self.assertEqual(self.retry(old), [{"id": old, "new": old + 1, "state": "DONE"}])
        new = self.aiod.wait_for(old + 1)
        self.assertEqual(new["retry_of"], old)
        self.assertEqual(new["error"]["exit"], 3)
        self.assertEqual(self.aiod.output(new["id"]), b"/usr\ntext\nxyzzy\n0027\n")
        before, after = self.task(old, env=True), self.task(new["id"], env=True)
        self.assertEqual(before["retried_as"], new["id"])
        for field in ("function", "title", "name", "group", "uid", "args", "env"):
            self.assertEqual(after[field], before[field], field)
        for task in (before, after):
            self.assertEqual(task["attempt"], 1)
        self.assertEqual(self.aiod.output(old), b"/usr\ntext\nxyzzy\n0027\n")  # is still there

    def test_again_and_again(self):
        old = self.run_false()
        self.assertEqual([self.retry(old)[0]["new"] for _ in range(3)], [old + 1, old + 2, old + 3])
        self.aiod.call("wait")
        self.assertEqual(self.retry(old + 3)[0]["new"], old + 4)
        self.aiod.wait_for(old + 4)
        shown = {t["id"]: (t.get("retry_of"), t.get("retried_as"))
                 for t in self.aiod.call("status")["tasks"]}
        self.assertEqual(shown, {old: (None, old + 3), old + 1: (old, None), old + 2: (old, None),
                                 old + 3: (old, old + 4), old + 4: (old + 3, None)})

    def test_every_outcome_and_function(self):
        nap = self.aiod.call("submit", function="sleep", args=[0], name="nap")["id"]
        self.aiod.wait_for(nap)
        cancelled = self.aiod.submit("sleep", "1000", **{"in": 1000})
        self.aiod.call("cancel", ids=[cancelled])
        self.aiod.wait_for(cancelled)
        rows = self.retry(nap, cancelled)
        done = self.aiod.wait_for(rows[0]["new"])
        self.assertEqual((done["function"], done["outcome"], done["name"]), ("sleep", "ok", "nap"))
        again = self.aiod.until_state(rows[1]["new"], "RUNNING")  # its time is not repeated
        self.assertNotIn("due", self.task(again["id"]))
        self.aiod.call("cancel", ids=[again["id"]], kill=True)

    def test_live_and_done_together(self):
        live = self.aiod.submit("sleep", "1000")
        done = self.run_false()
        rows = self.retry(live, done)
        self.assertEqual((rows[0]["id"], rows[0]["new"]), (live, None))
        self.assertIn(rows[0]["state"], ("PENDING", "RUNNING"))
        self.assertEqual(rows[0]["error"], {"code": "not-done", "message": f"task {live} is not done"})
        self.assertEqual(rows[1], {"id": done, "new": done + 1, "state": "DONE"})
        self.aiod.call("cancel", ids=[live], kill=True)

    def test_not_there(self):
        done = self.run_false()
        for ids in ([99], ["nobody"], [done, 99]):
            self.assertRpcError("not-found", "retry", ids=ids)
        for fields in ({}, {"ids": [True]}, {"ids": [1], "more": 1}):
            self.assertRpcError("invalid", "retry", **fields)
        self.assertEqual(self.retry("50-60"), [])

    def test_names_and_ranges(self):
        tasks = [self.run_false(name="n") for _ in range(3)]
        self.aiod.call("remove", ids=[tasks[1]])
        self.assertEqual([r["id"] for r in self.retry(f"{tasks[0]}-{tasks[2]}")], [tasks[0], tasks[2]])
        self.aiod.call("wait")
        self.assertEqual(self.retry("n")[0]["id"], tasks[2] + 2)  # the newest one

    def test_the_group_is_gone(self):
        self.aiod.call("group", name="mine", new=True, slots=1)
        old = self.run_false(group="mine")
        other = self.run_false()
        self.aiod.call("group", name="mine", remove=True)
        rows = self.retry(old, other)
        self.assertEqual((rows[0]["new"], rows[0]["error"]["code"]), (None, "not-found"))
        self.assertIn("mine", rows[0]["error"]["message"])
        self.assertEqual(rows[1]["new"], other + 1)  # no id was used up
        self.assertNotIn("retried_as", self.task(old))

    def test_paused(self):
        old = self.run_false(group="other")
        self.aiod.call("group", name="other", paused=True)
        new = self.retry(old)[0]["new"]
        self.assertEqual(self.aiod.call("status", ids=[new])["tasks"][0]["retry_of"], old)
        self.aiod.call("group", name="other", paused=False)
        self.aiod.wait_for(new)

    def check_restart(self, how):
        old = self.run_false("sh", "-c", "echo $WORD; exit 1", args={"env": ["WORD=here", "PATH=/bin"]})
        self.aiod.call("group", name="default", paused=True)
        new = self.retry(old)[0]["new"]
        self.aiod.kill(how)
        self.aiod.start()
        self.assertEqual(self.task(new)["retry_of"], old)
        self.assertEqual(self.task(old)["retried_as"], new)
        self.aiod.call("group", name="default", paused=False)
        self.assertEqual(self.aiod.wait_for(new)["error"]["exit"], 1)
        self.assertEqual(self.aiod.output(new), b"here\n")
        self.assertEqual(self.retry(new)[0]["new"], new + 1)

    def test_over_a_stop(self):
        self.check_restart(signal.SIGTERM)

    def test_over_a_kill(self):
        self.check_restart(signal.SIGKILL)

    def test_the_old_one_is_removed(self):
        old = self.run_false()
        new = self.retry(old)[0]["new"]
        self.aiod.wait_for(new)
        self.aiod.call("remove", ids=[old])
        self.assertEqual(self.task(new)["retry_of"], old)
        self.assertRpcError("not-found", "retry", ids=[old])

    def test_many_share_commits(self):
        n = 1000
        with self.aiod.connect() as rpc:
            asked = [rpc.send("submit", function="sleep", args=[0]) for _ in range(n)]
            for msgid in asked:
                rpc.answer(msgid)
            rpc.call("wait")
            self.aiod.call("group", name="default", paused=True)
            before = rpc.call("health")["store"]["commits"]
            rows = rpc.call("retry", ids=[f"1-{n}"])
            commits = rpc.call("health")["store"]["commits"] - before
            self.assertEqual([r["new"] for r in rows], list(range(n + 1, 2 * n + 1)))
            rpc.call("wait")
        self.assertLess(commits, n / 10)
        self.assertRpcError("limit", "retry", ids=list(range(1, 4002)))


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(UsersTest):
    config = "[control]\nsocket-mode = 0666\n[limits]\nqueued = 2\n"
    line = "id -u; id -g; id -G"

    def theirs(self, other):
        task = other.call("submit", args={"argv": ["sh", "-c", self.line]})["id"]
        other.call("await", id=task)
        return task

    def test_as_themselves(self):
        other = self.other(groups=GROUPS)
        old = self.theirs(other)
        new = other.call("retry", ids=[old])[0]["new"]
        other.call("await", id=new)
        other.call("logs", id=old)
        said = other.output
        other.call("logs", id=new)
        self.assertEqual(other.output, said)
        self.assertEqual(said.splitlines()[0], str(NOBODY))

    def test_root_runs_it_as_the_user(self):
        other = self.other(groups=GROUPS)
        old = self.theirs(other)
        new = self.aiod.call("retry", ids=[old])[0]["new"]
        done = self.aiod.wait_for(new)
        self.assertEqual((done["uid"], done["outcome"]), (NOBODY, "ok"))
        lines = self.aiod.output(new).decode().splitlines()
        self.assertEqual(lines[:2], [str(NOBODY)] * 2)
        self.assertEqual(sorted(map(int, lines[2].split())), sorted([NOBODY, *GROUPS]))
        self.assertEqual(other.call("task", id=new)["retry_of"], old)  # it is theirs

    def test_of_others_there_is_none(self):
        mine = self.aiod.submit("true")
        self.aiod.wait_for(mine)
        self.refused("not-found", self.other(), "retry", ids=[mine])
        theirs = self.theirs(self.other())
        self.refused("not-found", self.other(uid=NOBODY - 1), "retry", ids=[theirs])

    def test_a_group_that_was_taken_away(self):
        old = self.theirs(self.other(groups=GROUPS))
        row = self.other(groups=GROUPS[1:]).call("retry", ids=[old])[0]
        self.assertEqual((row["new"], row["error"]["code"]), (None, "denied"))
        self.assertIn(f"group {GROUPS[0]},", row["error"]["message"])
        more = self.other(groups=[*GROUPS, 1234])  # further ones are no matter
        new = more.call("retry", ids=[old])[0]["new"]
        more.call("await", id=new)
        more.call("logs", id=new)
        self.assertNotIn("1234", more.output)

    def test_limits(self):
        other = self.other()
        old = self.theirs(other)
        for _ in range(2):
            other.call("submit", args={"argv": ["true"]}, **{"in": 1000})
        row = other.call("retry", ids=[old])[0]
        self.assertEqual((row["new"], row["error"]["code"]), (None, "limit"))


if __name__ == "__main__":
    unittest.main()

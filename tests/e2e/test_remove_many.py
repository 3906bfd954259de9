# SPDX-License-Identifier: MIT
"""Thousands of finished tasks removed at once: a few commits, right counts, no files left; also when
the client leaves in the middle."""
import os
import unittest

import msgpack

from harness import SANITIZED, InstanceTest, until
from test_users import UsersTest

MANY = 2000 if SANITIZED else 10000


MESSAGE_OBJECTS = 65536  # of a message, as PROTOCOL.md says


def objects(value):
    if isinstance(value, dict):
        return 1 + sum(1 + objects(v) for v in value.values())
    return 1 + sum(map(objects, value)) if isinstance(value, list) else 1


class RemoveTest(InstanceTest):
    def finish(self, n, params=None):
        """n finished tasks; the range of their ids."""
        params = params or {"function": "sleep", "args": [0]}
        with self.aiod.connect() as rpc:
            first = rpc.call("submit", params)["id"]
            for begin in range(1, n, 1000):
                batch = min(1000, n - begin)
                rpc.sock.sendall(b"".join(msgpack.packb([0, i, "submit", [params]])
                                          for i in range(batch)))
                for i in range(batch):
                    rpc.answer(i)
            rpc.call("wait")
            until("all are done", lambda: rpc.call("status", limit=1)["counts"]["pending"] == 0)
        return f"{first}-{first + n - 1}"

    def counts(self):
        return self.aiod.call("status", limit=1)["counts"]

    def commits(self):
        return self.aiod.call("health")["store"]["commits"]

    def files(self):
        return [os.path.join(root, name) for root, dirs, names in
                os.walk(os.path.join(self.aiod.state, "output")) for name in names + dirs]

    def listed(self):
        return [t["id"] for t in self.aiod.call("status")["tasks"]]


class RemoveMany(RemoveTest):
    def test_few_commits(self):
        ids = self.finish(MANY)
        kept = self.aiod.submit("true")
        self.aiod.wait_for(kept)
        before = self.commits()
        rows = self.aiod.call("remove", ids=[ids])
        commits = self.commits() - before
        self.assertGreater(commits, 0)
        self.assertLessEqual(commits, MANY // 100)
        self.assertEqual(self.listed(), [kept])
        self.assertEqual((self.counts()["ok"], sum(self.counts().values())), (1, 1))
        self.assertEqual({(r["removed"], r["state"]) for r in rows}, {(True, "DONE")})
        self.assertEqual(len(rows), MANY if MANY <= 7000 else 3500)
        self.assertLess(objects(rows), MESSAGE_OBJECTS)
        self.aiod.stop()
        self.aiod.start()
        self.assertEqual(self.listed(), [kept])
        self.assertEqual(sum(self.counts().values()), 1)

    def test_their_files_go(self):
        ids = self.finish(300, {"args": {"argv": ["echo", "x"]}})
        split = self.aiod.submit("echo", "x", args={"split": True})
        self.aiod.wait_for(split)
        self.assertGreaterEqual(len(self.files()), 300)
        self.aiod.call("remove", ids=[ids, split])
        until("no file is left", lambda: not self.files())

    def test_live_ones_are_refused(self):
        ids, late = self.finish(600), self.finish(600)
        live = self.aiod.submit("true", **{"in": 1000})
        rows = self.aiod.call("remove", ids=[ids, live, late])
        named = [*range(1, 601), live, *range(601, 1201)]
        self.assertEqual([r["id"] for r in rows], named)  # as they were named
        self.assertEqual([r["id"] for r in rows if not r["removed"]], [live])
        self.assertEqual(rows[600], {"id": live, "removed": False, "state": "PENDING"})
        self.assertEqual(self.listed(), [live])
        self.assertEqual(self.counts()["ok"], 0)

    def test_one_that_is_not_there(self):
        ids = self.finish(50)
        self.aiod.call("remove", ids=[7])
        message = self.assertRpcError("not-found", "remove", ids=[3, 7, 9, 99])
        self.assertIn("there is no task 7", message)
        self.assertIn("others are removed", message)
        rows = self.aiod.call("remove", ids=[ids])  # of a range it need not be there
        self.assertEqual([r["id"] for r in rows], [i for i in range(1, 51) if i not in (3, 7, 9)])
        self.assertRpcError("not-found", "remove", ids=[ids.split("-", maxsplit=1)[0]])
        self.assertEqual(sum(self.counts().values()), 0)

    def test_twice_at_once(self):
        """Each is removed once, and counted once."""
        n = 3000
        ids = self.finish(n)
        with self.aiod.connect() as rpc:
            asked = [rpc.send("remove", ids=[ids]) for _ in range(3)]
            removed = [r["id"] for msgid in asked for r in rpc.answer(msgid)]
        self.assertEqual(sorted(removed), list(range(1, n + 1)))
        self.assertEqual(sum(self.counts().values()), 0)

    def test_the_client_leaves(self):
        """What was queued is removed and counted; the rest stays."""
        ids = self.finish(MANY)
        for _ in range(3):
            with self.aiod.connect() as rpc:
                rpc.send("remove", ids=[ids])
            until("it has left", lambda: self.aiod.call("health")["connections"] == 1)
        # the counts are those of the disk, now and after a restart
        def settled():
            first = self.counts()["ok"]
            self.aiod.wait_for(self.aiod.submit("false"))  # a commit behind them
            return first == self.counts()["ok"]
        until("nothing more is removed", settled)
        ok = self.counts()["ok"]
        found = self.count_listed("ok")
        self.assertEqual(found, ok)
        self.aiod.kill()
        self.aiod.start()
        self.assertEqual((self.counts()["ok"], self.count_listed("ok")), (ok, ok))
        self.aiod.call("remove", ids=[ids])
        self.assertEqual(self.counts()["ok"], 0)

    def count_listed(self, outcome):
        n, start = 0, None
        with self.aiod.connect() as rpc:
            while True:
                page = rpc.call("status", {"from": start} if start else {}, outcomes=[outcome], limit=1000)
                n += len(page["tasks"])
                start = page["next"]
                if start is None:
                    return n

    def test_a_stop_in_the_middle(self):
        ids = self.finish(MANY)
        with self.aiod.connect() as rpc:
            rpc.send("remove", ids=[ids])
            rpc.sock.setblocking(True)
            self.assertEqual(self.aiod.stop(), 0)
        self.aiod.start()
        self.assertEqual(self.counts()["ok"], self.count_listed("ok"))


class Answers(RemoveTest):
    """What is told of very many tasks is a message that aioctl takes."""

    def test_rm(self):
        ids = self.finish(MANY)
        self.aiod.aioctl("rm", ids, check=0)
        self.assertEqual(sum(self.counts().values()), 0)

    @unittest.skipIf(SANITIZED, "takes too long")
    def test_wait_and_cancel(self):
        done = self.finish(1000)
        live = 40000
        with self.aiod.connect() as rpc:
            for _ in range(0, live, 1000):
                rpc.sock.sendall(b"".join(
                    msgpack.packb([0, i, "submit", [{"function": "sleep", "args": [0], "in": 3600}]])
                    for i in range(1000)))
                for i in range(1000):
                    rpc.answer(i)
            answer = rpc.call("wait", ids=[done, "all"], timeout=0)
            self.assertLess(objects(answer), MESSAGE_OBJECTS)
            self.assertEqual(len(answer["done"]) + len(answer["rest"]), 1000)
            self.assertEqual((len(answer["pending"]), answer["timed_out"]), (live, True))
        self.aiod.aioctl("wait", done, "all", "--timeout", "0.1", check=124)
        self.aiod.aioctl("cancel", "all", check=0)
        until("all are cancelled", lambda: self.counts()["cancelled"] == live)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(UsersTest):
    config = "[control]\nsocket-mode = 0666\n"

    def test_of_others_there_is_none(self):
        other = self.other()
        mine = self.aiod.submit("true")
        self.aiod.wait_for(mine)
        theirs = other.call("submit", args={"argv": ["true"]})["id"]
        other.call("await", id=theirs)
        self.refused("not-found", other, "remove", ids=[mine])
        self.assertEqual([r["id"] for r in other.call("remove", ids=["1-99"])], [theirs])
        self.assertEqual(self.aiod.call("task", id=mine)["outcome"], "ok")
        again = other.call("submit", args={"argv": ["true"]})["id"]
        other.call("await", id=again)
        self.assertEqual(self.aiod.call("remove", ids=[again])[0]["removed"], True)  # root may
        self.assertEqual(other.call("status")["counts"]["ok"], 0)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""`status` by outcome, name and time: of live and finished tasks, page by page, by ids, and of those
that may be seen; and names that several live tasks have."""
import os
import time
import unittest

from harness import InstanceTest
from test_users import UsersTest


class FiltersTest(InstanceTest):
    def ids(self, **fields):
        return [t["id"] for t in self.aiod.call("status", fields)["tasks"]]

    def end(self, *argv, **fields):
        task = self.aiod.submit(*argv, **fields)
        return self.aiod.wait_for(task)

    def cancelled(self, **fields):
        task = self.aiod.submit("sleep", "1000", **fields, **{"in": 1000})
        self.aiod.call("cancel", ids=[task])
        return self.aiod.wait_for(task)


class Filters(FiltersTest):
    config = "[group default]\nslots = 4\n[group other]\nslots = 1\n"

    def setUp(self):
        super().setUp()
        self.ok = self.end("true", name="a")["id"]
        self.failed = self.end("false", name="b")["id"]
        self.gone = self.cancelled(name="a")["id"]
        self.runs = self.aiod.submit("sleep", "1000", name="a")
        self.waits = self.aiod.submit("true", name="b", **{"in": 1000})
        self.aiod.until_state(self.runs, "RUNNING")

    def test_outcomes(self):
        self.assertEqual(self.ids(outcomes=["ok"]), [self.ok])
        self.assertEqual(self.ids(outcomes=["failed", "cancelled"]), [self.gone, self.failed])
        self.assertEqual(self.ids(outcomes=["ok", "failed", "cancelled"]), [self.gone, self.failed, self.ok])
        # of those that are DONE only: with live states the others too
        self.assertEqual(self.ids(outcomes=["ok"], states=["RUNNING", "DONE"]), [self.runs, self.ok])
        self.assertEqual(self.ids(outcomes=["ok"], states=["PENDING"]), [self.waits])
        self.assertEqual(self.ids(outcomes=[]), self.ids())

    def test_name(self):
        self.assertEqual(self.ids(name="a"), [self.runs, self.gone, self.ok])
        self.assertEqual(self.ids(name="b", states=["PENDING"]), [self.waits])
        self.assertEqual(self.ids(name="b", states=["PENDING"], order="asc"), [self.waits])
        self.assertEqual(self.ids(name="a", outcomes=["cancelled"]), [self.gone])
        self.assertEqual(self.ids(name="nobody"), [])
        self.assertEqual(self.ids(name="a", group="other"), [])

    def test_time(self):
        tasks = {t["id"]: t for t in self.aiod.call("status")["tasks"]}
        everything = sorted(tasks, reverse=True)
        self.assertEqual(self.ids(since="1970-01-01T00:00:00Z"), everything)
        self.assertEqual(self.ids(until="2200-01-01T00:00:00Z"), everything)
        self.assertEqual(self.ids(until="1970-01-01T00:00:00Z"), [])
        self.assertEqual(self.ids(since="2200-01-01T00:00:00Z"), [])
        for pivot in tasks.values():  # it entered its state at `since`, rounded down to a ms
            since = self.ids(since=pivot["since"])
            until = self.ids(until=pivot["since"])
            self.assertIn(pivot["id"], since)
            self.assertEqual(sorted(since + until, reverse=True), everything)
            for task in until:
                self.assertLessEqual(tasks[task]["since"], pivot["since"])
            for task in since:
                self.assertGreaterEqual(tasks[task]["since"], pivot["since"])
        self.assertEqual(tasks[self.ok]["since"], tasks[self.ok]["ended"])

    def test_everything_at_once(self):
        task = self.end("false", name="x", group="other")
        fields = {"name": "x", "group": "other", "outcomes": ["failed"], "since": task["submitted"]}
        self.assertEqual(self.ids(**fields), [task["id"]])
        for wrong in ({"name": "y"}, {"group": "default"}, {"outcomes": ["ok"]}, {"until": task["submitted"]},
                      {"states": ["RUNNING"]}):
            self.assertEqual(self.ids(**{**fields, **wrong}), [], wrong)

    def test_by_ids(self):
        every = ["1-99"]
        self.assertEqual(self.ids(ids=every, outcomes=["ok"]), [self.ok])
        self.assertEqual(self.ids(ids=every, name="b"), [self.failed, self.waits])
        self.assertEqual(self.ids(ids=every, until="1970-01-01T00:00:00Z"), [])
        self.assertEqual(self.ids(ids=[self.failed], name="a"), [])

    def test_after_a_restart(self):
        self.aiod.stop()
        self.aiod.start()
        self.test_name()
        self.assertEqual(self.ids(outcomes=["failed", "cancelled"]), [self.gone, self.failed])

    def test_invalid(self):
        for fields in ({"outcomes": ["OK"]}, {"outcomes": "ok"}, {"outcomes": ["ok"] * 4}, {"name": 7},
                       {"name": "x" * 65}, {"since": "yesterday"}, {"since": 0}, {"until": ""},
                       {"until": "2026-13-01T00:00:00Z"}):
            self.assertRpcError("invalid", "status", **fields)
        self.assertRpcError("invalid", "status", order="asc", outcomes=["ok"])


class Pages(FiltersTest):
    """Tasks end in another order than that of their ids; pages go by id."""

    def pages(self, limit, **fields):
        found, start = [], None
        while True:
            page = self.aiod.call("status", dict(fields, **({"from": start} if start else {})), limit=limit)
            self.assertLessEqual(len(page["tasks"]), limit)
            found += page["tasks"]
            start = page["next"]
            if start is None:
                return found

    def test_of_a_span(self):
        n = 60
        with self.aiod.connect() as rpc:
            for i in range(n):
                rpc.call("submit", function="sleep", args=[0.3 if i % 3 else 0.01])
            rpc.call("wait")
            tasks = {t["id"]: t for t in self.pages(1000)}
        ended = sorted(t["ended"] for t in tasks.values())
        for since, until in ((ended[10], ended[50]), (ended[0], ended[20]), (ended[30], None)):
            wanted = [i for i in sorted(tasks, reverse=True)
                      if since <= tasks[i]["ended"] and (until is None or tasks[i]["ended"] < until)]
            for limit in (1, 7, 1000):
                fields = {"since": since, **({"until": until} if until else {})}
                self.assertEqual([t["id"] for t in self.pages(limit, **fields)], wanted)

    def test_live_and_done_together(self):
        keep = self.aiod.submit("sleep", "1000", name="n")
        for _ in range(5):
            self.end("true", name="n")
            self.end("true", name="m")
        waits = [self.aiod.submit("true", name="n", **{"in": 1000}) for _ in range(3)]
        wanted = [*reversed(waits), 10, 8, 6, 4, 2, keep]
        for limit in (1, 2, 3, 9, 100):
            self.assertEqual([t["id"] for t in self.pages(limit, name="n")], wanted)

    def test_none_is_missed_while_they_end(self):
        """Each look sees every task, though they end one after the other."""
        n = 300
        with self.aiod.connect() as rpc:
            for i in range(n):
                rpc.call("submit", function="sleep", args=[0.5 + i / 1000])
            while True:
                page = rpc.call("status", limit=1000)
                self.assertEqual([t["id"] for t in page["tasks"]], list(range(n, 0, -1)))
                if page["counts"]["ok"] == n:
                    break


class Names(FiltersTest):
    config = "[group default]\nslots = 2\n"

    def test_several_live_ones(self):
        done = self.end("true", name="n")["id"]
        live = [self.aiod.submit("sleep", "1000", name="n") for _ in range(3)]
        self.assertEqual(sorted(self.ids(ids=["n"])), live)
        message = self.assertRpcError("invalid", "await", id="n")
        self.assertIn(", ".join(map(str, live)), message)
        for method in ("task", "result", "logs"):
            self.assertRpcError("invalid", method, id="n")
        answers = self.aiod.call("cancel", ids=["n"], kill=True)
        self.assertEqual([(a["id"], a["asked"]) for a in answers], [(task, True) for task in live])
        self.aiod.call("wait", ids=live)
        # none lives: the newest that is done
        self.assertEqual(self.aiod.call("task", id="n")["id"], live[-1])
        self.assertNotEqual(done, live[-1])

    def test_one_live_one(self):
        live = self.aiod.submit("sleep", "1000", name="n")
        self.end("true", name="n")
        self.assertEqual(self.aiod.call("task", id="n")["id"], live)
        self.aiod.call("cancel", ids=["n"], kill=True)

    def test_more_than_a_sentence_holds(self):
        tasks = [self.aiod.submit("true", name="n", **{"in": 1000}) for _ in range(20)]
        message = self.assertRpcError("invalid", "await", id="n")
        self.assertIn(f"20 live tasks are named n: {tasks[0]}, ", message)
        self.assertTrue(message.endswith("..."), message)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(UsersTest):
    config = "[control]\nsocket-mode = 0666\n"

    def test_of_ones_own(self):
        other = self.other()
        begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        mine = self.aiod.submit("false", name="n")
        self.aiod.wait_for(mine)
        theirs = other.call("submit", args={"argv": ["false"]}, name="n")["id"]
        other.call("await", id=theirs)
        for fields in ({"name": "n"}, {"outcomes": ["failed"]}, {"since": begin},
                       {"since": begin, "outcomes": ["failed"], "name": "n"}):
            self.assertEqual([t["id"] for t in other.call("status", **fields)["tasks"]], [theirs])
            self.assertEqual([t["id"] for t in self.aiod.call("status", fields)["tasks"]], [theirs, mine])


if __name__ == "__main__":
    unittest.main()

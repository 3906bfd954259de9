# SPDX-License-Identifier: MIT
"""status: pages, filters, the words that name tasks, and the counts."""
import unittest

from harness import Gate, InstanceTest


class Status(InstanceTest):
    config = "[group one]\nslots = 1\n[group other]\nslots = 4\n"

    def ids(self, **fields):
        return [t["id"] for t in self.aiod.call("status", **fields)["tasks"]]

    def pages(self, **fields):
        """Every id, page by page."""
        found, start = [], None
        with self.aiod.connect() as rpc:
            while True:
                answer = rpc.call("status", {"from": start} if start else {}, **fields)
                page = [t["id"] for t in answer["tasks"]]
                found += page
                self.assertLessEqual(len(page), fields["limit"])
                if answer["next"] is None:
                    return found
                self.assertEqual(answer["next"], page[-1])
                start = answer["next"]

    def finish(self, n, **fields):
        tasks = [self.aiod.submit("true", **fields) for _ in range(n)]
        self.aiod.call("wait", ids=tasks)
        return tasks

    def test_empty(self):
        answer = self.aiod.call("status")
        self.assertEqual((answer["tasks"], answer["next"]), ([], None))
        self.assertEqual(set(answer["counts"].values()), {0})
        self.assertEqual(sorted(answer["loop"]), ["busy", "owner", "up_s"])

    def test_pages_newest_first(self):
        tasks = self.finish(25)
        for limit in (1, 2, 5, 7, 24, 25, 26, 1000):
            self.assertEqual(self.pages(limit=limit), tasks[::-1], limit)
        self.assertEqual(self.ids(**{"from": 10, "limit": 3}), [9, 8, 7])
        self.assertEqual(self.ids(**{"from": 1}), [])
        self.assertEqual(self.ids(**{"from": 1 << 40, "limit": 1}), [25])

    def test_pages_oldest_first(self):
        self.finish(9)
        live = [self.aiod.submit("true", **{"in": 1000}) for _ in range(9)]
        for limit in (1, 4, 18, 1000):
            self.assertEqual(self.pages(limit=limit, order="asc", states=["PENDING"]), live)
            self.assertEqual(self.pages(limit=limit, order="asc",
                                        states=["PENDING", "RUNNING", "SUSPENDED"]), live)
        self.assertEqual(self.ids(order="asc", states=["PENDING"], **{"from": live[3]}), live[4:])
        for fields in ({}, {"states": ["DONE"]}, {"states": ["PENDING", "DONE"]}):
            self.assertIn('"order"', self.assertRpcError("invalid", "status", order="asc",
                                                         **fields))

    def test_live_and_done_in_one_order(self):
        live, done = [], []
        for _ in range(8):
            live.append(self.aiod.submit("true", **{"in": 1000}))
            done += self.finish(1)
        everything = sorted(live + done, reverse=True)
        for limit in (1, 3, 16):
            self.assertEqual(self.pages(limit=limit), everything)
            self.assertEqual(self.pages(limit=limit, states=["PENDING"]), live[::-1])
            self.assertEqual(self.pages(limit=limit, states=["DONE"]), done[::-1])
        self.assertEqual(self.ids(states=["RUNNING", "SUSPENDED"]), [])

    def test_default_limit(self):
        tasks = self.finish(130)
        self.assertEqual(self.ids(), tasks[:29:-1])
        answer = self.aiod.call("status", limit=1000)
        self.assertEqual((len(answer["tasks"]), answer["next"]), (130, None))

    def test_groups(self):
        gate = Gate(self.aiod.root)
        ones = [self.aiod.submit("sh", "-c", gate.command, group="one") for _ in range(3)]
        others = self.finish(4, group="other")
        self.finish(2)
        self.assertEqual(self.pages(group="one", limit=2), ones[::-1])
        self.assertEqual(self.pages(group="other", limit=3), others[::-1])
        self.assertEqual(self.pages(group="other", limit=3, states=["DONE"]), others[::-1])
        self.assertEqual(self.ids(group="one", states=["DONE"]), [])
        self.aiod.call("cancel", ids=ones, kill=True)

    def test_ids(self):
        tasks = self.finish(5)
        live = self.aiod.submit("true", name="later", **{"in": 1000})
        self.assertEqual(self.ids(ids=[3]), [3])
        self.assertEqual(self.ids(ids=["3", 1, b"2"]), [3, 1, 2])
        self.assertEqual(self.ids(ids=["2-4"]), [2, 3, 4])
        self.assertEqual(self.ids(ids=["4-1000000"]), [4, 5, live])
        self.assertEqual(self.ids(ids=["last"]), [live])
        self.assertEqual(self.ids(ids=["all"]), [live])
        self.assertEqual(self.ids(ids=["later"]), [live])
        self.assertEqual(self.ids(ids=[]), [])
        self.aiod.call("remove", ids=[3])
        self.assertEqual(self.ids(ids=["2-4"]), [2, 4])
        self.assertEqual(self.ids(ids=["100-200"]), [])
        self.assertRpcError("not-found", "status", ids=[3])
        self.assertRpcError("not-found", "status", ids=[2, 100])
        self.assertRpcError("not-found", "status", ids=["nobody"])
        self.aiod.call("cancel", ids=["later"])
        self.aiod.wait_for(live)
        self.assertEqual(self.ids(ids=["all"]), [])
        self.assertEqual(self.ids(ids=["later", "last"]), [live])
        self.assertEqual(len(tasks), 5)

    def test_pages_of_ids(self):
        tasks = self.finish(30)
        for limit in (1, 7, 30, 100):
            self.assertEqual(self.pages(limit=limit, ids=["1-30"]), tasks)
            self.assertEqual(self.pages(limit=limit, ids=["3-5", 9, "20-25"]),
                             [3, 4, 5, 9, 20, 21, 22, 23, 24, 25])

    def test_pages_that_are_cut_for_their_size(self):
        with self.aiod.connect() as rpc:
            for _ in range(3000):
                rpc.send("submit", function="sleep", args=[0], name="n" * 64)
            tasks = [rpc.answer(i)["id"] for i in range(1, 3001)]
            rpc.call("wait")
            for fields in ({}, {"ids": ["1-3000"]}):
                found, start = [], None
                while start is not None or not found:
                    page = rpc.call("status", {"from": start} if start else {}, limit=1000,
                                    **fields)
                    self.assertLessEqual(len(page["tasks"]), 1000)
                    self.assertNotIn(page["tasks"][0]["id"], found)
                    found += [t["id"] for t in page["tasks"]]
                    start = page["next"]
                self.assertEqual(found, tasks if fields else tasks[::-1])

    def test_filters_apply_to_ids(self):
        self.finish(3)
        live = [self.aiod.submit("true", group="other", **{"in": 1000}) for _ in range(3)]
        self.assertEqual(self.ids(ids=["1-6"], states=["DONE"]), [1, 2, 3])
        self.assertEqual(self.ids(ids=["1-6"], states=["PENDING"]), live)
        self.assertEqual(self.ids(ids=["1-6"], group="other"), live)
        self.assertEqual(self.ids(ids=[2, 5], group="other", states=["DONE"]), [])

    def test_wrong_ids(self):
        for word in ("3-", "5-3", "3-x", "1.5", "0x1", "1 ", "1-2-3", "99999999999999999999"):
            self.assertRpcError("invalid", "status", ids=[word])
        for word in ("", "-3", " 1", "nobody", b"\xff"):
            self.assertRpcError("not-found", "status", ids=[word])
        for word in (1.5, True, [1], {"id": 1}):
            self.assertRpcError("invalid", "status", ids=[word])
        self.assertRpcError("not-found", "status", ids=[0])

    def test_wrong_filters(self):
        for fields, name in (({"limit": 0}, "limit"), ({"limit": 1001}, "limit"),
                             ({"limit": -1}, "limit"), ({"limit": "9"}, "limit"),
                             ({"order": "up"}, "order"), ({"states": ["pending"]}, "states"),
                             ({"states": "DONE"}, "states"), ({"states": [1]}, "states"),
                             ({"from": -1}, "from"), ({"from": "x"}, "from"),
                             ({"group": 1}, "group"), ({"ids": 1.5}, "ids"),
                             ({"colour": "red"}, "colour")):
            self.assertIn(f'"{name}"', self.assertRpcError("invalid", "status", fields))

    def test_counts_follow_everything(self):
        def counts():
            return tuple(self.aiod.call("status")["counts"].values())
        self.finish(2)
        self.aiod.wait_for(self.aiod.submit("false"))
        later = self.aiod.submit("true", **{"in": 1000})
        asleep = self.aiod.call("submit", function="sleep", args=[1000])["id"]
        running = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(asleep, "SUSPENDED")
        self.aiod.until_state(running, "RUNNING")
        self.assertEqual(counts(), (1, 1, 1, 2, 1, 0))
        self.aiod.call("cancel", ids=[later, asleep, running])
        self.aiod.call("wait")
        self.assertEqual(counts(), (0, 0, 0, 2, 1, 3))
        self.aiod.call("remove", ids=["1", later])
        self.assertEqual(counts(), (0, 0, 0, 1, 1, 2))
        self.aiod.stop()
        self.aiod.start()
        self.assertEqual(counts(), (0, 0, 0, 1, 1, 2))
        self.assertEqual(self.ids(), [6, 5, 3, 2])

    def test_titles(self):
        for argv, title in ((["echo", "two words", ""], "echo two words "),
                            (["echo", "x" * 100], "echo " + "x" * 72 + "…"),
                            (["echo", "ü" * 100], "echo " + "ü" * 36 + "…"),
                            (["echo", "a\nb"], "echo a\nb")):
            task = self.aiod.submit(*argv)
            self.assertEqual(self.aiod.wait_for(task)["title"], title)
            self.assertEqual(self.aiod.call("task", id=task)["title"], title)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""await, wait and result: who is woken, when, in which order, and that waiting changes nothing."""
import time
import unittest

from harness import Gate, InstanceTest, RpcError


class WaitTest(InstanceTest):
    config = "[group default]\nslots = 8\n[commands]\ngrace = 200ms\n"

    def sleep(self, seconds, **fields):
        return self.aiod.call("submit", function="sleep", args=[seconds], **fields)["id"]

    def wait(self, *ids, **fields):
        answer = self.aiod.call("wait", ids=list(ids), **fields)
        self.assertEqual(sorted(answer), ["done", "pending", "rest", "timed_out"])
        return [t["id"] for t in answer["done"]], answer["pending"], answer["timed_out"]


class Await(WaitTest):
    def test_of_a_live_one(self):
        task = self.sleep(0.1)
        done = self.aiod.call("await", id=task)
        self.assertEqual((done["id"], done["outcome"]), (task, "ok"))

    def test_of_one_already_done(self):
        task = self.aiod.submit("true")
        first = self.aiod.wait_for(task)
        begin = time.monotonic()
        self.assertEqual(self.aiod.wait_for(task, timeout=0), first)
        self.assertEqual(self.aiod.call("await", id=str(task)), first)
        self.assertEqual(self.aiod.call("await", id="last"), first)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.aiod.call("status", ids=[task])["tasks"], [first])

    def test_timeout(self):
        task = self.sleep(1000)
        begin = time.monotonic()
        message = self.assertRpcError("timeout", "await", id=task, timeout=0.2)
        took = time.monotonic() - begin
        self.assertIn(str(task), message)
        self.assertGreaterEqual(took, 0.2)
        self.assertLess(took, 5)
        self.assertRpcError("timeout", "await", id=task, timeout=0)
        self.assertEqual(self.aiod.call("status", ids=[task])["tasks"][0]["state"], "SUSPENDED")
        self.assertIn("timeout", self.assertRpcError("invalid", "await", id=task, timeout=-1))
        self.aiod.call("cancel", ids=[task])

    def test_of_nothing(self):
        self.assertRpcError("not-found", "await", id=1)
        self.assertRpcError("not-found", "await", id="nobody")
        self.assertRpcError("not-found", "await", id="last")
        self.assertRpcError("invalid", "await")
        self.assertRpcError("invalid", "await", id="1x")
        self.assertRpcError("invalid", "await", id=-1)
        self.assertRpcError("invalid", "await", id=1.5)
        self.assertRpcError("invalid", "await", id="5-3")

    def test_one_id_means_one_task(self):
        tasks = [self.sleep(1000), self.sleep(1000)]
        self.assertRpcError("invalid", "await", id="all")
        self.assertRpcError("invalid", "await", id="1-2")
        self.aiod.call("cancel", ids=tasks)

    def test_by_name(self):
        old = self.aiod.submit("true", name="build")
        self.aiod.wait_for(old)
        gate = Gate(self.aiod.root)
        live = self.aiod.submit("sh", "-c", gate.command, name="build")
        newer = self.aiod.submit("true", name="build")
        self.aiod.wait_for(newer)
        self.assertEqual(self.aiod.call("task", id="build")["id"], live)  # the live one
        gate.open()
        self.aiod.wait_for(live)
        self.assertEqual(self.aiod.call("task", id="build")["id"], newer)  # the newest finished

    def test_result(self):
        task = self.sleep(1000)
        message = self.assertRpcError("not-done", "result", id=task)
        self.assertIn(str(task), message)
        self.aiod.call("cancel", ids=[task])
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.call("result", id=task)["outcome"], "cancelled")
        self.assertRpcError("not-found", "result", id=99)


class Wait(WaitTest):
    def test_all_in_the_order_of_completion(self):
        tasks = [self.sleep(s) for s in (0.4, 0.1, 0.3, 0.2, 0)]
        expected = [tasks[i] for i in (4, 1, 3, 2, 0)]
        self.assertEqual(self.wait(*tasks), (expected, [], False))

    def test_commands_in_the_order_of_completion(self):
        tasks = [self.aiod.submit("sleep", s) for s in ("0.45", "0.15", "0.3")]
        self.assertEqual(self.wait(*tasks), ([tasks[1], tasks[2], tasks[0]], [], False))

    def test_first(self):
        slow, fast = self.sleep(1000), self.sleep(0.1)
        begin = time.monotonic()
        self.assertEqual(self.wait(slow, fast, mode="first"), ([fast], [slow], False))
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.wait(slow, fast, mode="first"), ([fast], [slow], False))
        self.aiod.call("cancel", ids=[slow])

    def test_timeout(self):
        slow, fast = self.sleep(1000), self.sleep(0.05)
        begin = time.monotonic()
        self.assertEqual(self.wait(slow, fast, timeout=0.3), ([fast], [slow], True))
        took = time.monotonic() - begin
        self.assertGreaterEqual(took, 0.3)
        self.assertLess(took, 5)
        self.assertEqual(self.wait(fast, timeout=0), ([fast], [], False))
        self.assertEqual(self.wait(slow, timeout=0), ([], [slow], True))
        self.aiod.call("cancel", ids=[slow])

    def test_default_is_every_live_task(self):
        self.aiod.wait_for(self.aiod.submit("true"))
        tasks = [self.sleep(0.2), self.sleep(0.1)]
        answer = self.aiod.call("wait")
        self.assertEqual([t["id"] for t in answer["done"]], tasks[::-1])

    def test_of_nothing(self):
        empty = {"done": [], "rest": [], "pending": [], "timed_out": False}
        self.assertEqual(self.aiod.call("wait"), empty)
        self.assertEqual(self.aiod.call("wait", ids=[]), empty)
        self.assertEqual(self.aiod.call("wait", ids=[], mode="first"), empty)
        self.assertEqual(self.aiod.call("wait", ids=["1-9"]), empty)
        self.assertEqual(self.aiod.call("wait", ids=["all"], timeout=0), empty)
        self.assertRpcError("not-found", "wait", ids=[1])
        self.assertRpcError("invalid", "wait", ids=["all"], mode="some")
        self.assertRpcError("invalid", "wait", ids=1.5)

    def test_done_and_live_mixed(self):
        done = [self.aiod.submit("true"), self.aiod.submit("false")]
        self.aiod.call("wait", ids=done)
        live = self.sleep(0.1)
        ids, pending, timed_out = self.wait(live, *done)
        self.assertEqual((sorted(ids[:2]), ids[2:], pending, timed_out), (done, [live], [], False))

    def test_the_same_one_twice_is_one(self):
        task = self.sleep(0.05)
        self.assertEqual(self.wait(task, str(task), f"{task}-{task}"), ([task], [], False))

    def test_many(self):
        with self.aiod.connect() as rpc:
            for _ in range(500):
                rpc.send("submit", function="sleep", args=[0.1])
            tasks = [rpc.answer(i)["id"] for i in range(1, 501)]
        ids, pending, timed_out = self.wait(f"{tasks[0]}-{tasks[-1]}")
        self.assertEqual((sorted(ids), pending, timed_out), (tasks, [], False))

    def test_more_than_an_answer_holds(self):
        with self.aiod.connect() as rpc:
            for _ in range(3000):
                rpc.send("submit", function="sleep", args=[0.2])
            waiting, found = [rpc.answer(i)["id"] for i in range(1, 3001)], []
            while waiting:
                answer = rpc.call("wait", ids=waiting)
                found += [t["id"] for t in answer["done"]]
                self.assertEqual((answer["pending"], answer["timed_out"]), ([], False))
                self.assertLess(len(answer["rest"]), len(waiting))
                waiting = answer["rest"]
            self.assertEqual(sorted(found), list(range(1, 3001)))


class Waiters(WaitTest):
    def test_several_clients_at_once(self):
        gate = Gate(self.aiod.root)
        task = self.aiod.submit("sh", "-c", f"{gate.command}; exit 0")
        clients = [self.aiod.connect() for _ in range(20)]
        asked = [c.send("await", id=task) if i % 2 else c.send("wait", ids=[task])
                 for i, c in enumerate(clients)]
        for client in clients:
            client.call("hello")  # so aiod has read what came before
        gate.open()
        expected = None
        for i, (client, msgid) in enumerate(zip(clients, asked)):
            answer = client.answer(msgid)
            answer = answer if i % 2 else answer["done"][0]
            expected = expected or answer
            self.assertEqual(answer, expected)
            client.close()
        self.assertEqual(expected["outcome"], "ok")

    def test_one_connection_waits_and_goes_on(self):
        with self.aiod.connect() as rpc:
            task = rpc.call("submit", function="sleep", args=[0.2])["id"]
            waiting = rpc.send("await", id=task)
            other = rpc.call("submit", args={"argv": ["true"]})["id"]
            self.assertEqual(rpc.call("await", id=other)["outcome"], "ok")
            self.assertEqual(rpc.answer(waiting)["id"], task)

    def test_who_leaves_cancels_nothing(self):
        gate = Gate(self.aiod.root)
        command = self.aiod.submit("sh", "-c", f"{gate.command}; exit 0")
        asleep = self.sleep(0.3)
        for method, fields in (("await", {"id": command}), ("wait", {"ids": [command, asleep]}),
                               ("logs", {"id": command, "follow": True}), ("wait", {})):
            rpc = self.aiod.connect()
            rpc.send(method, fields)
            rpc.call("hello")
            rpc.close()
        self.assertEqual(self.aiod.wait_for(asleep)["outcome"], "ok")
        self.assertEqual(self.aiod.call("health")["connections"], 1)
        gate.open()
        self.assertEqual(self.aiod.wait_for(command)["outcome"], "ok")

    def test_submit_survives_its_client(self):
        for _ in range(50):
            rpc = self.aiod.connect()
            rpc.send("submit", args={"argv": ["true"]})
            rpc.close()
        with self.aiod.connect() as rpc:
            last = rpc.call("submit", args={"argv": ["true"]})["id"]
            ended = rpc.call("wait", ids=[f"1-{last}"])["done"]
        self.assertEqual({t["outcome"] for t in ended}, {"ok"})
        self.assertEqual(sorted(t["id"] for t in ended), list(range(1, last + 1)))

    def test_stopping_answers_who_waits(self):
        task = self.sleep(1000)
        with self.aiod.connect() as rpc:
            waiting = rpc.send("await", id=task)
            rpc.call("hello")
            self.aiod.process.terminate()
            with self.assertRaises(RpcError) as caught:
                rpc.answer(waiting)
            self.assertEqual(caught.exception.word, "stopping")
            self.assertIsNone(rpc.read())


if __name__ == "__main__":
    unittest.main()

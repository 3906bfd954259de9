# SPDX-License-Identifier: MIT
"""What `events` tells: everything from "ready" on, once, in order; only of what is asked for and
may be seen; and how many were left out for a client that does not read."""
import json
import os
import signal
import subprocess
import sys
import unittest

import msgpack

from harness import SANITIZED, InstanceTest, RpcError, until
from test_users import NOBODY, UsersTest


# Becomes another user, asks for events, and prints each as a line of JSON; the error as its word.
WATCHER = r"""
import json, os, sys
sys.path.insert(0, sys.argv[2])
from harness import Rpc
os.setgroups([])
os.setresgid(*[int(sys.argv[3])] * 3)
os.setresuid(*[int(sys.argv[3])] * 3)
rpc = Rpc(sys.argv[1])
rpc.send("events")
while True:
    message = rpc.read()
    print(json.dumps(message[2][0] if message[0] == 2 else message[2][1].split(":")[0]), flush=True)
    if message[0] != 2:
        break
"""


class Subscriber:
    """A connection that asked for events."""

    def __init__(self, aiod, **fields):
        self.rpc = aiod.connect()
        self.request = self.rpc.send("events", **fields)
        self.expect("ready")

    def next(self):
        """The next event; an error ends the subscription."""
        message = self.rpc.read()
        if message is None:
            raise ConnectionError("aiod closed the connection")
        if message[0] != 2:
            raise RpcError(message[2])
        assert message[1] == "event", message
        event = message[2][0]
        assert event["request"] == self.request, event
        assert event["time"].endswith("Z"), event
        return event

    def expect(self, what, **fields):
        event = self.next()
        found = {key: event.get(key) for key in ("what", *fields)}
        if found != dict(fields, what=what):
            raise AssertionError(f"{found}, not {what} {fields}")
        return event

    def until(self, what, **fields):
        """All events up to the first of that kind, with it."""
        events = []
        while True:
            events.append(self.next())
            last = events[-1]
            if last["what"] == what and all(last.get(k) == v for k, v in fields.items()):
                return events


class EventsTest(InstanceTest):
    config = "[group default]\nslots = 1\n[group other]\nslots = 1\n"

    def subscribe(self, **fields):
        subscriber = Subscriber(self.aiod, **fields)
        self.addCleanup(subscriber.rpc.close)
        return subscriber

    def life(self, subscriber, task, *states):
        was = None
        for state in states:
            event = subscriber.expect("state", id=task, state=state, was=was)
            self.assertEqual((event["task"]["id"], event["task"]["state"]), (task, state))
            was = state
        return event


class Events(EventsTest):
    def test_a_life(self):
        events = self.subscribe()
        task = self.aiod.submit("sh", "-c", "exit 3", name="short")
        new = events.expect("state", id=task, state="PENDING", was=None)
        self.assertEqual((new["task"]["name"], new["task"]["group"]), ("short", "default"))
        running = events.expect("state", id=task, state="RUNNING", was="PENDING")["task"]
        self.assertEqual(running["awaits"], {"kind": "process", "pid": running["pid"]})
        self.assertEqual(running["since"], running["started"])
        done = events.expect("state", id=task, state="DONE", was="RUNNING")["task"]
        self.assertEqual((done["outcome"], done["error"]["exit"]), ("failed", 3))
        self.assertEqual(done, self.aiod.call("status", ids=[task])["tasks"][0])
        self.aiod.call("remove", ids=[task])
        self.assertEqual(sorted(events.expect("removed", id=task)), ["id", "request", "time", "what"])

    def test_a_sleep(self):
        events = self.subscribe()
        task = self.aiod.call("submit", function="sleep", args=[0.01])["id"]
        events.expect("state", id=task, state="PENDING")
        asleep = events.expect("state", id=task, state="SUSPENDED")["task"]
        self.assertEqual(asleep["awaits"]["kind"], "timer")
        self.assertIn("until", asleep["awaits"])
        events.expect("state", id=task, state="DONE", was="SUSPENDED")

    def test_cancelled_in_line(self):
        held = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(held, "RUNNING")
        task = self.aiod.submit("true")
        events = self.subscribe()
        self.aiod.call("cancel", ids=[task])
        done = events.expect("state", id=task, state="DONE", was="PENDING")["task"]
        self.assertEqual(done["outcome"], "cancelled")
        self.aiod.call("cancel", ids=[held], kill=True)
        events.expect("state", id=held, state="DONE", was="RUNNING")

    def test_retry(self):
        old = self.aiod.submit("false")
        self.aiod.wait_for(old)
        events = self.subscribe()
        self.aiod.call("retry", ids=[old])
        event = events.expect("state", id=old + 1, state="PENDING", was=None)
        self.assertEqual(event["task"]["retry_of"], old)

    def test_every_task_of_many_in_order(self):
        """Each goes through its states once; the ends come in the order that `wait` tells."""
        events = self.subscribe()
        n = 100
        tasks = [self.aiod.submit("true") for _ in range(n)]
        done = [t["id"] for t in self.aiod.call("wait", ids=tasks)["done"]]
        told = events.until("state", id=done[-1], state="DONE")
        seen = {task: [] for task in tasks}
        for event in told:
            seen[event["id"]].append((event["was"], event["state"]))
        self.assertEqual({tuple(states) for states in seen.values()},
                         {((None, "PENDING"), ("PENDING", "RUNNING"), ("RUNNING", "DONE"))})
        self.assertEqual([e["id"] for e in told if e["state"] == "DONE"], done)
        self.assertEqual([e["id"] for e in told if e["was"] is None], tasks)
        times = [e["time"] for e in told]
        self.assertEqual(times, sorted(times))

    def test_groups(self):
        events = self.subscribe()
        made = self.aiod.call("group", name="new", new=True, slots=2)
        self.assertEqual(events.expect("group")["group"], made)
        self.aiod.call("group", name="new")  # only asks
        paused = self.aiod.call("group", name="new", paused=True)
        self.assertEqual(events.expect("group")["group"], paused)
        gone = self.aiod.call("group", name="new", remove=True)
        self.assertEqual(events.expect("group")["group"], gone)
        self.assertEqual(gone["removed"], True)
        self.aiod.configure("[group default]\nslots = 5\n[group more]\nslots = 1\n")
        self.aiod.process.send_signal(signal.SIGHUP)
        told = {e["name"]: e for e in (events.expect("group")["group"] for _ in range(3))}
        self.assertEqual((told["default"]["slots"], told["more"]["from"]), (5, "file"))
        self.assertEqual(told["other"]["removed"], True)

    def test_of_one_group(self):
        events = self.subscribe(group="other")
        both = [self.aiod.submit("true"), self.aiod.submit("true", group="other")]
        self.aiod.call("wait", ids=both)
        self.life(events, both[1], "PENDING", "RUNNING", "DONE")
        self.aiod.call("group", name="default", slots=9)
        self.aiod.call("remove", ids=both)
        events.expect("removed", id=both[1])
        self.aiod.call("group", name="other", slots=9)
        events.expect("group")

    def test_of_some_tasks(self):
        self.aiod.call("group", name="default", paused=True)
        tasks = [self.aiod.submit("true", name=f"t{n}") for n in range(4)]
        done = self.aiod.call("submit", function="sleep", args=[0])["id"]
        self.aiod.wait_for(done)
        events = self.subscribe(ids=[tasks[2], "t0", done])
        self.aiod.call("group", name="default", paused=False)  # no event of this one
        self.aiod.call("wait", ids=tasks)
        self.aiod.call("remove", ids=[*tasks, done])
        told = [(e["what"], e["id"], e.get("state")) for e in events.until("removed", id=done)]
        self.assertEqual(told[-3:], [("removed", task, None) for task in (tasks[0], tasks[2], done)])
        for task in (tasks[0], tasks[2]):  # a slot is free before the outcome is on disk
            self.assertEqual([e for e in told[:-3] if e[1] == task],
                             [("state", task, "RUNNING"), ("state", task, "DONE")])
        self.assertEqual(len(told), 7)

    def test_of_all_where_there_are_none(self):
        watch = Subscriber(self.aiod, ids="all")
        other = Subscriber(self.aiod)
        task = self.aiod.submit("true")
        other.until("state", id=task, state="DONE")
        watch.rpc.send("cancel", ids=["1-2"])
        self.assertEqual(watch.rpc.read()[0], 1)  # the answer; no event came before it

    def test_refused(self):
        self.assertRpcError("not-found", "events", ids=[7])
        self.assertRpcError("not-found", "events", ids=["nobody"])
        for fields in ({"ids": True}, {"group": 1}, {"since": "x"}):
            self.assertRpcError("invalid", "events", **fields)

    def test_two_on_one_connection(self):
        with self.aiod.connect() as rpc:
            requests = [rpc.send("events"), rpc.send("events", group="other")]
            task = rpc.call("submit", args={"argv": ["true"]})["id"]
            rpc.call("await", id=task)
            rpc.call("hello")
            told = [(m[2][0]["request"], m[2][0]["what"]) for m in rpc.notifications]
            self.assertEqual(told, [(requests[0], "ready"), (requests[1], "ready")]
                             + [(requests[0], "state")] * 3)

    def test_who_leaves_is_forgotten(self):
        for _ in range(20):
            with self.aiod.connect() as rpc:
                rpc.send("events")
                rpc.read()
        until("they are gone", lambda: self.aiod.call("health")["connections"] == 1)
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")

    def test_stopping(self):
        task = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(task, "RUNNING")
        events = self.subscribe()
        self.assertEqual(self.aiod.stop(), 0)
        with self.assertRaises(RpcError) as caught:  # and no event before it
            events.next()
        self.assertEqual(caught.exception.word, "stopping")
        self.assertIsNone(events.rpc.read())
        self.aiod.start()
        events = self.subscribe()  # what was there before is not new
        self.aiod.call("cancel", ids=[task], kill=True)
        self.assertEqual(events.until("state", state="DONE")[-1]["id"], task)


class Slow(EventsTest):
    """A client that does not read: 1 MiB waits for it, then events are counted."""

    def flood(self, rpc, n):
        """n tasks with three events each, of about 1.3 KiB in all."""
        for begin in range(0, n, 500):
            rpc.sock.sendall(b"".join(
                msgpack.packb([0, i, "submit", [{"function": "sleep", "args": [0], "name": "x" * 64}]])
                for i in range(min(500, n - begin))))
            for i in range(min(500, n - begin)):
                rpc.answer(i)
            rpc.call("wait")

    def test_lost_are_counted(self):
        n = 1500
        slow, quick = self.subscribe(), self.subscribe()
        with self.aiod.connect() as rpc:
            told = []
            for _ in range(0, n, 500):  # the quick one reads on
                self.flood(rpc, 500)
                while sum(e.get("state") == "DONE" for e in told) < 500 * (len(told) // 1500 + 1):
                    told.append(quick.next())
                    if len(told) % 1500 == 0:
                        break
            self.assertEqual(len(told), 3 * n)
            self.assertEqual({e["what"] for e in told}, {"state"})
            last = rpc.call("submit", function="sleep", args=[0], name="end")["id"]
            rpc.call("await", id=last)
        seen, lost = [], 0
        while True:
            event = slow.next()
            if event["what"] == "lost":
                lost += event["count"]
                self.assertGreater(event["count"], 0)
                break
            seen.append(event)
        self.assertEqual(seen, [dict(e, request=slow.request) for e in told[:len(seen)]])
        # from here on it is told again, the sum is right
        task = self.aiod.call("submit", function="sleep", args=[0], name="after")["id"]
        rest = []
        while not rest or (rest[-1].get("id"), rest[-1].get("state")) != (task, "DONE"):
            rest.append(slow.next())
            lost += rest[-1].get("count", 0)
        rest = [e for e in rest if e["what"] != "lost"]
        self.assertEqual(len(seen) + lost + len(rest), 3 * (n + 2))
        self.assertEqual([e["state"] for e in rest if e["id"] == task], ["PENDING", "SUSPENDED", "DONE"])

    def test_memory_is_bounded(self):
        slow = [self.subscribe() for _ in range(4)]
        with self.aiod.connect() as rpc:
            self.flood(rpc, 1000)  # what it takes itself
            before = rpc.call("health")["rss_kib"]
            self.flood(rpc, 4000)
            grown = rpc.call("health")["rss_kib"] - before
            if not SANITIZED:
                self.assertLess(grown, 16 * 1024)
            self.assertEqual(rpc.call("health")["connections"], 1 + len(slow))


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(UsersTest):
    config = "[control]\nsocket-mode = 0666\n"

    def test_see_their_own(self):
        other = self.other()
        every = Subscriber(self.aiod)
        self.addCleanup(every.rpc.close)
        mine = self.aiod.submit("true")
        theirs = other.call("submit", args={"argv": ["true"]})["id"]
        self.aiod.call("wait", ids=[mine])
        self.aiod.call("wait", ids=[theirs])
        self.assertEqual({e["id"] for e in every.until("state", id=theirs, state="DONE")},
                         {mine, theirs})
        self.refused("not-found", other, "events", ids=[mine])

    def test_nothing_of_others(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with subprocess.Popen([sys.executable, "-c", WATCHER, self.aiod.socket, here, str(NOBODY)],
                              stdout=subprocess.PIPE, text=True) as watcher:
            told = iter(lambda: json.loads(watcher.stdout.readline()), None)
            self.assertEqual(next(told)["what"], "ready")
            for _ in range(3):
                self.aiod.wait_for(self.aiod.submit("true"))
            self.aiod.call("remove", ids=["1-3"])
            self.aiod.call("group", name="default", slots=9)
            self.assertEqual(next(told)["what"], "group")
            self.aiod.stop()
            self.assertEqual(next(told), "stopping")


if __name__ == "__main__":
    unittest.main()

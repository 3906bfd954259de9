# SPDX-License-Identifier: MIT
"""aioctl events: what the times of tasks tell, what follows with -f, and that nothing is missing and
nothing told twice, whatever becomes of the daemon."""
import collections
import json
import os
import re
import selectors
import signal
import subprocess
import time
import unittest

from harness import AIOCTL, TIMEOUT, Gate, InstanceTest


class Follower:
    """A running `aioctl events -f -o jsonl`."""

    def __init__(self, aiod, *args, stderr=subprocess.DEVNULL):
        env = dict(aiod.env, AIOD_SOCKET=aiod.socket, TZ="UTC")
        self.process = subprocess.Popen([AIOCTL, "events", "-f", "-o", "jsonl", *args], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=stderr)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.events = []
        self.left = b""

    def read(self):
        """Takes in what comes next."""
        if not self.selector.select(TIMEOUT):
            raise AssertionError(f"no event in {TIMEOUT} s; so far {self.brief()}")
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            raise AssertionError(f"it ended with {self.process.wait()}; so far {self.brief()}")
        *lines, self.left = (self.left + data).split(b"\n")
        self.events += [json.loads(line) for line in lines]

    def until(self, condition):
        while not condition():
            self.read()

    def until_event(self, **fields):
        def found():
            return [e for e in self.events if fields.items() <= e.items()]
        self.until(found)
        return found()[0]

    def brief(self):
        return [(e["what"], e.get("id"), e.get("state")) for e in self.events]

    def close(self):
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()
        self.selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class EventsTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def events(self, *args, check=0):
        return self.aiod.aioctl("events", *args, check=check).stdout

    def lines(self, *args):
        """(id, change) of each line."""
        found = []
        for line in self.events(*args).splitlines():
            match = re.match(r"[0-9:.]{12} +([0-9]+)  (.+?)(  .*)?\Z", line)
            found.append((int(match.group(1)), match.group(2)))
        return found


class Past(EventsTest):
    def setUp(self):
        """1 ok, 2 failed, 3 cancelled before it started, 4 SUSPENDED, 5 PENDING."""
        super().setUp()
        for args in (["true"], ["false"]):
            self.aiod.wait_for(self.aiod.submit(*args))
        self.aiod.call("submit", args={"argv": ["true"]}, **{"in": 1000})
        self.aiod.aioctl("cancel", "3", check=0)
        self.aiod.wait_for(3)
        self.aiod.call("submit", function="sleep", args=[1000], name="nap")
        self.aiod.until_state(4, "SUSPENDED")
        self.aiod.call("submit", args={"argv": ["true"]}, group="one", **{"in": 1000})

    all = [(1, "PENDING"), (1, "PENDING → RUNNING"), (1, "RUNNING → DONE ok"), (2, "PENDING"),
           (2, "PENDING → RUNNING"), (2, "RUNNING → DONE failed"), (3, "PENDING"),
           (3, "asked to end"), (3, "PENDING → DONE cancelled"), (4, "PENDING"),
           (4, "PENDING → SUSPENDED"), (5, "PENDING")]

    def test_all(self):
        self.assertEqual(self.lines(), self.all)
        self.assertEqual(self.lines("-n", "100"), self.all)
        self.assertEqual(self.lines("--since", "1h"), self.all)
        self.assertEqual(self.lines("--since", "today")[-1], self.all[-1])
        self.assertEqual(self.lines("1-9"), self.all)

    def test_some(self):
        self.assertEqual(self.lines("-n", "3"), self.all[-3:])
        self.assertEqual(self.lines("-n", "0"), [])
        self.assertEqual(self.lines("-g", "one"), self.all[-1:])
        self.assertEqual(self.lines("2", "nap"), self.all[3:6] + self.all[9:11])
        self.assertEqual(self.lines("-n", "1", "2"), self.all[5:6])
        ended = self.aiod.call("task", id=2)["ended"]
        self.assertEqual(self.lines("--since", ended), self.all[5:])

    def test_words(self):
        line = self.events("-n", "1", "2").rstrip("\n")
        self.assertRegex(line, r"\A[0-9:.]{12}      2  RUNNING → DONE failed {5}exit 1 {8}  false\Z")
        pid = self.aiod.call("task", id=1)["pid"]
        self.assertIn(f"PENDING → RUNNING         process {pid}", self.events("1"))

    def test_json(self):
        events = json.loads(self.events("-o", "json"))
        self.assertEqual([e["id"] for e in events], [e[0] for e in self.all])
        lines = [json.loads(line) for line in self.events("-o", "jsonl").splitlines()]
        self.assertEqual(lines, events)
        first, third = events[0], events[2]
        self.assertEqual(list(first), ["time", "what", "id", "state", "was", "past", "task"])
        self.assertEqual((first["what"], first["state"], first["was"], first["past"]),
                         ("state", "PENDING", None, True))
        self.assertEqual(first["time"], first["task"]["submitted"])
        self.assertEqual((third["state"], third["was"], third["time"]),
                         ("DONE", "RUNNING", third["task"]["ended"]))
        cancel = events[7]
        self.assertEqual((cancel["what"], cancel["time"]),
                         ("cancel", cancel["task"]["cancel"]["at"]))
        self.assertEqual(json.loads(self.events("-o", "json", "-n", "0")), [])

    def test_nothing(self):
        self.assertIn("there is no group nope",
                      self.aiod.aioctl("events", "-g", "nope", check=3).stderr)
        self.aiod.aioctl("events", "99", check=3)
        self.aiod.aioctl("events", "-f", "99", check=3)
        self.aiod.aioctl("events", "-f", "-g", "nope", check=3)
        self.aiod.aioctl("events", "-f", "-o", "json", check=2)
        self.aiod.aioctl("events", "--since", "soon", check=2)

    def test_text_from_tasks_is_escaped(self):
        self.aiod.wait_for(self.aiod.submit("sh", "-c", "echo '\x1b]0;x\x07' >&2; exit 1"))
        for args in ([], ["-o", "jsonl"]):
            self.assertNotIn("\x1b", self.events(*args))


class Follow(EventsTest):
    def test_as_it_happens(self):
        before = self.aiod.submit("true")
        self.aiod.wait_for(before)
        with Follower(self.aiod) as follower:
            follower.until_event(id=before, state="DONE", past=True)
            gate = Gate(self.aiod.root)
            task = self.aiod.submit("sh", "-c", gate.command)
            self.assertIsNone(follower.until_event(id=task, state="PENDING")["was"])
            running = follower.until_event(id=task, state="RUNNING", was="PENDING")
            self.assertNotIn("past", running)
            self.assertEqual(running["task"]["state"], "RUNNING")
            gate.open()
            done = follower.until_event(id=task, state="DONE", was="RUNNING")
            self.assertEqual(done["task"]["outcome"], "failed")
            self.aiod.aioctl("group", "set", "one", "--slots", "3", check=0)
            self.assertEqual(follower.until_event(what="group")["group"]["slots"], 3)
            self.aiod.aioctl("rm", str(task), check=0)
            follower.until_event(what="removed", id=task)
            self.assertEqual([e["time"] for e in follower.events],
                             sorted(e["time"] for e in follower.events))

    def test_a_cancel_is_told(self):
        task = self.aiod.submit("sleep", "1000")
        self.aiod.until_state(task, "RUNNING")
        with Follower(self.aiod, "-n", "1") as follower:
            follower.until_event(id=task, state="RUNNING")
            self.aiod.call("cancel", ids=[task])
            follower.until_event(id=task, state="DONE")
            self.assertEqual([e["what"] for e in follower.events], ["state", "cancel", "state"])

    def test_nothing_of_before(self):
        self.aiod.wait_for(self.aiod.submit("true"))
        with Follower(self.aiod, "-n", "0") as follower:
            # whatever comes first is not of task 1
            for _ in range(20):
                self.aiod.wait_for(self.aiod.submit("true"))
            follower.until(lambda: follower.events)
            self.assertNotEqual(follower.events[0]["id"], 1)

    def test_some_tasks(self):
        first = self.aiod.submit("sleep", "1000")
        with Follower(self.aiod, "last") as follower:
            follower.until_event(id=first, state="RUNNING")
            other = self.aiod.submit("true")
            self.aiod.wait_for(other)
            self.aiod.call("cancel", ids=[first])
            follower.until_event(id=first, state="DONE")
            self.assertEqual({e["id"] for e in follower.events}, {first})

    def test_a_group(self):
        with Follower(self.aiod, "-g", "one") as follower:
            self.aiod.wait_for(self.aiod.submit("true"))
            task = self.aiod.submit("true", group="one")
            follower.until_event(id=task, state="DONE")
            self.assertEqual({e["id"] for e in follower.events}, {task})

    def test_lines(self):
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, TZ="UTC")
        process = subprocess.Popen([AIOCTL, "events", "-f"], env=env, stdout=subprocess.PIPE,
                                   text=True, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.aiod.aioctl("group", "pause", "one", check=0)
        task = self.aiod.submit("true", "a\x1b", group="one")
        lines = []
        while not any(f" {task}  PENDING" in line for line in lines):
            lines.append(process.stdout.readline())
        self.assertRegex(lines[-1], rf" {task}  PENDING {{17}}  (the [a-z]+|slot of one, paused) +"
                                    rf"true a\\e\n\Z")

    def test_no_reader(self):
        with Follower(self.aiod) as follower:
            self.aiod.submit("true")
            follower.until_event(id=1, state="PENDING")
            follower.selector.unregister(follower.process.stdout)
            follower.process.stdout.close()
            self.aiod.submit("true")
            self.assertEqual(follower.process.wait(TIMEOUT), -signal.SIGPIPE)


class Whole(EventsTest):
    """Each task was submitted, started and ended exactly once, whatever happened."""

    def check_whole(self, follower, tasks):
        told = collections.Counter((e["id"], e["state"]) for e in follower.events
                                   if e["what"] == "state")
        states = ("PENDING", "RUNNING", "DONE")
        wanted = collections.Counter((task, state) for task in tasks for state in states)
        self.assertEqual((told - wanted, wanted - told), ({}, {}))  # too much, too little
        for task in tasks:
            self.assertEqual([e["state"] for e in follower.events if e.get("id") == task],
                             list(states))

    def test_across_restarts(self):
        with Follower(self.aiod) as follower:
            tasks = [self.aiod.submit("true")]
            follower.until_event(id=tasks[0], state="DONE")
            gate = Gate(self.aiod.root)
            held = self.aiod.submit("sh", "-c", gate.command)
            follower.until_event(id=held, state="RUNNING")
            waiting = self.aiod.submit("true", group="one", **{"in": 0.01})
            tasks += [held, waiting]
            self.aiod.kill()
            gate.open()  # it ends while nobody looks
            self.aiod.start()
            tasks += [self.aiod.submit("true") for _ in range(10)]
            for task in tasks:
                follower.until_event(id=task, state="DONE")
            self.check_whole(follower, tasks)

    def test_killed_under_load(self):
        tasks = []
        with Follower(self.aiod) as follower:
            for _ in range(3):
                with self.aiod.connect() as rpc:
                    for _ in range(60):
                        tasks.append(rpc.call("submit", args={"argv": ["true"]})["id"])
                    rpc.call("await", id=tasks[-40], timeout=TIMEOUT)
                self.aiod.kill()
                self.aiod.start()
            tasks.append(self.aiod.submit("true"))
            for task in tasks:
                follower.until_event(id=task, state="DONE")
            self.check_whole(follower, tasks)

    def test_an_orderly_restart(self):
        with Follower(self.aiod) as follower:
            follower.until_event(id=self.aiod.submit("true"), state="DONE")
            self.aiod.stop()
            self.aiod.start()
            follower.until_event(id=self.aiod.submit("true"), state="DONE")
            self.check_whole(follower, [1, 2])

    def test_gone_for_good(self):
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOD_RECONNECT="50ms")
        process = subprocess.Popen([AIOCTL, "events", "-f", "-n", "1"], env=env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.aiod.submit("true")
        process.stdout.readline()
        self.aiod.kill()
        _, said = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 4)
        self.assertIn("did not come back", said)
        self.aiod.start()

    def test_a_reader_that_stands_still(self):
        """aiod keeps so much for it and no more; what it leaves out is told from the times."""
        self.aiod.aioctl("group", "pause", "one", check=0)
        with Follower(self.aiod, "-g", "one") as follower:
            first = self.aiod.submit("true", group="one")
            follower.until_event(id=first, state="PENDING")
            follower.process.send_signal(signal.SIGSTOP)
            argv = {"argv": ["true", "x" * 60]}
            with self.aiod.connect() as rpc:
                sent = [rpc.send("submit", args=argv, group="one") for _ in range(6000)]
                tasks = [rpc.answer(msgid)["id"] for msgid in sent]
            follower.process.send_signal(signal.SIGCONT)
            last = self.aiod.submit("true", group="one")
            wanted = {first, last, *tasks}
            follower.until(lambda: len([e for e in follower.events if e["what"] == "state"])
                           >= len(wanted))
            self.assertGreater(follower.until_event(what="lost")["count"], 0)
            self.assertEqual(
                collections.Counter(e["id"] for e in follower.events if e["what"] == "state"),
                {task: 1 for task in wanted})


if __name__ == "__main__":
    unittest.main()

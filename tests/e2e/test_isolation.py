# SPDX-License-Identifier: MIT
"""No request about another user's tasks does anything or reveals anything: every method, every way
to name a task. Whatever bob receives in a test, no byte of alice's secrets is in it."""
import os
import re
import unittest

from others import ALICE, BOB, MARK, UsersTest, both, methods_of_the_protocol, until

# What a method needs besides `id` or `ids`.
BY_ID = {"task": {}, "await": {"timeout": 0.01}, "result": {}, "logs": {}}
BY_IDS = {"status": {}, "wait": {"timeout": 0.01}, "cancel": {}, "remove": {}, "retry": {}}
EVENTS = {"events"}
WITHOUT = {"hello", "functions", "groups", "group", "health", "submit"}
NEVER = 1 << 40  # an id that there never was


def neutral(message, selector):
    """A sentence without the selector that it names."""
    return message.replace(str(selector), "X")


class Methods(UsersTest):
    def setUp(self):
        super().setUp()
        self.alice, self.bob = self.peer(ALICE), self.peer(BOB)
        home = self.home(f"home-{MARK}", ALICE)
        args = {"env": [f"SECRET={MARK}", "PATH=/usr/bin:/bin"], "cwd": home}
        done = self.alice.submit("echo", MARK, args=args, name=f"done-{MARK}")
        failed = self.alice.submit(f"/{MARK}", args=args, name=f"failed-{MARK}")
        self.live = self.alice.submit("sh", "-c", f"echo {MARK}; exec sleep 1000", args=args,
                                      name=f"live-{MARK}")
        later = self.alice.submit("echo", MARK, args=args, name=f"later-{MARK}", **{"in": 1000})
        sleeper = self.alice.call("submit", function="sleep", args=[1000], name=f"sleep-{MARK}")["id"]
        for task in (done, failed):
            self.alice.call("await", id=task)
        until("it runs", lambda: self.alice.call("status", ids=[self.live])["tasks"][0]["state"]
              == "RUNNING")
        self.tasks = [done, failed, self.live, later, sleeper]
        self.names = [f"{name}-{MARK}" for name in ("done", "failed", "live", "later", "sleep")]
        self.before = self.seen_by_alice()

    def tearDown(self):
        self.assertNotIn(MARK.encode(), self.bob.received)

    def seen_by_alice(self):
        """Her tasks, without what changes by itself."""
        tasks = self.alice.call("status", ids=self.tasks)["tasks"]
        return [{k: v for k, v in t.items() if k != "loop"} for t in tasks]

    def test_every_method_is_here(self):
        tested = set(BY_ID) | set(BY_IDS) | EVENTS | WITHOUT
        self.assertEqual(tested, methods_of_the_protocol())

    def refused_as_if_never_there(self, method, key, wrap, params):
        for selector in self.tasks + [str(task) for task in self.tasks] + self.names:
            never = NEVER if re.fullmatch(r"\d+", str(selector)) else "never-" + MARK
            word, message = self.refused(self.bob, method, **{key: wrap(selector)}, **params)
            self.bob.received = self.bob.received.replace(str(selector).encode(), b"")  # his own words
            _, expected = self.refused(self.bob, method, **{key: wrap(never)}, **params)
            self.bob.received = self.bob.received.replace(str(never).encode(), b"")
            self.assertEqual(word, "not-found", (method, selector, message))
            self.assertEqual(neutral(message, selector), neutral(expected, never))

    def test_ids_and_names(self):
        """As if there were no such task: the same word, the same sentence."""
        for method, params in BY_ID.items():
            self.refused_as_if_never_there(method, "id", lambda s: s, params)
        for method, params in BY_IDS.items():
            self.refused_as_if_never_there(method, "ids", lambda s: [s], params)
        self.assertEqual(self.seen_by_alice(), self.before)

    def test_last(self):
        for method, params in BY_ID.items():
            self.assertEqual(self.refused(self.bob, method, id="last", **params)[0], "not-found")
        for method, params in BY_IDS.items():
            self.assertEqual(self.refused(self.bob, method, ids=["last"], **params)[0], "not-found")
        self.assertEqual(self.seen_by_alice(), self.before)

    def test_ranges_and_all(self):
        """They mean one's own tasks, of which there are none."""
        for selector in ("all", f"{min(self.tasks)}-{max(self.tasks)}", "1-1000"):
            status = self.bob.call("status", ids=[selector])
            self.assertEqual(status["tasks"], [])
            for method in ("cancel", "remove", "retry"):
                self.assertEqual(self.bob.call(method, ids=[selector]), [])
            waited = self.bob.call("wait", ids=[selector], timeout=0.01)
            self.assertEqual((waited["done"], waited["rest"], waited["pending"]), ([], [], []))
        self.assertEqual(self.seen_by_alice(), self.before)

    def test_with_ones_own(self):
        """A range with bob's own task in it is that task alone."""
        own = self.bob.submit("sleep", "1000")
        for selector in ("all", f"1-{own}"):
            self.assertEqual([t["id"] for t in self.bob.call("status", ids=[selector])["tasks"]],
                             [own])
            self.assertEqual(self.bob.call("wait", ids=[selector], timeout=0.01)["pending"], [own])
        for selector in self.tasks:
            for method, params in BY_IDS.items():
                with_own = [self.bob.submit("true"), selector]
                word, _ = self.refused(self.bob, method, ids=with_own, **params)
                self.assertEqual(word, "not-found", method)
        self.bob.call("wait", ids=[f"{own + 1}-{NEVER}"])
        self.bob.call("remove", ids=[f"{own + 1}-{NEVER}"])
        self.bob.call("cancel", ids=["all"], kill=True)
        self.assertEqual(self.bob.call("await", id=own)["outcome"], "cancelled")
        again = self.bob.call("retry", ids=[f"1-{own}"])
        self.assertEqual([row["id"] for row in again], [own])
        self.bob.call("cancel", ids=["all"], kill=True)
        self.bob.call("wait")
        removed = self.bob.call("remove", ids=[f"1-{again[0]['new']}"])
        self.assertEqual({row["id"] for row in removed}, {own, again[0]["new"]})
        self.assertEqual(self.seen_by_alice(), self.before)

    def test_lists_and_counts(self):
        filters = [{}, {"states": ["RUNNING"]}, {"states": ["DONE"]}, {"group": "default"},
                   {"order": "asc", "states": ["PENDING", "RUNNING", "SUSPENDED"]},
                   {"outcomes": ["failed"]}, {"name": f"live-{MARK}"}, {"name": f"done-{MARK}"},
                   {"since": "2000-01-01T00:00:00Z"}, {"from": NEVER}]
        for fields in filters:
            status = self.bob.call("status", **fields)
            self.assertEqual((status["tasks"], status["next"]), ([], None), fields)
            self.assertEqual(set(status["counts"].values()), {0}, fields)
        self.assertEqual(set(self.bob.call("health")["tasks"].values()), {0})

    def test_what_there_is(self):
        """Nothing of a task is in what everybody may ask."""
        hello = self.bob.call("hello", errors="map")
        self.assertEqual((hello["uid"], hello["system"]), (BOB, True))
        for method in ("functions", "groups", "health"):
            self.bob.call(method)
        self.assertIn("default", [g["name"] for g in self.bob.call("groups")])

    def test_groups_are_roots_and_the_owners(self):
        for fields in ({"slots": 1}, {"paused": True}, {"remove": True}, {"new": True, "slots": 5}):
            word, _ = self.refused(self.bob, "group", name="default", **fields)
            self.assertEqual(word, "denied", fields)
        self.assertEqual(self.refused(self.bob, "group", name="mine", new=True, slots=1)[0], "denied")
        self.assertEqual([(g["name"], g["paused"]) for g in self.bob.call("groups")],
                         [("default", False)])

    def test_ones_place_in_the_line(self):
        """What a task of bob's awaits is a group and a number, whoever stands before it."""
        self.aiod.call("group", name="default", slots=1)
        for _ in range(3):
            self.alice.submit("echo", MARK, name=f"more-{MARK}")
        own = self.bob.submit("true")
        for task in (self.bob.call("task", id=own), self.bob.call("status")["tasks"][0]):
            self.assertEqual(set(task["awaits"]) - {"paused"}, {"kind", "group", "position"})
        self.assertEqual(self.bob.call("status")["counts"]["pending"], 1)

    def test_the_environment_is_shown_to_its_user_alone(self):
        self.assertIn(f"SECRET={MARK}", self.alice.call("task", id=self.live, env=True)["env"])
        self.refused(self.bob, "task", id=self.live, env=True)

    def test_a_task_of_before_the_restart(self):
        """What is only on disk by now, and what was found again."""
        self.aiod.stop()
        self.aiod.start()
        self.alice, self.bob = self.peer(ALICE), self.peer(BOB)
        until("it is known again", lambda: self.alice.call("status", ids=[self.live])["tasks"][0]
              ["state"] == "RUNNING")
        self.test_ids_and_names()
        self.bob.received = self.bob.received.replace(MARK.encode(), b"")
        self.test_ranges_and_all()

    def test_retry_stays_the_users(self):
        """Root may retry bob's task: it runs as bob, with his groups."""
        bob = self.peer(BOB, groups=[BOB, 4300])
        end, output = bob.run("id")
        expected = f"uid={BOB} gid={BOB} groups={BOB},4300\n".encode()
        self.assertEqual(output, expected)
        new = self.aiod.call("retry", ids=[end["id"]])[0]["new"]
        self.aiod.wait_for(new)
        self.assertEqual(bob.logs(new), expected)
        self.assertEqual(self.refused(self.alice, "retry", ids=[new])[0], "not-found")


class Events(UsersTest):
    def test_ones_own_alone(self):
        alice, bob, watch = self.peer(ALICE), self.peer(BOB), self.peer(BOB)
        watch.send("events")
        self.assertEqual(watch.read()["what"], "ready")
        done = alice.submit("echo", MARK, name=f"done-{MARK}")
        alice.call("await", id=done)
        live = alice.submit("sleep", "1000", name=f"live-{MARK}")
        alice.call("cancel", ids=[live])
        alice.call("await", id=live)
        alice.call("retry", ids=[done])
        alice.call("wait")
        alice.call("remove", ids=[done])
        own = bob.submit("true", name="mine")
        bob.call("await", id=own)
        bob.call("remove", ids=[own])
        seen = []
        while not seen or seen[-1]["what"] != "removed":
            seen.append(watch.read())
        self.assertEqual({e["id"] for e in seen if e["what"] in ("state", "removed")}, {own})
        self.assertEqual({e["what"] for e in seen} - {"group"}, {"state", "removed"})
        self.assertNotIn(MARK.encode(), watch.received)

    def test_of_a_task_that_is_anothers(self):
        alice, bob = self.peer(ALICE), self.peer(BOB)
        live = alice.submit("sleep", "1000", name=f"live-{MARK}")
        word, message = self.refused(bob, "events", ids=[live])
        self.assertEqual(word, "not-found")
        _, expected = self.refused(bob, "events", ids=[NEVER])
        self.assertEqual(neutral(message, live), neutral(expected, NEVER))
        self.assertNotIn(MARK.encode(), bob.received)


class Spawner(UsersTest):
    def test_its_socket_is_closed_to_users(self):
        """Who could speak to the spawner could be anybody."""
        bob = self.peer(BOB)
        path = getattr(self.aiod, "spawner_socket", os.path.join(self.aiod.state, "spawner.sock"))
        code = ("import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
                "try:\n s.connect(sys.argv[1])\nexcept OSError as e: print(e.errno)\n"
                "else: print('connected')\n")
        _, output = bob.run("/usr/bin/python3", "-c", code, path)
        self.assertEqual(output, b"13\n")

    def test_nobody_is_signalled_by_others(self):
        """What a user may not kill a command of theirs may not either; what they may is theirs."""
        alice, bob = self.peer(ALICE), self.peer(BOB)
        live = alice.submit("sleep", "1000")
        pid = until("it runs", lambda: alice.call("status", ids=[live])["tasks"][0].get("pid"))
        pids = f"{pid} {self.aiod.process.pid} {self.aiod.spawner_pid()}"
        task = bob.submit("sh", "-c", f"for p in {pids}; do kill -9 $p 2>/dev/null && echo $p; done; "
                          "kill -9 -1; exit 3")  # his own client, too
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "failed")
        self.assertEqual(self.aiod.output(task), b"")
        self.assertEqual(self.aiod.call("status", ids=[live])["tasks"][0]["pid"], pid)
        os.kill(pid, 0)


both(Methods, Events, Spawner)

if __name__ == "__main__":
    unittest.main()

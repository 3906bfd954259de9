# SPDX-License-Identifier: MIT
"""When a task begins (in, at), and the functions that are not commands: how arguments reach them
and how long sleep takes."""
import datetime
import time
import unittest

from harness import InstanceTest


def parse(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def at(seconds, zone=datetime.timezone.utc):
    when = datetime.datetime.fromtimestamp(time.time() + seconds, zone)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class When(InstanceTest):
    def test_in(self):
        task = self.aiod.submit("true", **{"in": 0.3})
        waiting = self.aiod.call("status", ids=[task])["tasks"][0]
        self.assertEqual(waiting["state"], "PENDING")
        self.assertEqual(waiting["awaits"]["kind"], "timer")
        until = parse(waiting["awaits"]["until"])
        self.assertAlmostEqual(until, parse(waiting["submitted"]) + 0.3, delta=0.05)
        self.assertNotIn("started", waiting)
        done = self.aiod.wait_for(task)
        self.assertEqual(done["outcome"], "ok")
        self.assertGreaterEqual(parse(done["started"]), until - 0.0015)
        self.assertLess(parse(done["started"]), until + 5)

    def test_in_zero_is_at_once(self):
        for delay in (0, 0.0, 1e-9):
            self.assertEqual(self.aiod.wait_for(self.aiod.submit("true", **{"in": delay}),
                                                timeout=5)["outcome"], "ok")

    def test_at(self):
        when = at(0.3)
        task = self.aiod.submit("true", at=when)
        waiting = self.aiod.call("task", id=task)
        self.assertEqual(waiting["state"], "PENDING")
        self.assertEqual(waiting["awaits"], {"kind": "timer", "until": when})
        self.assertEqual(waiting["due"], when)
        done = self.aiod.wait_for(task)
        self.assertGreaterEqual(done["started"], when)
        self.assertEqual(self.aiod.call("task", id=task)["due"], when)

    def test_at_in_other_zones(self):
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        task = self.aiod.submit("true", at=at(3600, zone))
        until = self.aiod.call("status", ids=[task])["tasks"][0]["awaits"]["until"]
        self.assertAlmostEqual(parse(until), time.time() + 3600, delta=5)
        self.aiod.call("cancel", ids=[task])

    def test_at_in_the_past_is_at_once(self):
        for when in (at(-1), at(-86400 * 400), "1970-01-01T00:00:01Z"):
            done = self.aiod.wait_for(self.aiod.submit("true", at=when), timeout=5)
            self.assertEqual(done["outcome"], "ok")

    def test_wrong_times(self):
        for fields in ({"in": -1}, {"in": "soon"}, {"in": float("nan")}, {"in": float("inf")},
                       {"in": 1e30}):
            self.assertIn('"in"', self.assertRpcError("invalid", "submit",
                                                      args={"argv": ["true"]}, **fields))
        for when in ("", "tomorrow or so", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", 5):
            self.assertIn('"at"', self.assertRpcError("invalid", "submit",
                                                      args={"argv": ["true"]}, at=when))
        message = self.assertRpcError("invalid", "submit", args={"argv": ["true"]}, at=at(9),
                                      **{"in": 3})
        self.assertIn("exclude each other", message)


class Functions(InstanceTest):
    def call_function(self, function, args):
        return self.aiod.call("submit", function=function, args=args)["id"]

    def test_sleep_arguments(self):
        for args in ([0.01], [0], ["0.01"], ["10ms"], {"seconds": 0.01}, {"seconds": "10ms"},
                     {b"seconds": b"0.01"}):
            done = self.aiod.wait_for(self.call_function("sleep", args), timeout=5)
            self.assertEqual(done["outcome"], "ok")
            self.assertEqual(done["function"], "sleep")
            self.assertIsNone(done.get("result"))
            self.assertNotIn("error", done)
            self.assertNotIn("pid", done)

    def test_sleep_takes_its_time(self):
        begin = time.monotonic()
        task = self.call_function("sleep", ["0.4"])
        asleep = self.aiod.until_state(task, "SUSPENDED")
        self.assertEqual(asleep["awaits"]["kind"], "timer")
        until = parse(asleep["awaits"]["until"])
        self.assertAlmostEqual(until, time.time() + 0.4, delta=0.35)
        done = self.aiod.wait_for(task)
        self.assertGreaterEqual(time.monotonic() - begin, 0.4)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertGreaterEqual(parse(done["ended"]) - parse(done["started"]), 0.399)
        self.assertEqual((done["group"], asleep["group"]), ("default", "default"))
        self.assertEqual(done["title"], "sleep 0.4")

    def test_wrong_arguments(self):
        for args in ([], {}, [1, 2], {"seconds": 1, "more": 2}, ["soon"], [-1], ["-1"], [None],
                     [[1]], {"second": 1}, {1: 1}, {"seconds": True}, {"seconds": float("nan")}):
            self.assertRpcError("invalid", "submit", function="sleep", args=args)
        for args in (1, "1", True):
            self.assertIn('"args"', self.assertRpcError("invalid", "submit", function="sleep",
                                                        args=args))
        self.assertEqual(self.aiod.call("status")["tasks"], [])

    def test_exec_with_positional_arguments(self):
        task = self.call_function("exec", ["echo", "one", "two words"])
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.assertEqual(self.aiod.output(task), b"one two words\n")

    def test_unknown_function(self):
        message = self.assertRpcError("not-found", "submit", function="nope", args=[])
        self.assertIn("nope", message)

    def test_functions_lists_them(self):
        functions = {f["name"]: f for f in self.aiod.call("functions")}
        self.assertEqual(sorted(functions), ["exec", "sleep"])
        self.assertTrue(functions["exec"]["slot"])
        self.assertFalse(functions["sleep"]["slot"])
        self.assertEqual([p["name"] for p in functions["exec"]["params"]],
                         ["argv", "cwd", "env", "umask", "stdin", "split", "line"])
        seconds, = functions["sleep"]["params"]
        self.assertEqual((seconds["name"], seconds["type"], seconds["required"], seconds["many"]),
                         ("seconds", "duration", True, False))


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""The states a task goes through and every way a command can end; how many run at once and in
which order they begin."""
import os
import signal
import time
import unittest

from harness import Gate, Instance, InstanceTest, until


class States(InstanceTest):
    def test_running_then_done(self):
        gate = Gate(self.aiod.root)
        task = self.aiod.submit("sh", "-c", f"{gate.command}; exit 0", name="gated")
        running = self.aiod.until_state(task, "RUNNING")
        self.assertEqual(running["awaits"], {"kind": "process", "pid": running["pid"]})
        hold = until("it is at the gate", gate.at)
        with open(f"/proc/{running['pid']}/cmdline", "rb") as f:
            self.assertEqual(f.read().split(b"\0")[:2], [b"sh", b"-c"])
        self.assertEqual((running["done"], running["cancelled"], running["attempt"]),
                         (False, False, 1))
        self.assertNotIn("outcome", running)
        self.assertNotIn("ended", running)
        self.assertEqual(self.aiod.call("status")["counts"],
                         {"pending": 0, "running": 1, "suspended": 0, "ok": 0, "failed": 0,
                          "cancelled": 0})
        os.close(hold)
        done = self.aiod.wait_for(task)
        self.assertEqual((done["state"], done["outcome"], done["done"], done["cancelled"]),
                         ("DONE", "ok", True, False))
        self.assertEqual(done["result"], 0)
        for key in ("id", "name", "function", "title", "uid", "submitted", "started", "pid",
                    "attempt", "group"):
            self.assertEqual(done[key], running[key], key)
        self.assertEqual(done["since"], done["ended"])
        self.assertLessEqual(done["submitted"], done["started"])
        self.assertLessEqual(done["started"], done["ended"])
        self.assertNotIn("awaits", done)
        self.assertEqual(done["uid"], os.getuid())
        self.assertEqual(self.aiod.call("status", ids=[task])["tasks"], [done])
        until("it is reaped", lambda: not os.path.exists(f"/proc/{done['pid']}"))

    def test_sleep_is_suspended(self):
        task = self.aiod.call("submit", function="sleep", args=[1000])["id"]
        asleep = self.aiod.until_state(task, "SUSPENDED")
        self.assertEqual(asleep["awaits"]["kind"], "timer")
        self.assertIn("started", asleep)
        self.assertNotIn("pid", asleep)
        self.assertEqual(self.aiod.call("status")["counts"]["suspended"], 1)
        self.aiod.call("cancel", ids=[task])

    def test_usage(self):
        done = self.aiod.wait_for(self.aiod.submit(
            "python3", "-c", "import time\nx = b'x' * (64 << 20)\nwhile time.process_time() < 0.2:"
            " pass"))
        usage = done["usage"]
        self.assertGreaterEqual(usage["user_s"] + usage["system_s"], 0.19)
        self.assertLess(usage["user_s"] + usage["system_s"], 5)
        self.assertGreaterEqual(usage["maxrss_kib"], 64 << 10)
        self.assertLess(usage["maxrss_kib"], 256 << 10)
        self.assertGreaterEqual(usage["steps"], 4)
        self.assertGreaterEqual(usage["run_us"], usage["longest_us"])
        self.assertNotIn("loop", done)

    def test_detail(self):
        task = self.aiod.submit("sh", "-c", "seq 9; printf end", name="detail")
        self.aiod.wait_for(task)
        detail = self.aiod.call("task", id="detail")
        self.assertEqual(detail["tail"], "6\n7\n8\n9\nend")
        self.assertEqual(detail["client_pid"], os.getpid())
        self.assertEqual(detail["args"], {"argv": ["sh", "-c", "seq 9; printf end"], "cwd": "/",
                                          "umask": 0o22})
        self.assertEqual(self.aiod.call("result", id=task), detail)


class Ends(InstanceTest):
    def end(self, *argv, **fields):
        done = self.aiod.wait_for(self.aiod.submit(*argv, **fields))
        self.assertEqual((done["state"], done["outcome"], done["done"]), ("DONE", "failed", True))
        self.assertNotIn("result", done)
        return done["error"]

    def test_exit_statuses(self):
        for status in (1, 2, 77, 125, 126, 127, 128, 255):
            self.assertEqual(self.end("sh", "-c", f"exit {status}"),
                             {"type": "ExitStatus", "message": f"exit {status}", "exit": status})

    def test_last_line_says_why(self):
        error = self.end("sh", "-c", "echo first; echo; echo 'no such disk  ' >&2; exit 4")
        self.assertEqual(error["message"], "exit 4: no such disk")
        error = self.end("sh", "-c", "echo out; echo why >&2; echo more; exit 4",
                         args={"split": True})
        self.assertEqual(error["message"], "exit 4: why")
        error = self.end("sh", "-c", r"printf 'a\033[31mred\377\n'; exit 4")
        self.assertEqual(error["exit"], 4)
        self.assertIsInstance(error["message"], str)

    def test_signals(self):
        for name in ("TERM", "KILL", "INT", "HUP", "SEGV", "USR1", "PIPE"):
            number = getattr(signal, "SIG" + name)
            self.assertEqual(self.end("sh", "-c", f"kill -{name} $$"),
                             {"type": "Signal", "message": f"killed by SIG{name}",
                              "signal": int(number)})

    def test_no_such_command(self):
        error = self.end("no-such-command-here", "arg")
        self.assertEqual((error["type"], error["exit"]), ("OSError", 127))
        self.assertIn("no-such-command-here", error["message"])
        error = self.end("/no/such/path")
        self.assertEqual((error["type"], error["exit"]), ("OSError", 127))
        self.assertIn("/no/such/path", error["message"])

    def test_not_executable(self):
        path = os.path.join(self.aiod.root, "plain")
        with open(path, "w", encoding="ascii") as f:
            f.write("hello\n")
        os.chmod(path, 0o644)
        for argv0 in (path, self.aiod.root):
            error = self.end(argv0)
            self.assertEqual((error["type"], error["exit"]), ("OSError", 126))
            self.assertIn(argv0, error["message"])

    def test_missing_interpreter(self):
        path = os.path.join(self.aiod.root, "script")
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/no/such/interpreter\n")
        os.chmod(path, 0o755)
        error = self.end(path)
        self.assertEqual(error["type"], "OSError")
        self.assertIn(error["exit"], (126, 127))
        self.assertIn(path, error["message"])

    def test_cwd_gone(self):
        gone = os.path.join(self.aiod.root, "gone")
        error = self.end("true", args={"cwd": gone})
        self.assertEqual((error["type"], error["exit"]), ("OSError", 126))
        self.assertIn(gone, error["message"])
        self.assertIn("No such file or directory", error["message"])

    def test_stdin_gone(self):
        gone = os.path.join(self.aiod.root, "no-input")
        error = self.end("cat", args={"stdin": gone})
        self.assertEqual((error["type"], error["exit"]), ("OSError", 126))
        self.assertIn(gone, error["message"])

    def test_one_that_cannot_start_holds_up_nobody(self):
        fifo = os.path.join(self.aiod.root, "fifo")
        os.mkfifo(fifo)
        stuck = self.aiod.submit("cat", args={"stdin": fifo})  # open(2) blocks in its child
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"), timeout=5)["outcome"], "ok")
        self.aiod.call("cancel", ids=[stuck], kill=True)
        self.assertEqual(self.aiod.wait_for(stuck)["outcome"], "cancelled")

    def test_counts(self):
        self.end("false")
        self.aiod.wait_for(self.aiod.submit("true"))
        self.aiod.wait_for(self.aiod.submit("true"))
        task = self.aiod.submit("sleep", "1000")
        self.aiod.call("cancel", ids=[task], kill=True)
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.call("status")["counts"],
                         {"pending": 0, "running": 0, "suspended": 0, "ok": 2, "failed": 1,
                          "cancelled": 1})
        self.assertEqual(self.aiod.call("health")["tasks"], self.aiod.call("status")["counts"])


class Slots(InstanceTest):
    config = ("[group default]\nslots = 3\n[group one]\nslots = 1\n"
              "[commands]\ngrace = 200ms\n")

    def test_never_more_than_slots(self):
        trace = os.path.join(self.aiod.root, "trace")
        line = f"echo + >> {trace}; sleep 0.03; echo - >> {trace}"
        tasks = [self.aiod.submit("sh", "-c", line) for _ in range(40)]
        self.aiod.call("wait", ids=tasks)
        with open(trace, encoding="ascii") as f:
            marks = f.read().split()
        self.assertEqual(len(marks), 80)
        running, most = 0, 0
        for mark in marks:
            running += 1 if mark == "+" else -1
            most = max(most, running)
        self.assertEqual(most, 3)

    def test_first_come_first_served(self):
        trace = os.path.join(self.aiod.root, "trace")
        gate = Gate(self.aiod.root)
        first = self.aiod.submit("sh", "-c", gate.command, group="one")
        self.aiod.until_state(first, "RUNNING")
        tasks = [self.aiod.submit("sh", "-c", f"echo {i} >> {trace}", group="one")
                 for i in range(30)]
        pending = self.aiod.call("status", states=["PENDING"], order="asc")["tasks"]
        self.assertEqual([t["id"] for t in pending], tasks)
        self.assertEqual([t["awaits"] for t in pending],
                         [{"kind": "slot", "group": "one", "position": i + 1} for i in range(30)])
        self.aiod.call("cancel", ids=[tasks[4]])
        pending = self.aiod.call("status", ids=[tasks[3], tasks[5]])["tasks"]
        self.assertEqual([t["awaits"]["position"] for t in pending], [4, 5])
        groups = {g["name"]: g for g in self.aiod.call("groups")}
        self.assertEqual(groups["one"], {"name": "one", "slots": 1, "held": 1, "waiting": 29,
                                         "paused": False, "from": "file"})
        self.assertEqual(groups["default"], {"name": "default", "slots": 3, "held": 0, "waiting": 0,
                                             "paused": False, "from": "file"})
        gate.open()
        done = self.aiod.call("wait", ids=[first, *tasks])["done"]
        self.assertEqual([t["id"] for t in done], [tasks[4], first, *tasks[:4], *tasks[5:]])
        with open(trace, encoding="ascii") as f:
            self.assertEqual([int(i) for i in f], [i for i in range(30) if i != 4])
        for earlier, later in zip(done[1:], done[2:]):
            self.assertLessEqual(earlier["ended"], later["started"])
        groups = {g["name"]: g for g in self.aiod.call("groups")}
        self.assertEqual((groups["one"]["held"], groups["one"]["waiting"]), (0, 0))

    def test_groups_do_not_wait_for_each_other(self):
        gate = Gate(self.aiod.root)
        held = self.aiod.submit("sh", "-c", gate.command, group="one")
        self.aiod.until_state(held, "RUNNING")
        waiting = self.aiod.submit("true", group="one")
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"), timeout=5)["outcome"], "ok")
        self.assertEqual(self.aiod.call("status", ids=[waiting])["tasks"][0]["state"], "PENDING")
        gate.open()
        self.assertEqual([t["id"] for t in self.aiod.call("wait", ids=[waiting, held])["done"]],
                         [held, waiting])

    def test_sleep_needs_no_slot(self):
        gate = Gate(self.aiod.root)
        blockers = [self.aiod.submit("sh", "-c", gate.command) for _ in range(3)]
        task = self.aiod.call("submit", function="sleep", args=[0.01])["id"]
        self.assertEqual(self.aiod.wait_for(task, timeout=5)["outcome"], "ok")
        self.aiod.call("cancel", ids=blockers, kill=True)

    def test_timers_run_together(self):
        begin = time.monotonic()
        two = self.aiod.call("submit", function="sleep", args=[2])["id"]
        one = self.aiod.call("submit", function="sleep", args=[1])["id"]
        self.assertEqual([t["id"] for t in self.aiod.call("wait", ids=[two, one])["done"]],
                         [one, two])
        took = time.monotonic() - begin
        self.assertGreaterEqual(took, 2)
        self.assertLess(took, 2.9)

    def test_commands_run_together(self):
        begin = time.monotonic()
        tasks = [self.aiod.submit("sleep", s) for s in ("1", "2", "1")]
        done = self.aiod.call("wait", ids=tasks)["done"]
        took = time.monotonic() - begin
        self.assertEqual(done[-1]["id"], tasks[1])
        self.assertGreaterEqual(took, 2)
        self.assertLess(took, 2.9)


class DefaultSlots(unittest.TestCase):
    def test_as_documented(self):
        with Instance() as aiod:
            default, = aiod.call("groups")
            self.assertEqual(default["name"], "default")
            self.assertGreaterEqual(default["slots"], 1)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""aiod is stopped or killed, and started again: what runs goes on, what waits keeps its place and
its time, what ended while nobody looked is told, and nothing is forgotten."""
import datetime
import os
import signal
import time
import unittest

from harness import RpcError
from survive import SurviveTest, alive, lines, output, until

HOW = (signal.SIGTERM, signal.SIGKILL)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Running(SurviveTest):
    def check_goes_on(self, how):
        task = self.gated("echo after; echo bad >&2; exit 7")
        pid = self.running(task)
        before = self.task(task)
        self.restart(how)
        self.assertTrue(alive(pid))
        self.assertEqual(self.running(task), pid)
        after = self.task(task)
        for field in ("started", "submitted", "attempt", "pid", "title"):
            self.assertEqual(after[field], before[field], field)
        self.gate.open()
        self.assertEnds(task, "failed", type="ExitStatus", exit=7)
        with self.aiod.connect() as rpc:
            self.assertEqual(output(rpc, task), b"after\nbad\n")

    def test_goes_on_over_a_stop(self):
        self.check_goes_on(signal.SIGTERM)

    def test_goes_on_over_a_kill(self):
        self.check_goes_on(signal.SIGKILL)

    def check_ended_meanwhile(self, how):
        large = self.gated("seq 1 50000")
        tasks = {
            self.gated("echo well; exit 0"): ("ok", {}, b"well\n"),
            self.gated("echo so; exit 5"): ("failed", {"type": "ExitStatus", "exit": 5}, b"so\n"),
            self.gated("kill -9 $$"): ("failed", {"type": "Signal", "signal": 9}, b""),
        }
        pids = [self.running(task) for task in (large, *tasks)]
        self.aiod.kill(how)
        self.gate.open(4)
        self.gone(*pids)
        self.aiod.start()
        self.assertEnds(large, "ok")
        with self.aiod.connect() as rpc:
            self.assertEqual(output(rpc, large), "".join(f"{n}\n" for n in range(1, 50001)).encode())
            for task, (outcome, error, text) in tasks.items():
                end = self.assertEnds(task, outcome, **error)
                self.assertIn("maxrss_kib", end["usage"])
                self.assertEqual(output(rpc, task), text)

    def test_ended_while_stopped(self):
        self.check_ended_meanwhile(signal.SIGTERM)

    def test_ended_while_killed(self):
        self.check_ended_meanwhile(signal.SIGKILL)

    def test_many_restarts_in_a_row(self):
        tasks = [self.gated(f"exit {n}") for n in range(1, 4)]
        pids = [self.running(task) for task in tasks]
        for n in range(10):
            self.restart(HOW[n % 2])
        self.assertEqual([self.running(task) for task in tasks], pids)
        self.gate.open(3)
        for n, task in enumerate(tasks):
            self.assertEnds(task, "failed", exit=n + 1)

    def test_followed_output_after_a_restart(self):
        task = self.gated("echo one; exit 0")
        self.restart(signal.SIGKILL)
        with self.aiod.connect() as rpc:
            msgid = rpc.send("logs", id=task, follow=True)
            self.gate.open()
            self.assertEqual(rpc.answer(msgid)["state"], "DONE")
            self.assertEqual(b"".join(n[2][0]["data"] for n in rpc.notifications), b"one\n")


class Queued(SurviveTest):
    config = "[group one]\nslots = 1\n[group wide]\nslots = 50\n"

    def append(self, word, **fields):
        return self.aiod.submit("sh", "-c", f"echo {word} >> {self.log}", **fields)

    def check_order(self, how, times=1):
        first = self.gated(group="one")
        tasks = [self.append(n, group="one") for n in range(40)]
        until("attempts are recorded ahead", lambda: self.task(tasks[0]).get("attempt"))
        for _ in range(times):
            self.restart(how)
        self.gate.open()
        self.aiod.call("wait", ids=[first, *tasks])
        self.assertEqual(self.log_words(), [str(n) for n in range(40)])

    def test_order_over_a_stop(self):
        self.check_order(signal.SIGTERM)

    def test_order_over_a_kill(self):
        self.check_order(signal.SIGKILL)

    def test_order_over_many_kills(self):
        self.check_order(signal.SIGKILL, 5)

    def test_slots_are_not_exceeded(self):
        """A slot that is held by a command from before the restart is held."""
        first = self.gated(group="one")
        second = self.append("second", group="one")
        for n in range(6):
            self.restart(HOW[n % 2])
            # others of the same group stand behind it: had it been let go, it would have run
            self.running(first)
            self.assertEnds(self.aiod.submit("true"), "ok")
            self.assertEqual(self.log_words(), [])
            group = [g for g in self.aiod.call("groups") if g["name"] == "one"][0]
            self.assertEqual((group["held"], group["waiting"]), (1, 1))
        self.gate.open()
        self.assertEnds(first, "ok")
        self.assertEnds(second, "ok")

    def test_a_stop_of_both_keeps_the_queue(self):
        """A machine that is shut down in order: the running command is ended, those behind it
        were never started and still are to be, whatever was written down ahead of their turn."""
        first = self.gated(group="one")
        tasks = [self.append(n, group="one") for n in range(20)]
        until("attempts are recorded ahead", lambda: self.task(tasks[0]).get("attempt"))
        self.aiod.kill(signal.SIGTERM)
        self.aiod.end_spawner()
        self.aiod.start()
        self.assertEnds(first, "failed", type="Signal", signal=signal.SIGTERM)
        done = self.aiod.call("wait", ids=tasks)["done"]
        self.assertEqual([t for t in done if t["outcome"] != "ok"], [])
        self.assertEqual(self.log_words(), [str(n) for n in range(20)])

    def test_a_cancel_of_a_queued_one_persists(self):
        first = self.gated(group="one")
        tasks = [self.append(n, group="one") for n in range(20)]
        self.aiod.call("cancel", ids=[tasks[1], tasks[15]])
        self.restart(signal.SIGKILL)
        for task in (tasks[1], tasks[15]):
            self.assertEnds(task, "cancelled")
        self.gate.open()
        self.aiod.call("wait", ids=[first, *tasks])
        self.assertEqual(self.log_words(), [str(n) for n in range(20) if n not in (1, 15)])


class Timed(SurviveTest):
    LATE = 1.0  # seconds that a loaded machine may be late

    def assertEndsAt(self, task, after):
        end = self.aiod.wait_for(task)
        self.assertEqual(end["outcome"], "ok", end)
        took = seconds(end["ended"]) - seconds(end["submitted"])
        self.assertGreaterEqual(took, after - 0.002)
        self.assertLess(took, after + self.LATE)

    def check_original_time(self, how):
        slept = self.aiod.call("submit", function="sleep", args={"seconds": 2})["id"]
        later = self.aiod.submit("sh", "-c", f"echo later >> {self.log}", **{"in": 2})
        until("it sleeps", lambda: self.task(slept)["state"] == "SUSPENDED")
        until_before = self.task(slept)["awaits"]["until"]
        self.restart(how)
        seen = until("it sleeps", lambda: self.task(slept)["state"] == "SUSPENDED" and
                     self.task(slept))
        self.assertLess(abs(seconds(seen["awaits"]["until"]) - seconds(until_before)), 0.002)
        self.assertEqual(self.task(later)["awaits"]["kind"], "timer")
        self.assertEqual(self.log_words(), [])
        self.assertEndsAt(slept, 2)
        self.assertEndsAt(later, 2)
        self.assertEqual(self.log_words(), ["later"])

    def test_original_time_over_a_stop(self):
        self.check_original_time(signal.SIGTERM)

    def test_original_time_over_a_kill(self):
        self.check_original_time(signal.SIGKILL)

    def test_over_while_down(self):
        slept = self.aiod.call("submit", function="sleep", args={"seconds": 0.3})["id"]
        later = self.aiod.submit("sh", "-c", f"echo later >> {self.log}", **{"in": 0.3})
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.3)
        fixed = self.aiod.submit("true", at=at.isoformat().replace("+00:00", "Z"))
        until("it sleeps", lambda: self.task(slept)["state"] == "SUSPENDED")
        until_time = time.monotonic() + 0.4
        self.aiod.kill()
        until("the time is over", lambda: time.monotonic() > until_time)
        self.aiod.start()
        for task in (slept, later, fixed):
            self.assertEnds(task, "ok")
        self.assertEqual(self.log_words(), ["later"])

    def test_a_cancelled_sleep(self):
        slept = self.aiod.call("submit", function="sleep", args={"seconds": 3600})["id"]
        self.restart(signal.SIGKILL)
        self.aiod.call("cancel", ids=[slept])
        self.assertEnds(slept, "cancelled")
        self.restart(signal.SIGKILL)
        self.assertEqual(self.task(slept)["outcome"], "cancelled")


class Cancelled(SurviveTest):
    config = "[commands]\ngrace = 100ms\n"

    def test_asked_for_before_the_kill(self):
        """The command ignores SIGTERM and the grace of the first aiod never ends: only one that
        remembers the cancel ends it."""
        self.aiod.configure("[commands]\ngrace = 1h\n")
        self.restart(signal.SIGTERM)
        task = self.gated("exit 0")
        stubborn = self.gated_stubborn()
        pids = [self.running(task), self.running(stubborn)]
        asked = self.aiod.call("cancel", ids=[stubborn])
        self.assertEqual([(a["id"], a["asked"]) for a in asked], [(stubborn, True)])
        self.aiod.kill()
        self.assertTrue(alive(pids[1]))
        self.aiod.configure(self.config)
        self.aiod.start()
        end = self.assertEnds(stubborn, "cancelled")
        self.assertEqual(end["cancel"]["uid"], os.getuid())
        self.gone(pids[1])
        self.assertTrue(alive(pids[0]), "only the one that was cancelled")
        self.gate.open()
        self.assertEnds(task, "ok")

    def gated_stubborn(self):
        task = self.aiod.submit("sh", "-c", f"trap '' TERM; echo ready >> {self.log}; "
                                f"while :; do read _ < {self.aiod.root}/never; done")
        os.mkfifo(os.path.join(self.aiod.root, "never"))
        until("it ignores SIGTERM", lambda: "ready" in lines(self.log))
        return task

    def test_kill_asked_for_before_the_kill(self):
        task = self.gated()
        pid = self.running(task)
        spawner = self.spawner()
        os.kill(spawner, signal.SIGSTOP)  # the signal is not delivered by the first aiod
        self.addCleanup(os.kill, spawner, signal.SIGCONT)
        self.aiod.call("cancel", ids=[task], kill=True)
        self.aiod.kill()
        self.assertTrue(alive(pid))
        self.aiod.start()
        os.kill(spawner, signal.SIGCONT)
        self.assertEnds(task, "cancelled")
        self.gone(pid)


class Remembered(SurviveTest):
    def test_names_results_counts(self):
        ids = [self.aiod.submit("sh", "-c", "exit 0", name="good"),
               self.aiod.submit("sh", "-c", "echo why >&2; exit 3", name="bad"),
               self.aiod.submit("sleep", "1000", name="long", **{"in": 1000})]
        ends = {task: self.aiod.wait_for(task) for task in ids[:2]}
        self.aiod.call("cancel", ids=["long"])
        ends[ids[2]] = self.aiod.wait_for(ids[2])
        page = self.aiod.call("status")
        for how in HOW:
            self.restart(how)
            again = self.aiod.call("status")
            self.assertEqual(again["tasks"], page["tasks"])
            self.assertEqual(again["counts"], page["counts"])
            for task, end in ends.items():
                seen = self.aiod.call("result", id=task)  # in detail: has more
                self.assertEqual({key: seen.get(key) for key in end}, end)
            self.assertEqual(self.task("bad")["tail"], "why\n")
            self.assertEqual(self.task("good")["id"], ids[0])

    def test_live_names(self):
        task = self.gated(name="here")
        self.restart(signal.SIGKILL)
        self.assertEqual(self.task("here")["id"], task)
        self.gate.open()
        self.assertEnds("here", "ok")

    def test_ids_are_never_used_again(self):
        tasks = [self.aiod.submit("true") for _ in range(5)]
        for how in HOW:
            self.aiod.call("wait", ids=tasks)
            removed = self.aiod.call("remove", ids=tasks[-3:])
            self.assertTrue(all(r["removed"] for r in removed))
            self.restart(how)
            for task in tasks[-3:]:
                with self.assertRaises(RpcError) as caught:
                    self.task(task)
                self.assertEqual(caught.exception.word, "not-found")
            first = tasks[-1] + 1
            tasks = [self.aiod.submit("true") for _ in range(5)]
            self.assertEqual(tasks, list(range(first, first + 5)))
        self.aiod.call("wait", ids=tasks)

    def test_ids_after_everything_is_removed(self):
        last = [self.aiod.submit("true") for _ in range(3)][-1]
        self.aiod.call("wait")
        self.aiod.call("remove", ids=list(range(1, last + 1)))
        self.restart(signal.SIGKILL)
        self.assertEqual(self.aiod.submit("true"), last + 1)
        self.aiod.wait_for(last + 1)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""What became of an attempt, told by LIST after aiod, the spawner or both were gone. The four
cases by name:

  adopt      same spawner, it knows the token     → goes on, or its end is taken over
  resend     same spawner, it does not            → it never started: sent again, runs once
  lost       another spawner                      → unknown: never run twice, LostError
  boot       another boot                         → the same
"""
import os
import signal
import subprocess
import unittest

from spawned import LOST, ListTest
from survive import alive, children_of, lines, output, process_stat, until

START_TICKS = 19  # of process_stat: field 22 of /proc/PID/stat


class Adopt(ListTest):
    def test_running_and_ended(self):
        running = self.gated("exit 3")
        ended = self.gated("exit 4")
        failed = self.gated("kill -TERM $$")
        spawner = self.spawner()
        pids = [self.running(task) for task in (running, ended, failed)]
        self.aiod.kill()
        # which of the three reads a line is not ours to choose
        self.gate.open(2)
        until("two have ended", lambda: sum(alive(pid) for pid in pids) == 1)
        self.aiod.start()
        self.assertEqual(self.spawner(), spawner)
        self.gate.open()
        for task, error in ((running, {"exit": 3}), (ended, {"exit": 4}), (failed, {"signal": 15})):
            end = self.assertEnds(task, "failed", **error)
            self.assertEqual(end["attempt"], 1)
            self.assertIn(end["pid"], pids)

    def test_a_command_that_could_not_start(self):
        """FAILED is held as an exit is: here aiod dies before it can take it."""
        spawner = self.spawner()
        self.freeze(spawner)
        task = self.aiod.submit("/nonexistent/command")
        until("it is sent", lambda: self.task(task).get("awaits", {}).get("kind") == "spawner")
        self.aiod.kill()
        self.thaw(spawner)
        self.aiod.start()
        self.assertEnds(task, "failed", type="OSError", exit=127)

    def test_release_after_the_restart(self):
        """Once everything is recorded the spawner holds nothing."""
        tasks = [self.gated("exit 0") for _ in range(4)]
        pids = [self.running(task) for task in tasks]
        spawner = self.spawner()
        self.aiod.kill()
        self.gate.open(4)
        self.gone(*pids)
        self.assertEqual(len(children_of(spawner)), 4)  # zombies: their statuses are kept
        self.aiod.start()
        for task in tasks:
            self.assertEnds(task, "ok")
        until("the spawner has released them", lambda: not children_of(spawner))
        self.assertEqual(self.aiod.call("health")["spawner"]["processes"], 0)


class Resend(ListTest):
    def check(self, count, group):
        """Attempts are on record, their SPAWNs are not read (or, beyond 64, not even sent) when
        aiod dies: the spawner drops them with the connection, or has begun them. Once each."""
        spawner = self.spawner()
        self.freeze(spawner)
        tasks = {self.append(f"t{n}", f"exit {n}", group=group): n for n in range(count)}
        until("attempts are on record", lambda: all(
            t.get("attempt") for t in self.aiod.call("status", limit=1000)["tasks"]))
        self.aiod.kill()
        self.aiod.start()
        self.assertEqual(self.log_words(), [])
        self.thaw(spawner)
        self.aiod.call("wait", ids=list(tasks))
        self.assertRanOnce(*(f"t{n}" for n in tasks.values()))
        for task, n in tasks.items():
            if n:
                self.assertEnds(task, "failed", exit=n)
            else:
                self.assertEnds(task, "ok")
            self.assertEqual(self.task(task)["attempt"], 1)

    def test_one(self):
        self.check(1, "default")

    def test_more_than_are_in_flight(self):
        self.check(100, "wide")

    def test_recorded_ahead_of_the_slot(self):
        """Never sent for sure: their slot was taken."""
        first = self.gated(group="one")
        tasks = [self.append(f"t{n}", group="one") for n in range(8)]
        until("attempts are on record", lambda: all(self.task(t).get("attempt") for t in tasks))
        self.aiod.kill()
        self.aiod.start()
        self.gate.open()
        self.aiod.call("wait", ids=[first, *tasks])
        self.assertRanOnce(*(f"t{n}" for n in range(8)))
        self.assertEqual({t["outcome"] for t in self.aiod.call("status")["tasks"]}, {"ok"})

    def test_many_deaths_before_it_starts(self):
        spawner = self.spawner()
        self.freeze(spawner)
        task = self.append("t", "exit 9")
        until("it is on record", lambda: self.task(task).get("attempt"))
        for _ in range(5):
            self.restart(signal.SIGKILL)
        self.thaw(spawner)
        self.assertEnds(task, "failed", exit=9)
        self.assertRanOnce("t")

    def test_cancelled_before_it_is_known(self):
        """A cancel that arrives while nobody knows whether it started."""
        spawner = self.spawner()
        self.freeze(spawner)
        task = self.append("t", f"read _ < {self.gate.path}")
        until("it is on record", lambda: self.task(task).get("attempt"))
        self.restart(signal.SIGKILL)
        self.assertTrue(self.aiod.call("cancel", ids=[task])[0]["asked"])
        self.assertFalse(self.task(task)["done"])
        self.thaw(spawner)
        self.assertEnds(task, "cancelled")
        self.assertLessEqual(self.log_words().count("t"), 1)


class Lost(ListTest):
    def test_spawner_killed_while_aiod_is_down(self):
        lives = self.gated(f"echo lives >> {self.log}; echo end; exit 0")
        dies = self.gated(f"echo dies >> {self.log}")
        pids = {lives: self.running(lives), dies: self.running(dies)}
        spawner = self.spawner()
        self.aiod.kill()
        os.kill(spawner, signal.SIGKILL)
        self.gone(spawner)
        os.kill(pids[dies], signal.SIGKILL)
        self.gone(pids[dies])
        self.aiod.start()
        end = self.assertEnds(dies, "failed", **LOST)
        self.assertEqual((end["attempt"], end["pid"]), (1, pids[dies]))
        self.new_spawner(spawner)
        self.assertTrue(alive(pids[lives]), "what lives is let finish")
        self.assertEqual(self.running(lives), pids[lives])
        self.gate.open()
        self.assertEnds(lives, "failed", **LOST)
        self.gone(pids[lives])
        self.assertEqual(self.log_words(), ["lives"])
        with self.aiod.connect() as rpc:
            self.assertEqual(output(rpc, lives), b"end\n")
        self.assertEnds(self.append("next"), "ok")

    def test_ended_but_its_status_died_with_the_spawner(self):
        task = self.gated(f"echo ran >> {self.log}; exit 0")
        pid, spawner = self.running(task), self.spawner()
        self.aiod.kill()
        self.gate.open()
        self.gone(pid)
        os.kill(spawner, signal.SIGKILL)
        self.gone(spawner)
        self.aiod.start()
        self.assertEnds(task, "failed", **LOST)
        self.restart(signal.SIGKILL)
        self.assertEnds(task, "failed", **LOST)
        self.assertRanOnce("ran")

    def test_what_was_sent_and_never_read(self):
        """Nobody can tell that it did not start."""
        spawner = self.spawner()
        self.freeze(spawner)
        task = self.append("t")
        until("it is sent", lambda: self.task(task).get("attempt"))
        self.aiod.kill()
        os.kill(spawner, signal.SIGKILL)
        self.gone(spawner)
        self.aiod.start()
        self.assertEnds(task, "failed", **LOST)
        self.assertEqual(self.log_words(), [])

    def test_those_without_an_attempt_run(self):
        first = self.gated(group="one")
        tasks = [self.append(f"t{n}", group="one") for n in range(20)]
        until("some are recorded ahead", lambda: self.task(tasks[0]).get("attempt"))
        waiting = [n for n, task in enumerate(tasks) if not self.task(task).get("attempt")]
        self.assertGreater(len(waiting), 5)
        self.aiod.kill()
        os.kill(self.spawner_of_lock(), signal.SIGKILL)
        self.aiod.start()
        self.gate.open()
        self.assertEnds(first, "failed", **LOST)
        self.aiod.call("wait", ids=tasks)
        self.assertRanOnce(*(f"t{n}" for n in waiting))
        for n, task in enumerate(tasks):
            self.assertLessEqual(self.log_words().count(f"t{n}"), 1)
            if n in waiting:
                self.assertEnds(task, "ok")

    def spawner_of_lock(self):
        return int(lines(os.path.join(self.aiod.state, "spawner.sock.lock"))[0])


class Boot(ListTest):
    def test_another_boot(self):
        """The machine went down: simulated by a boot id that is not this one's. Pids of then mean
        nothing now, so the process (which of course lives here) is left alone."""
        task = self.gated(f"echo ran >> {self.log}")
        slept = self.aiod.call("submit", function="sleep", args={"seconds": 1})["id"]
        queued = self.append("later", **{"in": 1})
        pid, spawner = self.running(task), self.spawner()
        until("it sleeps", lambda: self.task(slept)["state"] != "PENDING")
        self.assertEqual(self.aiod.kill(signal.SIGTERM), 0)
        os.kill(spawner, signal.SIGKILL)
        self.gone(spawner)
        self.assertEqual(self.edit("UPDATE task SET attempt_boot = ?, boot_id = ? WHERE outcome = 0",
                                   b"B" * 16, b"B" * 16), 3)
        self.aiod.start()
        end = self.assertEnds(task, "failed", **LOST)
        self.assertIn("machine", end["error"]["message"])
        self.assertTrue(alive(pid))
        self.gate.open()
        for other in (slept, queued):
            self.assertEnds(other, "ok")
        self.gone(pid)
        self.assertRanOnce("ran", "later")

    def test_another_boot_and_the_pid_is_somebody_elses(self):
        task = self.gated()
        pid, spawner = self.running(task), self.spawner()
        ticks = process_stat(pid)[START_TICKS]
        other = self.another_process(ticks)
        self.aiod.kill(signal.SIGTERM)
        os.kill(spawner, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        self.gone(spawner, pid)
        # same boot, but the number was given to another process: its start ticks tell
        self.assertEqual(self.edit("UPDATE task SET pid = ? WHERE id = ?", other, task), 1)
        self.aiod.start()
        self.assertEnds(task, "failed", **LOST)
        self.assertTrue(alive(other))

    def another_process(self, ticks):
        """One that did not start within the same hundredth of a second."""
        def later():
            other = subprocess.Popen(["sleep", "1000"])
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
            return process_stat(other.pid)[START_TICKS] != ticks and other.pid
        return until("another process", later)

    def test_restored_database_under_the_same_spawner(self):
        """The token of another attempt than the spawner's: it never started."""
        task = self.gated(f"echo ran >> {self.log}")
        pid = self.running(task)
        self.aiod.kill(signal.SIGTERM)
        self.edit("UPDATE task SET token = ? WHERE id = ?", b"T" * 16, task)
        self.aiod.start()
        # runs (again, as the row says that it never did); the first one is nobody's any more
        again = until("it runs", lambda: self.task(task).get("pid") not in (None, pid) and
                      self.task(task)["pid"])
        self.gate.open(2)
        self.assertEnds(task, "ok")
        self.gone(pid, again)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""The spawner alone goes away: killed, its commands are let finish and are lost; told to stop, it
ends them in order and every status gets there, if need be through its exits file. And a command
that hangs before it has begun stops nobody else."""
import os
import signal
import subprocess
import unittest

import harness
from spawned import LOST, ListTest
from survive import alive, children_of, lines, output, until


class SpawnerAlone(ListTest):
    def test_killed(self):
        task = self.gated(f"echo ran >> {self.log}; echo end; exit 0")
        pid = self.running(task)
        old = self.kill_spawner()
        self.assertNotEqual(self.new_spawner(old), old)
        self.assertEqual(self.running(task), pid)
        self.assertEnds(self.append("new"), "ok")
        self.assertTrue(alive(pid), "let finish")
        self.gate.open()
        self.assertEnds(task, "failed", **LOST)
        self.assertRanOnce("ran", "new")
        with self.aiod.connect() as rpc:
            self.assertEqual(output(rpc, task), b"end\n")

    def test_killed_queue_goes_on(self):
        first = self.gated(group="one")
        tasks = [self.append(f"t{n}", group="one") for n in range(20)]
        until("attempts are on record", lambda: self.task(tasks[0]).get("attempt"))
        old = self.kill_spawner()
        self.new_spawner(old)
        self.gate.open()
        self.assertEnds(first, "failed", **LOST)
        for task in tasks:
            self.assertEnds(task, "ok")
        self.assertEqual(self.log_words(), [f"t{n}" for n in range(20)])

    def test_orphan_holds_its_slot(self):
        first = self.gated(group="one")
        second = self.append("second", group="one")
        old = self.kill_spawner()
        self.new_spawner(old)
        self.assertEnds(self.append("other"), "ok")
        self.assertEqual(self.log_words(), ["other"])
        self.gate.open()
        self.assertEnds(first, "failed", **LOST)
        self.assertEnds(second, "ok")

    def test_cancel_of_an_orphan(self):
        for fields in ({}, {"kill": True}):
            task = self.gated()
            pid = self.running(task)
            self.new_spawner(self.kill_spawner())
            self.assertTrue(self.aiod.call("cancel", ids=[task], **fields)[0]["asked"])
            self.assertEnds(task, "cancelled")
            self.gone(pid)

    def test_cancel_of_a_stubborn_orphan(self):
        """SIGKILL after the grace, for the whole group."""
        task = self.aiod.submit("sh", "-c", f"trap '' TERM; echo ready >> {self.log}; "
                                f"(read _ < {self.gate.path}); read _ < {self.gate.path}")
        until("it ignores SIGTERM", lambda: "ready" in lines(self.log))
        pid = self.running(task)
        inner = until("its child is there", lambda: children_of(pid))[0]
        self.new_spawner(self.kill_spawner())
        self.aiod.call("cancel", ids=[task])
        self.assertEnds(task, "cancelled")
        self.gone(pid, inner)

    def test_orphan_over_restarts_of_aiod(self):
        task = self.gated()
        pid = self.running(task)
        self.new_spawner(self.kill_spawner())
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            self.restart(how)
            self.assertEqual(self.running(task), pid)
        self.gate.open()
        self.assertEnds(task, "failed", **LOST)

    def test_killed_again_and_again(self):
        for n in range(8):
            task = self.gated()
            old = self.kill_spawner()
            self.gate.open()
            self.assertEnds(task, "failed", **LOST)
            self.new_spawner(old)
            self.assertEnds(self.append(f"t{n}"), "ok")
        self.assertRanOnce(*(f"t{n}" for n in range(8)))

    def test_terminated(self):
        """It ends its commands in order, aiod hears how."""
        task = self.gated()
        pid = self.running(task)
        old = self.kill_spawner(signal.SIGTERM)
        self.gone(pid)
        self.assertEnds(task, "failed", type="Signal", signal=signal.SIGTERM)
        self.new_spawner(old)
        self.assertEnds(self.append("next"), "ok")

    def test_terminated_queue_goes_on(self):
        """Those that wait are not thrown at a spawner that is leaving."""
        first = self.aiod.submit("sh", "-c", f"trap 'sleep 0.3; exit 1' TERM; "
                                 f"echo ready >> {self.log}; while :; do sleep 0.01; done", group="one")
        tasks = [self.append(f"t{n}", group="one") for n in range(20)]
        many = [self.append(f"w{n}", "sleep 0.05", group="wide", **{"in": 0.02 * n}) for n in range(20)]
        until("it runs", lambda: "ready" in lines(self.log))
        old = self.kill_spawner(signal.SIGTERM)
        self.new_spawner(old)
        self.assertEnds(first, "failed")
        for task in tasks:
            self.assertEnds(task, "ok")
        self.assertRanOnce(*(f"t{n}" for n in range(20)))
        for n, task in enumerate(many):
            end = self.aiod.wait_for(task)
            if end["outcome"] != "ok":
                self.assertEqual(end["error"].get("signal"), signal.SIGTERM, end)
            self.assertLessEqual(self.log_words().count(f"w{n}"), 1)

    def test_statuses_in_its_exits_file(self):
        """Nobody is there to take them: the next spawner offers them, also over two of them."""
        tasks = {self.gated("exit 6"): {"type": "ExitStatus", "exit": 6},
                 self.gated("kill -9 $$"): {"type": "Signal", "signal": 9}}
        pids = [self.running(task) for task in tasks]
        self.aiod.kill()
        self.gate.open(2)
        self.gone(*pids)
        self.aiod.end_spawner()
        self.assertTrue(os.path.exists(os.path.join(self.aiod.state, "exits")))
        self.aiod.start()
        for task, error in tasks.items():
            self.assertEnds(task, "failed", **error)
        until("the file is gone", lambda: not os.path.exists(os.path.join(self.aiod.state, "exits")))

    def test_terminated_while_aiod_is_down(self):
        task = self.gated()
        pid = self.running(task)
        self.aiod.kill()
        self.aiod.end_spawner()
        self.gone(pid)
        self.aiod.start()
        self.assertEnds(task, "failed", type="Signal", signal=signal.SIGTERM)

    def test_exits_over_two_spawners(self):
        task = self.gated("exit 6")
        pid = self.running(task)
        self.aiod.kill()
        self.gate.open()
        self.gone(pid)
        self.aiod.end_spawner()
        sock = os.path.join(self.aiod.state, "spawner.sock")
        with subprocess.Popen([harness.SPAWNER, "--socket", sock, "--state-dir", self.aiod.state],
                              stderr=subprocess.DEVNULL) as between:
            until("it listens", lambda: os.path.exists(sock))
            between.terminate()
        self.aiod.start()
        self.assertEnds(task, "failed", type="ExitStatus", exit=6)


class Fifo(ListTest):
    def test_stdin_without_a_writer_stops_nobody_else(self):
        fifo = os.path.join(self.aiod.root, "nobody-writes")
        os.mkfifo(fifo)
        stuck = [self.aiod.submit("sh", "-c", f"echo never >> {self.log}", args={"stdin": fifo})
                 for _ in range(2)]
        for n in range(10):
            self.assertEnds(self.append(f"t{n}"), "ok")
        self.assertEqual([self.task(task)["done"] for task in stuck], [False, False])
        self.restart(signal.SIGKILL)
        self.assertEnds(self.append("after"), "ok")
        self.assertEqual([self.task(task)["done"] for task in stuck], [False, False])
        self.aiod.call("cancel", ids=stuck[:1])
        self.assertEnds(stuck[0], "cancelled")
        self.aiod.call("cancel", ids=stuck[1:], kill=True)
        self.assertEnds(stuck[1], "cancelled")
        self.assertNotIn("never", self.log_words())
        until("nothing is left", lambda: not children_of(self.spawner()))

    def test_a_writer_at_last(self):
        fifo = os.path.join(self.aiod.root, "late-writer")
        os.mkfifo(fifo)
        task = self.aiod.submit("cat", args={"stdin": fifo})
        self.assertEnds(self.append("other"), "ok")
        with open(fifo, "w", encoding="ascii") as f:
            f.write("at last\n")
        self.assertEnds(task, "ok")
        with self.aiod.connect() as rpc:
            self.assertEqual(output(rpc, task), b"at last\n")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""The spawner's socket is removed while it has commands: the next aiod finds it all the same, and
nothing is lost. And who is left in the group of a cancelled command, when the command itself has
ended."""
import os
import shutil
import signal
import unittest

from spawned import ListTest
from survive import alive, children_of, lines, until


class Socket(ListTest):
    def setUp(self):
        super().setUp()
        self.sock = os.path.join(self.aiod.state, "spawner.sock")

    def found_again(self, task, spawner, pid):
        self.restart(signal.SIGKILL)
        self.assertEqual(self.spawner(), spawner)
        self.assertEqual(self.running(task), pid)
        self.assertNotIn("served by another", self.aiod.log_text())

    def test_removed_under_aiod(self):
        task = self.gated("exit 7")
        pid, spawner = self.running(task), self.spawner()
        os.unlink(self.sock)
        until("it is there again", lambda: os.path.exists(self.sock))
        self.assertEnds(self.append("meanwhile"), "ok")
        self.found_again(task, spawner, pid)
        self.gate.open()
        self.assertEnds(task, "failed", type="ExitStatus", exit=7)

    def test_removed_while_aiod_is_down(self):
        task = self.gated("exit 7")
        pid, spawner = self.running(task), self.spawner()
        self.aiod.kill()
        os.unlink(self.sock)
        until("it is there again", lambda: os.path.exists(self.sock))
        self.aiod.start()
        self.assertEqual(self.spawner(), spawner)
        self.assertEqual(self.running(task), pid)
        self.gate.open()
        self.assertEnds(task, "failed", type="ExitStatus", exit=7)

    def test_whole_state_removed_while_aiod_is_down(self):
        """What it knew is gone: what runs is let finish, and does not bar the instance that comes."""
        task = self.gated()
        pid, spawner = self.running(task), self.spawner()
        self.aiod.kill()
        shutil.rmtree(self.aiod.state)
        until("it is there again", lambda: os.path.exists(self.sock))
        self.aiod.start()  # another instance: the one before cannot come back
        self.assertEqual(self.spawner(), spawner)
        self.assertEnds(self.append("next"), "ok")
        self.assertIn(pid, children_of(spawner))
        self.gate.open()
        self.gone(pid)
        until("it is reaped", lambda: not children_of(spawner))


class Group(ListTest):
    def deaf(self):
        """A shell that exits on SIGTERM, before a child of its own that ignores it: (task, pid of
        the child)."""
        task = self.aiod.submit("sh", "-c", f"(trap '' TERM; echo deaf >> {self.log}; exec sleep 1000) & "
                                f"trap 'exit 3' TERM; echo shell >> {self.log}; wait")
        until("both are ready", lambda: {"deaf", "shell"} <= set(lines(self.log)))
        return task, children_of(self.running(task))[0]

    def test_killed_after_the_grace(self):
        task, inner = self.deaf()
        self.aiod.call("cancel", ids=[task])
        self.assertEnds(task, "cancelled", type="ExitStatus", exit=3)
        self.gone(inner)
        until("nothing is left", lambda: not children_of(self.spawner()))

    def test_also_when_aiod_dies(self):
        task, inner = self.deaf()
        self.aiod.call("cancel", ids=[task])
        self.assertEnds(task, "cancelled")
        self.aiod.kill()
        self.gone(inner)
        self.aiod.start()
        self.assertEqual(self.task(task)["outcome"], "cancelled")

    def test_killed_with_the_command(self):
        task, inner = self.deaf()
        self.aiod.call("cancel", ids=[task], kill=True)
        self.assertEnds(task, "cancelled", type="Signal", signal=signal.SIGKILL)
        self.gone(inner)

    def test_left_alone_where_nobody_cancels(self):
        task = self.aiod.submit("sh", "-c", f"sleep 1000 & echo $! >> {self.log}")
        self.assertEnds(task, "ok")
        inner = int(lines(self.log)[0])
        until("the command is reaped", lambda: not children_of(self.spawner()))
        self.assertTrue(alive(inner))
        os.kill(inner, signal.SIGKILL)


class LongGrace(Group):
    """All of it, but for what waits for the grace."""
    config = ListTest.config.replace("200ms", "1h")
    test_also_when_aiod_dies = None

    def test_killed_after_the_grace(self):
        """The task is done at once, the grace is of those who are left."""
        task, inner = self.deaf()
        self.aiod.call("cancel", ids=[task])
        self.assertEnds(task, "cancelled", type="ExitStatus", exit=3)
        self.aiod.call("remove", ids=[task])
        self.assertTrue(alive(inner))
        self.assertEqual(len(children_of(self.spawner())), 1, "the number of the group is not free")
        os.kill(inner, signal.SIGKILL)
        until("nothing is left", lambda: not children_of(self.spawner()))

    def test_ends_with_the_spawner(self):
        task, inner = self.deaf()
        self.aiod.call("cancel", ids=[task])
        self.assertEnds(task, "cancelled")
        self.aiod.stop()
        self.assertTrue(alive(inner))
        self.aiod.end_spawner()
        self.gone(inner)


if __name__ == "__main__":
    unittest.main()

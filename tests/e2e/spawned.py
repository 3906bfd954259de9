# SPDX-License-Identifier: MIT
"""What the tests of attempts and their spawner share."""
import collections
import os
import signal
import sqlite3

from survive import SurviveTest, until

LOST = {"type": "LostError"}


class ListTest(SurviveTest):
    config = "[commands]\ngrace = 200ms\n[group one]\nslots = 1\n[group wide]\nslots = 100\n"

    def append(self, word, line="", **fields):
        """A command that leaves a trace each time it runs."""
        return self.aiod.submit("sh", "-c", f"echo {word} >> {self.log}; {line}", **fields)

    def assertRanOnce(self, *words):
        counts = collections.Counter(self.log_words())
        self.assertEqual({word: counts[word] for word in words}, {word: 1 for word in words})

    def freeze(self, pid):
        """A process that can do nothing until it is thawed."""
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(self.thaw, pid)

    def thaw(self, pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def kill_spawner(self, signo=signal.SIGKILL):
        pid = self.spawner()
        os.kill(pid, signo)
        self.gone(pid)
        return pid

    def new_spawner(self, old):
        return until("another spawner answers", lambda: self.aiod.call("health")["spawner"]["connected"]
                     and self.aiod.spawner_pid() not in (0, old) and self.aiod.spawner_pid())

    def edit(self, statement, *values):
        """Changes the database of an aiod that is stopped."""
        with sqlite3.connect(os.path.join(self.aiod.state, "tasks.db")) as db:
            changed = db.execute(statement, values).rowcount
        db.close()
        return changed

# SPDX-License-Identifier: MIT
"""aiod is killed at random moments under load and started again; see README.md."""
import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

# pylint: disable=wrong-import-position
from harness import Instance
from judge import Judge
from load import GRACE, World, now, say
from survive import SANITIZED, alive, lines, until

KILLS = int(os.environ.get("AIOD_CRASH_KILLS") or (20 if SANITIZED else 200))
SPAWNER_KILLS = max(1, KILLS * 30 // 200)
SEED = os.environ.get("AIOD_CRASH_SEED") or str(random.SystemRandom().randrange(1 << 32))
LOAD_S = (0.0, 0.25)  # of load before each kill
FROZEN_S = 0.05
CALM_S = 2.0          # and once before the end, so that finished tasks are removed too


class KillTest(unittest.TestCase):
    def setUp(self):
        self.aiod = Instance(config=f"[commands]\ngrace = {GRACE}\n[log]\nlevel = warning\n")
        self.world = World(SEED, self.aiod)
        self.started = time.monotonic()

    def run_load(self, kills, kill):
        """Starts, lets the load run, kills; judges at the end. Keeps the directory on failure."""
        say(f"\n{self.id()}: seed {SEED}, {kills} kills, in {self.aiod.root}")
        try:
            self.load(kills, kill)
            figures = Judge(self.world).judge()
            self.assertEqual(self.aiod.stop(), 0, self.aiod.log_text())
            self.check_logs()
        except BaseException:
            self.world.over.set()
            say(f"seed {SEED} failed after {len(self.world.jobs())} jobs: everything is in "
                f"{self.aiod.root}; again with AIOD_CRASH_SEED={SEED} AIOD_CRASH_KILLS={KILLS}")
            self.aiod.owned = False
            self.aiod.stop()
            raise
        finally:
            self.aiod.close()
        say(f"{time.monotonic() - self.started:.1f} s, {kills} kills: {figures}")

    def load(self, kills, kill):
        rng = self.world.rng
        self.aiod.start()
        for client in self.world.clients:
            client.start()
        for _ in range(kills):
            self.world.load_for(rng.uniform(*LOAD_S))
            if self.world.over.is_set():
                break
            kill()
        self.world.load_for(CALM_S)
        self.world.finish()

    def end_aiod(self):
        """SIGKILL; one in five is a stop in order, which must not be worse."""
        how = signal.SIGTERM if self.world.rng.random() < 0.2 else signal.SIGKILL
        expected = 0 if how == signal.SIGTERM else -how
        self.assertEqual(self.aiod.kill(how), expected, self.aiod.log_text())

    def kill_aiod(self):
        """In one of three the spawner is stopped meanwhile: what aiod sent to it just before, and
        what it has to say, waits in sockets when aiod dies."""
        frozen = self.spawner() if self.world.rng.random() < 0.3 else None
        try:
            if frozen:
                os.kill(frozen, signal.SIGSTOP)
                self.world.load_for(self.world.rng.uniform(0, FROZEN_S))
            self.end_aiod()
            self.aiod.start()
            if frozen:
                self.world.load_for(self.world.rng.uniform(0, FROZEN_S))
        finally:
            if frozen:
                os.kill(frozen, signal.SIGCONT)

    def spawner(self):
        """The pid of the one that serves now, or None."""
        lock = lines(os.path.join(self.aiod.state, "spawner.sock.lock"))
        return int(lock[0]) if lock and self.is_spawner(int(lock[0])) else None

    def kill_spawner(self):
        pid = self.spawner()
        if pid:
            self.world.spawner_kills.append(now())
            os.kill(pid, signal.SIGKILL)
            until("the spawner is gone", lambda: not self.is_spawner(pid))

    @staticmethod
    def is_spawner(pid):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                return f.read() == "aiod-spawner\n" and alive(pid)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def check_logs(self):
        log = self.aiod.log_text() + "\n".join(lines(os.path.join(self.aiod.state, "spawner.log")))
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, log)

    def test_kill_aiod(self):
        """Exactly once, whatever aiod was doing: the spawner lives on and knows."""
        self.run_load(KILLS, self.kill_aiod)

    def test_kill_aiod_and_spawner(self):
        """At most once: what ran, or may have, when a spawner was killed ends with LostError."""
        def kill():
            which = self.world.rng.choice(("spawner", "aiod first", "spawner first", "aiod"))
            if which in ("spawner", "spawner first"):
                self.kill_spawner()
            if which == "spawner":
                return
            self.end_aiod()
            if which == "aiod first":
                self.kill_spawner()
            self.aiod.start()
        self.run_load(SPAWNER_KILLS, kill)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""The load of the crash tests: tasks whose whole story follows from a number, and clients that
submit, watch, cancel and remove them while aiod dies and comes back under their hands.

A Job has a number (its key, never used twice) and a kind. The key is the task's name, so that a
submit whose answer was lost can be found again, and the word that its command appends to one log
(O_APPEND) each time it runs. What a client saw is kept in the Job; judge.py compares.
"""
import datetime
import random
import sys
import threading

import harness
from survive import output

LIVE_MAX = 40     # live jobs of one client: a small state makes a start short
KEEP_MAX = 60     # finished jobs of one client that are not removed yet
GRACE = "100ms"   # of cancelled commands


class Job:
    """kind: (line of sh, outcome, error's fields, output); None: no command, or one that cannot
    start."""

    KINDS = {
        "true": ("exit 0", "ok", {}, ""),
        "exit": ("exit {code}", "failed", {"type": "ExitStatus", "exit": "{code}"}, ""),
        "signal": ("kill -9 $$", "failed", {"type": "Signal", "signal": 9}, ""),
        "nap": ("sleep 0.0{code}; echo woke", "ok", {}, "woke\n"),
        "writer": ("seq -f '{key} %g' 1 {many}; exit {code}", "failed",
                   {"type": "ExitStatus", "exit": "{code}"}, "lines"),
        "stubborn": ("trap '' TERM; sleep 0.1; exit {code}", "failed",
                     {"type": "ExitStatus", "exit": "{code}"}, ""),
        "late": ("exit 0", "ok", {}, ""),
        "missing": (None, "failed", {"type": "OSError", "exit": 127}, ""),
        "sleep": (None, "ok", {}, ""),
    }
    WEIGHTS = {"true": 6, "exit": 6, "signal": 2, "nap": 4, "writer": 4, "stubborn": 1, "late": 2,
               "missing": 2, "sleep": 4}

    def __init__(self, key, rng):
        self.key = key
        self.kind = rng.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        self.code = rng.randrange(1, 100)
        self.many = rng.choice((1, 10, 2000))
        self.seconds = rng.choice((0, 0.01, 0.1))
        self.id = None          # once acknowledged
        self.refused = False    # its submit was answered with "stopping"
        self.cancel_sent = False
        self.cancelled = False  # acknowledged
        self.remove_sent = False
        self.removed = False    # acknowledged
        self.end = None         # the first answer that said DONE

    @property
    def name(self):
        return f"k{self.key}"

    @property
    def logs(self):
        """Whether it leaves a word in the log when it runs."""
        return self.KINDS[self.kind][0] is not None

    def fill(self, text):
        return text.format(code=self.code, key=self.key, many=self.many)

    def params(self, log):
        params = {"name": self.name}
        line = self.KINDS[self.kind][0]
        if self.kind == "sleep":
            return dict(params, function="sleep", args={"seconds": self.seconds})
        argv = [f"/nonexistent/{self.key}"]
        if line:
            argv = ["sh", "-c", f"echo {self.key} >> {log}; {self.fill(line)}"]
        if self.kind == "late":
            params["in"] = max(self.seconds, 0.01)
        return dict(params, args={"argv": argv, "cwd": "/", "env": ["PATH=/usr/bin:/bin"]})

    def expected(self):
        """(outcome, error's fields, output) of a run that nobody cancelled."""
        _, outcome, error, text = self.KINDS[self.kind]
        error = {key: int(self.fill(value)) if isinstance(value, str) and "{" in value else value
                 for key, value in error.items()}
        if text == "lines":
            text = "".join(f"{self.key} {n}\n" for n in range(1, self.many + 1))
        return outcome, error, text.encode()

    def __str__(self):
        return f"job {self.key} ({self.kind}, code {self.code}, id {self.id})"


class Failure(Exception):
    pass


class Client(threading.Thread):
    """One connection, one random sequence; on to the next one when aiod is gone."""

    def __init__(self, world, number):
        super().__init__(name=f"client-{number}", daemon=True)
        self.world = world
        self.rng = random.Random(f"{world.seed}/{number}")
        self.keys = iter(range(number, 1 << 30, world.clients_count))
        self.live = []
        self.finished = []
        self.jobs = []
        self.rpc = None
        self.failure = None

    def run(self):
        try:
            while not self.world.over.is_set():
                self.connected()
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error
            self.world.over.set()

    def connected(self):
        """Works until the connection ends."""
        try:
            self.rpc = harness.Rpc(self.world.socket)
        except (ConnectionRefusedError, FileNotFoundError):
            self.world.up.wait(0.005)
            return
        except ConnectionError:
            return
        try:
            while not self.world.over.is_set():
                self.step()
        except ConnectionError:
            pass
        except harness.RpcError as error:
            if error.word != "stopping":
                raise
        finally:
            self.rpc.close()

    def step(self):
        actions = [(self.submit, 10 if len(self.live) < LIVE_MAX else 0),
                   (self.look, 4 if self.live else 0),
                   (self.wait, 2 if self.live else 0),
                   (self.cancel, 2 if self.live else 0),
                   (self.check_again, 2 if self.finished else 0),
                   (self.remove, 3 if len(self.finished) > KEEP_MAX else 0)]
        action = self.rng.choices([a for a, _ in actions], [w for _, w in actions])[0]
        action()

    def submit(self):
        jobs = [Job(next(self.keys), self.rng) for _ in range(self.rng.choice((1, 1, 1, 8)))]
        msgids = []
        self.jobs += jobs
        for job in jobs:
            msgids.append(self.rpc.send("submit", job.params(self.world.log)))
        for job, msgid in zip(jobs, msgids):
            try:
                job.id = self.rpc.answer(msgid)["id"]
                self.live.append(job)
            except harness.RpcError as error:
                if error.word != "stopping":
                    raise
                job.refused = True

    def saw(self, job, task):
        """Keeps the first end, complains about another one."""
        if not task["done"]:
            if job.end:
                raise Failure(f"{job} was DONE and is not any more: {job.end} then {task}")
            return
        task = {key: task[key] for key in task if key not in ("args", "env_count", "client_pid",
                                                              "output", "tail", "due")}
        if job.end is None:
            job.end = task
            self.live.remove(job)
            self.finished.append(job)
        elif task != job.end:
            raise Failure(f"{job} changed after its end: {job.end} then {task}")

    def look(self):
        jobs = {job.id: job for job in self.live}
        page = self.rpc.call("status", ids=list(jobs), limit=1000)
        if {task["id"] for task in page["tasks"]} != set(jobs):
            raise Failure(f"status of {sorted(jobs)} told of {[t['id'] for t in page['tasks']]}")
        for task in page["tasks"]:
            self.saw(jobs[task["id"]], task)

    def wait(self):
        jobs = {job.id: job for job in self.live}
        answer = self.rpc.call("wait", ids=list(jobs), mode="first", timeout=0.05)
        for task in answer["done"]:
            self.saw(jobs[task["id"]], task)

    def cancel(self):
        job = self.rng.choice(self.live)
        job.cancel_sent = True
        self.rpc.call("cancel", ids=[job.id], kill=self.rng.random() < 0.3)
        job.cancelled = True

    def check_again(self):
        job = self.rng.choice(self.finished)
        self.saw(job, self.rpc.call("task", id=job.id))
        if job.end["outcome"] != "cancelled":
            self.world.check_output(job, output(self.rpc, job.id))

    def remove(self):
        """Some, oldest first; each is judged before it goes."""
        jobs = self.finished[:self.rng.randrange(1, 30)]
        for job in jobs:
            self.world.check_end(job, job.end)
            job.remove_sent = True
        del self.finished[:len(jobs)]
        answers = self.rpc.call("remove", ids=[job.id for job in jobs])
        for job, answer in zip(jobs, answers):
            if not answer["removed"]:
                raise Failure(f"{job} was not removed: {answer}")
            job.removed = True


class World:
    """What the clients share, and the driver that kills."""

    def __init__(self, seed, aiod, clients_count=4):
        self.seed = seed
        self.rng = random.Random(seed)
        self.aiod = aiod
        self.socket = aiod.socket
        self.log = f"{aiod.root}/ran"
        self.clients_count = clients_count
        self.up = threading.Event()
        self.over = threading.Event()
        self.spawner_kills = []  # wall clock
        self.clients = [Client(self, n) for n in range(clients_count)]

    def jobs(self):
        return [job for client in self.clients for job in client.jobs]

    def load_for(self, seconds):
        """The load goes on for so long; the end of a client ends it at once."""
        self.up.set()
        self.over.wait(seconds)
        self.up.clear()

    def finish(self):
        self.over.set()
        for client in self.clients:
            client.join(harness.TIMEOUT)
        for client in self.clients:
            if client.failure:
                raise client.failure

    def lost_allowed(self, end):
        """A LostError is right only for one that was live when a spawner was killed."""
        since, ended = end["submitted"], end["ended"]
        return any(since <= at <= ended for at in self.spawner_kills)

    @staticmethod
    def half_cancelled(job, error):
        """The signal of a cancel got there, aiod died before the cancel was on record and its
        client was answered."""
        return job.cancel_sent and not job.cancelled and error.get("signal") in (9, 15)

    def check_output(self, job, data):
        error = job.end.get("error", {})
        if error.get("type") == "LostError" or self.half_cancelled(job, error):
            return
        expected = job.expected()[2]
        if data != expected:
            raise Failure(f"{job} wrote {len(data)} bytes, not {len(expected)}: {data[:100]!r}")

    def check_end(self, job, end):
        """Whether a task may have ended so."""
        outcome, error, _ = job.expected()
        if end["outcome"] == "cancelled":
            if not job.cancel_sent:
                raise Failure(f"{job} ended cancelled, nobody asked for it: {end}")
            return
        told = end.get("error", {})
        if told.get("type") == "LostError":
            if job.kind == "sleep" or not self.lost_allowed(end):
                raise Failure(f"{job} was lost, no spawner died: {end}")
            return
        if self.half_cancelled(job, told):
            return
        seen = {key: told.get(key) for key in error}
        if end["outcome"] != outcome or seen != error or (not error and told):
            raise Failure(f"{job} must end {outcome} {error}: {end}")


def now():
    """As aiod writes times."""
    at = datetime.datetime.now(datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(text):
    print(text, file=sys.stderr, flush=True)

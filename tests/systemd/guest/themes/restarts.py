# SPDX-License-Identifier: MIT
"""Many restarts of aiod with 100 commands running all the time, and not one exit status lost.

Each command waits at a FIFO of its own for the status that it is to end with. In each round some
are let go right before aiod goes down, some while it is down, some when it is up again, and as
many new ones are submitted, over a connection that the restart may break. Down it goes by
`systemctl restart` or by kill -9, each every other time.
"""
import collections
import os
import random
import signal
import time

from lib import aiod, check as checks, system
from lib.check import Failed, Theme, equal, until

check = Theme()
COMMANDS = 100
ROUND = 9  # commands that end in a round, a third each: before, while, after
SLOTS = COMMANDS + ROUND  # one that was let go must not wait for one that was not
RAN = "/var/tmp/ran"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
world = {}


class Job:
    """A command: its name is the task's, its end is chosen when it is let go."""

    def __init__(self, number):
        self.name = f"job{number}"
        self.gate = f"/gates/{self.name}"
        os.mkfifo(self.gate)
        os.chmod(self.gate, 0o666)
        self.fd = os.open(self.gate, os.O_RDWR | os.O_CLOEXEC)
        self.id = None
        self.end = None

    def request(self):
        line = f"echo {self.name} >> {RAN}; read end <> {self.gate}; eval \"$end\""
        return {"name": self.name, "group": "many",
                "args": {"argv": ["sh", "-c", line], "cwd": "/"}}

    def let_go(self, rng):
        """It ends now, or when it gets there: by an exit status or a signal."""
        if rng.random() < 0.2:
            signo = rng.choice(SIGNALS)
            self.end, line = f"signal {int(signo)}", f"kill -{int(signo)} $$"
        else:
            status = rng.randrange(256)
            self.end, line = (f"exit {status}" if status else "ok"), f"exit {status}"
        os.write(self.fd, f"{line}\n".encode())

    def forget_gate(self):
        os.close(self.fd)
        os.unlink(self.gate)


class World:
    """What is known of all jobs, and the connection that submits them."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.count = 0
        self.running = collections.deque()  # let go in the order of their submits, nearly
        self.over = []
        self.rpc = None
        self.found = self.again = 0

    def connect(self):
        with system.acting_as("ana"):
            self.rpc = aiod.Rpc()

    def job(self):
        self.count += 1
        return Job(self.count)

    def submit(self, count):
        """Submits that many and takes their ids."""
        jobs = [self.job() for _ in range(count)]
        for job, msgid in [(job, self.rpc.send("submit", **job.request())) for job in jobs]:
            self.known(job, self.rpc.answer(msgid)["id"])

    def known(self, job, task):
        job.id = task
        self.running.append(job)

    def send(self, count):
        """Submits whose answers nobody waits for yet: [(job, msgid)]."""
        jobs = [self.job() for _ in range(count)]
        return [(job, self.rpc.send("submit", **job.request())) for job in jobs]

    def settle(self, rpc, sent):
        """After the restart: takes the answers that a connection had, and asks for the tasks of
        the others by name. What is not there was never accepted: it is submitted again."""
        unsure = []
        for job, msgid in sent:
            try:
                self.known(job, rpc.answer(msgid)["id"])
            except (ConnectionError, Failed):
                unsure.append(job)
        if rpc is self.rpc:
            self.connect()
        for job in unsure:
            task = self.named(job.name)
            self.found += task is not None
            self.again += task is None
            self.known(job, task or self.rpc.call("submit", **job.request())["id"])

    def named(self, name):
        """The id of the task of that name, or None."""
        try:
            return self.rpc.call("task", id=name)["id"]
        except Failed as failed:
            if not str(failed).startswith("not-found"):
                raise
            return None

    def let_go(self, count):
        """That many of the running ones end, the oldest or any."""
        gone = []
        for _ in range(count):
            if self.rng.random() < 0.5:
                self.running.rotate(self.rng.randrange(len(self.running)))
            job = self.running.popleft()
            job.let_go(self.rng)
            gone.append(job)
        return gone

    def verify(self, jobs):
        """Waits for jobs that were let go: each must have ended as it was told to."""
        waits = [(job, self.rpc.send("await", id=job.id, timeout=60)) for job in jobs]
        for job, msgid in waits:
            self.judge(job, self.rpc.answer(msgid))
            job.forget_gate()
            self.over.append(job)

    @staticmethod
    def judge(job, task):
        found = aiod.outcome(task)
        if (found, task.get("attempt"), task.get("name")) != (job.end, 1, job.name):
            raise Failed(f"{job.name} (task {job.id}) must end \"{job.end}\": {task}")


def down(number, pid):
    """Takes aiod down, every other time by kill -9."""
    if number % 2:
        os.kill(pid, signal.SIGKILL)
        until("aiod is gone", lambda: not system.alive(pid))
    else:
        system.systemctl("--no-block", "restart", "aiod.service")


def one_round(w, number):
    """Some are let go and some submitted while aiod goes down and comes up; then all is settled."""
    old = system.main_pid("aiod.service")
    gone, sent = [], []
    first = [lambda: gone.extend(w.let_go(ROUND // 3)),
             lambda: sent.extend(w.send(w.rng.randrange(ROUND - ROUND // 3 + 1)))]
    w.rng.shuffle(first)
    for step in first:
        step()
    broken = w.rpc
    down(number, old)
    gone += w.let_go(ROUND // 3)
    w.connect()  # systemd holds the socket: whoever comes now waits for the next aiod
    late = w.send(ROUND // 3)
    system.until_restarted("aiod.service", old)
    w.settle(broken, sent)
    if number % 2:
        for job, msgid in late:
            w.known(job, w.rpc.answer(msgid)["id"])
    else:  # the one that is about to stop may have taken the connection
        w.settle(w.rpc, late)
    gone += w.let_go(ROUND // 3)
    w.submit(COMMANDS - len(w.running))
    w.verify(gone)
    until_all_run(w)


@check(f"{COMMANDS} commands run at a time, each at its gate")
def _():
    system.write("/etc/aiod/aiod.conf", f"[group many]\nslots = {SLOTS}\n")
    system.drop_in("aiod.service", "[Service]\nRestartSec=20ms\n")
    system.systemctl("restart", "aiod.service")
    os.makedirs("/gates", exist_ok=True)
    os.close(os.open(RAN, os.O_CREAT | os.O_WRONLY | os.O_APPEND))
    os.chmod(RAN, 0o666)
    seed = checks.options()["seed"] or random.randrange(1 << 32)
    checks.note(f"seed {seed}")
    world["w"] = w = World(seed)
    w.connect()
    w.submit(COMMANDS)
    until_all_run(w)


def until_all_run(w):
    counts = {}

    def look():
        counts.update(w.rpc.call("status", limit=1)["counts"])
        return counts["running"] == COMMANDS
    until(f"{COMMANDS} commands run", look, detail=lambda: str(counts))


@check("over all restarts each command that was let go has the status that it was told")
def _():
    w = world["w"]
    rounds = checks.options()["restarts"]
    begin = time.monotonic()
    spawner = system.main_pid("aiod-spawner.service")
    for number in range(rounds):
        one_round(w, number)
    seconds = time.monotonic() - begin
    equal(system.main_pid("aiod-spawner.service"), spawner, "the spawner's pid")
    world["spent"] = (rounds, seconds)


@check("at the end every task ever submitted has exactly its status, and ran once")
def _():
    w = world["w"]
    w.verify(w.let_go(len(w.running)))
    jobs = {job.id: job for job in w.over}
    equal(len(jobs), w.count, "tasks")
    told, page = {}, None
    while page is None or page["next"]:
        page = w.rpc.call("status", limit=500, **({"from": page["next"]} if page else {}))
        told.update({task["id"]: task for task in page["tasks"]})
    equal(sorted(told), sorted(jobs), "the ids that status lists")
    for task in told.values():
        w.judge(jobs[task["id"]], task)
    with open(RAN, encoding="ascii") as f:
        ran = collections.Counter(f.read().split())
    equal({name: n for name, n in ran.items() if n != 1}, {}, "commands that ran more than once")
    equal(len(ran), w.count, "commands that ran")
    counts = w.rpc.call("status", limit=1)["counts"]
    equal(sum(counts.values()), w.count, f"counts of status ({counts})")
    rounds, seconds = world["spent"]
    checks.note(f"{rounds} restarts ({rounds // 2} of them kill -9) with {COMMANDS} commands "
                f"running: {w.count} tasks, 0 statuses lost, {seconds:.0f} s; "
                f"{w.found + w.again} submits without an answer, {w.found} of them accepted")


@check("neither the spawner nor aiod holds anything any more")
def _():
    until("aiod knows no process", lambda: aiod.health()["spawner"]["processes"] == 0)
    equal(system.children(system.main_pid("aiod-spawner.service")), [], "children of the spawner")

# SPDX-License-Identifier: MIT
"""aioctl wait, await, run and logs -f while aiod is stopped or killed and started again: they go
on where they were, say so, and give up when it does not come back."""
import glob
import json
import os
import signal
import socket
import subprocess
import unittest

from harness import AIOCTL, TIMEOUT, Instance
from survive import SurviveTest, alive, until

HOW = (signal.SIGTERM, signal.SIGKILL)
WENT = "went away; waiting up to "
BACK = " is back\n"


class ReconnectTest(SurviveTest):
    def setUp(self):
        super().setUp()
        self.begun = 0  # clients that nobody has waited for
        self.before = 0  # tasks on the loop before the first of them

    def on_the_loop(self):
        return self.aiod.call("health")["loop"]["tasks"]

    def client(self, *args, env=None):
        """An aioctl that goes on."""
        if self.begun == 0:
            self.before = self.on_the_loop()
        self.begun += 1
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOD_NO_START="1", **(env or {}))
        process = subprocess.Popen([AIOCTL, *args], env=env, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def waiting(self):
        """Until every client that was begun has a request on the loop that stays there."""
        want = self.before + self.begun
        until("they wait", lambda: all(self.on_the_loop() >= want for _ in range(20)))
        self.begun = 0

    def goes_away(self, how, *clients):
        """Stops it; returns when every client has seen that."""
        self.aiod.kill(how)
        for client in clients:
            line = client.stderr.readline()
            self.assertIn(f"the event loop at {self.aiod.socket} {WENT}", line)

    def ends(self, client, status, stdout, *stderr):
        """What it printed, and what it said after the first line."""
        out, err = client.stdout.read(), client.stderr.read()
        self.assertEqual((client.wait(TIMEOUT), out), (status, stdout), err)
        lines = err.splitlines(keepends=True)
        self.assertEqual(len(lines), len(stderr), err)
        for line, part in zip(lines, stderr):
            self.assertIn(part, line)


class Await(ReconnectTest):
    def check_await(self, how):
        task = self.gated("echo why; exit 3", name="nap")
        by_id = self.client("await", str(task))
        by_name = self.client("await", "--propagate", "nap")
        self.waiting()
        self.goes_away(how, by_id, by_name)
        self.aiod.start()
        # a newer one of the same name is another task
        self.assertEqual(by_name.stderr.readline(),
                         f"aioctl: await: the event loop at {self.aiod.socket}{BACK}")
        self.gate.open()
        self.ends(by_id, 1, "", BACK, f"task {task} failed: exit 3: why")
        self.ends(by_name, 3, "", f"task {task} failed: exit 3: why")

    def test_over_a_stop(self):
        self.check_await(signal.SIGTERM)

    def test_over_a_kill(self):
        self.check_await(signal.SIGKILL)

    def test_ended_meanwhile(self):
        task = self.gated("exit 0")
        client = self.client("await", str(task))
        self.waiting()
        pid = self.running(task)
        self.goes_away(signal.SIGKILL, client)
        self.gate.open()
        self.gone(pid)
        self.aiod.start()
        self.ends(client, 0, "0\n", BACK)

    def test_many_restarts(self):
        task = self.gated("exit 0")
        client = self.client("await", str(task))
        self.waiting()
        for n in range(6):
            self.goes_away(HOW[n % 2], client)
            self.aiod.start()
            self.assertIn(BACK, client.stderr.readline())
        self.gate.open()
        self.ends(client, 0, "0\n")

    def test_timeout_while_away(self):
        task = self.gated("exit 0")
        client = self.client("await", "-t", "300ms", str(task), env={"AIOD_RECONNECT": "1h"})
        other = self.client("wait", "-t", "300ms", str(task), "1-9")
        self.waiting()
        self.goes_away(signal.SIGKILL, client, other)
        self.ends(client, 124, "", f"task {task} is not done after 0.3 s")
        # which of 2 to 9 exist, nobody can tell
        self.ends(other, 124, "", "tasks are not done after 0.3 s")
        self.aiod.start()
        self.gate.open()

    def test_interrupt_while_away(self):
        task = str(self.gated("exit 0"))
        for args in (("await", task), ("wait",), ("logs", "-f", task)):
            client = self.client(*args, env={"AIOD_RECONNECT": "1h"})
            self.waiting()
            self.goes_away(signal.SIGKILL, client)
            client.send_signal(signal.SIGINT)
            self.ends(client, -signal.SIGINT, "")
            self.aiod.start()
        self.gate.open()

    def test_it_never_comes_back(self):
        task = str(self.gated("exit 0"))
        knob = {"AIOD_RECONNECT": "200ms"}
        clients = [self.client(*args, env=knob) for args in
                   (("await", task), ("wait",), ("logs", "-f", task), ("await", "--propagate", task))]
        self.waiting()
        self.goes_away(signal.SIGKILL, *clients)
        for client, status in zip(clients, (4, 4, 4, 125)):
            self.ends(client, status, "", "did not come back within 200ms: what it had accepted is "
                      "not lost, start it and ask again (no running event loop at ")
        self.aiod.start()
        self.gate.open()

    def test_another_state_behind_the_socket(self):
        """Its ids mean other tasks."""
        task = self.gated("exit 0")
        client = self.client("await", str(task), env={"AIOD_RECONNECT": "1h"})
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        other = Instance(root=self.aiod.root, state=os.path.join(self.aiod.root, "other"))
        self.addCleanup(other.close)
        with other:
            self.ends(client, 4, "", "another event loop answers at ")
        self.aiod.start()
        self.gate.open()


class Wait(ReconnectTest):
    def check_wait(self, how):
        """Three tasks: one ends before, one while, one after aiod is away; what comes later is
        not waited for."""
        tasks = [self.gated(f"exit {n}", group=f"g{n}") for n in range(3)]
        client = self.client("wait")
        self.waiting()
        # the gate lets go whoever reads first
        self.gate.open()
        first = until("one has ended", lambda: self.aiod.call("status", states=["DONE"])["tasks"])
        pids = {self.running(task): task for task in tasks if task != first[0]["id"]}
        self.goes_away(how, client)
        self.gate.open()
        until("another has ended", lambda: [p for p in pids if not alive(p)])
        self.aiod.start()
        self.assertIn(BACK, client.stderr.readline())
        later = self.aiod.call("submit", function="sleep", args=[1000])["id"]
        self.gate.open()
        order = [first[0]["id"], *[t for p, t in pids.items() if not alive(p)]]
        order += [t for t in tasks if t not in order]
        out = client.stdout.read()
        self.assertEqual([int(line.split()[0]) for line in out.splitlines()], order)
        self.assertEqual(client.wait(TIMEOUT), 1)
        self.assertEqual(self.task(later)["state"], "SUSPENDED")
        self.aiod.call("cancel", ids=[later])

    config = "".join(f"[group g{n}]\nslots = 1\n" for n in range(3))

    def test_over_a_stop(self):
        self.check_wait(signal.SIGTERM)

    def test_over_a_kill(self):
        self.check_wait(signal.SIGKILL)

    def test_first(self):
        tasks = [self.gated("exit 0", group="g0"), self.gated("exit 0", group="g1")]
        client = self.client("wait", "--first", *map(str, tasks))
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        self.aiod.start()
        self.assertIn(BACK, client.stderr.readline())
        self.gate.open()
        out = client.stdout.read()
        self.assertEqual((len(out.splitlines()), client.wait(TIMEOUT)), (1, 0), out)
        self.gate.open()

    def test_names_keep_their_meaning(self):
        one = self.gated("exit 0", name="x", group="g0")
        client = self.client("wait", "-o", "json", "x")
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        self.aiod.start()
        two = self.gated("exit 5", name="x", group="g1")
        self.gate.open(2)
        out = client.stdout.read()
        self.assertEqual([t["id"] for t in json.loads(out)["done"]], [one])
        self.assertEnds(two, "failed")

    MANY = 12000  # more than one message has room for, each way

    def test_thousands(self):
        with self.aiod.connect() as rpc:
            sent = [rpc.send("submit", function="sleep", args=[1000]) for _ in range(self.MANY)]
            tasks = [rpc.answer(msgid)["id"] for msgid in sent]
        client = self.client("wait")
        self.begun += 1  # it asks in two parts
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        self.aiod.start()
        self.assertIn(BACK, client.stderr.readline())
        self.aiod.call("cancel", ids=["all"])
        out = client.stdout.read()
        seen = [int(line.split()[0]) for line in out.splitlines()]
        self.assertEqual((len(seen), set(seen)), (self.MANY, set(tasks)))
        self.assertEqual(client.wait(TIMEOUT), 1)


class Logs(ReconnectTest):
    def check_logs(self, how):
        task = self.aiod.submit("sh", "-c", "echo one; read _ < {0}; echo two; read _ < {0}; "
                                "echo three; read _ < {0}; printf four".format(self.gate.path))
        client = self.client("logs", "-f")
        self.assertEqual(client.stdout.readline(), "one\n")
        self.aiod.submit("echo", "the last one is another now")
        self.gate.open()
        self.assertEqual(client.stdout.readline(), "two\n")
        self.goes_away(how, client)
        self.gate.open()
        until("it has been written", lambda: self.written(task) == b"one\ntwo\nthree\n")
        self.aiod.start()
        self.assertEqual(client.stdout.readline(), "three\n")
        self.gate.open()
        self.ends(client, 0, "four", BACK)

    def written(self, task):
        with open(glob.glob(f"{self.aiod.state}/output/*/{task}.1.log")[0], "rb") as f:
            return f.read()

    def test_over_a_stop(self):
        self.check_logs(signal.SIGTERM)

    def test_over_a_kill(self):
        self.check_logs(signal.SIGKILL)

    def test_last_lines(self):
        """-n counts from the end as it was, not as it is after the restart."""
        task = self.gated("seq 1 9; read _ < %s; seq 10 19; exit 0" % self.gate.path)
        self.gate.open()
        until("it has been written", lambda: self.written(task).endswith(b"9\n"))
        client = self.client("logs", "-f", "-n", "1", str(task))
        other = self.client("logs", "-f", "-n", "2", str(task))
        self.assertEqual(client.stdout.readline(), "9\n")
        self.assertEqual(other.stdout.readline() + other.stdout.readline(), "8\n9\n")
        self.goes_away(signal.SIGKILL, client, other)
        self.gate.open()
        until("it has been written", lambda: self.written(task).endswith(b"19\n"))
        self.aiod.start()
        rest = "".join(f"{n}\n" for n in range(10, 20))
        self.ends(client, 0, rest, BACK)
        self.ends(other, 0, rest, BACK)

    def test_one_that_has_not_begun(self):
        task = self.aiod.submit("echo", "at last", **{"in": 1})
        client = self.client("logs", "-f", str(task))
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        self.aiod.start()
        self.ends(client, 0, "at last\n", BACK)

    def test_nothing_twice_nothing_missing(self):
        """A stream that never pauses, and aiod killed in the middle of it again and again."""
        line = "i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done"
        task = self.aiod.submit("sh", "-c", f"read _ < {self.gate.path}; {line}")
        client = self.client("logs", "-f", str(task))
        self.waiting()
        self.gate.open()
        seen = []
        for n in range(5):
            seen += [client.stdout.readline() for _ in range(1000)]
            self.aiod.kill(HOW[n % 2])
            self.aiod.start()
        seen += client.stdout.read().splitlines(keepends=True)
        self.assertEqual(client.wait(TIMEOUT), 0)
        self.assertEqual(seen, [f"{i}\n" for i in range(30000)])


class Run(ReconnectTest):
    def check_run(self, how):
        script = ("echo one; echo err >&2; read _ < {0}; echo two; echo bad >&2; read _ < {0}; "
                  "echo three; exit 7").format(self.gate.path)
        client = self.client("run", "-c", script)
        self.assertEqual((client.stdout.readline(), client.stderr.readline()), ("one\n", "err\n"))
        self.goes_away(how, client)
        self.gate.open()
        self.aiod.start()
        self.assertEqual(client.stdout.readline(), "two\n")
        self.gate.open()
        self.ends(client, 7, "three\n", BACK, "bad\n")

    def test_over_a_stop(self):
        self.check_run(signal.SIGTERM)

    def test_over_a_kill(self):
        self.check_run(signal.SIGKILL)

    def started(self, **env):
        """A run whose task stands at the gate, and the task."""
        client = self.client("run", "-c", f"echo ready; read _ < {self.gate.path}; exit 0", env=env)
        self.assertEqual(client.stdout.readline(), "ready\n")
        return client, self.aiod.call("status", limit=1)["tasks"][0]["id"]

    def test_ended_meanwhile(self):
        client, task = self.started()
        pid = self.running(task)
        self.goes_away(signal.SIGKILL, client)
        self.gate.open()
        self.gone(pid)
        self.aiod.start()
        self.ends(client, 0, "", BACK)

    def test_interrupt_while_away(self):
        client, task = self.started(AIOD_RECONNECT="1h")
        self.goes_away(signal.SIGKILL, client)
        client.send_signal(signal.SIGINT)
        self.assertIn(f"cancelling task {task} as soon as the event loop is back",
                      client.stderr.readline())
        self.aiod.start()
        self.ends(client, 128 + signal.SIGINT, "", BACK)
        self.assertEnds(task, "cancelled")

    def test_interrupt_before_it_is_away(self):
        """The cancel may have been lost with the connection: it is asked for again."""
        client, task = self.started(AIOD_RECONNECT="1h")
        os.kill(self.aiod.process.pid, signal.SIGSTOP)
        client.send_signal(signal.SIGTERM)
        self.assertEqual(client.stderr.readline(), f"aioctl: run: cancelling task {task}\n")
        self.goes_away(signal.SIGKILL, client)
        self.aiod.start()
        self.ends(client, 128 + signal.SIGTERM, "", BACK)
        self.assertEnds(task, "cancelled")

    def test_leave_while_away(self):
        client, task = self.started(AIOD_RECONNECT="1h")
        self.goes_away(signal.SIGKILL, client)
        client.send_signal(signal.SIGINT)
        self.assertIn("once more leaves it", client.stderr.readline())
        client.send_signal(signal.SIGINT)
        self.ends(client, 128 + signal.SIGINT, "", f"task {task} goes on: aioctl logs -f {task}")
        self.aiod.start()
        self.gate.open()
        self.assertEnds(task, "ok")

    def test_hangup_while_away(self):
        client, task = self.started(AIOD_RECONNECT="1h")
        self.goes_away(signal.SIGKILL, client)
        client.send_signal(signal.SIGHUP)
        self.ends(client, 128 + signal.SIGHUP, "", f"task {task} goes on: aioctl logs -f {task}")
        self.aiod.start()
        self.gate.open()
        self.assertEnds(task, "ok")

    def test_it_never_comes_back(self):
        client, task = self.started(AIOD_RECONNECT="200ms")
        self.goes_away(signal.SIGKILL, client)
        self.ends(client, 125, "", "did not come back within 200ms",
                  f"task {task} goes on: aioctl logs -f {task}")
        self.aiod.start()
        self.gate.open()
        self.assertEnds(task, "ok")

    def test_a_submit_without_an_answer(self):
        """Nobody knows whether it was accepted, and run says so."""
        self.begun = 1  # who is stopped cannot be asked what is on its loop
        os.kill(self.aiod.process.pid, signal.SIGSTOP)
        clients = [self.client("run", "true"), self.client("submit", "true")]
        for client in clients:
            until("it is connected", lambda: connected(client.pid))
        self.aiod.kill(signal.SIGKILL)
        for client, status in zip(clients, (125, 4)):
            self.assertEqual(client.wait(TIMEOUT), status)
            self.assertIn("went away before it answered: the task may or may not have been accepted, "
                          "`aioctl status` tells", client.stderr.read())
        self.aiod.start()


def connected(pid):
    """Whether it has a socket, waits in poll, and so has sent what it had to say."""
    try:
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        with open(f"/proc/{pid}/wchan", encoding="ascii") as f:
            wchan = f.read()
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            state = f.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, PermissionError):
        return False
    return any(fd.startswith("socket:") for fd in fds) and state == "S" and "exec" not in wchan


class Activated(Instance):
    """Its socket is made by us, and takes connections while no aiod runs, as systemd's."""

    def __init__(self, **kwargs):
        script = 'exec 3<&"$LISTENER"; LISTEN_PID=$$ exec "$@"'
        super().__init__(wrapper=["sh", "-c", script, "sh"], **kwargs)
        os.mkdir(self.runtime, 0o755)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.socket)
        self.listener.listen(64)
        self.pass_fds = [self.listener.fileno()]
        self.env.update(LISTENER=str(self.listener.fileno()), LISTEN_FDS="1",
                        LISTEN_FDNAMES="control")

    def close(self):
        status = super().close()
        self.listener.close()
        return status


class SocketActivation(ReconnectTest):
    def make_instance(self):
        return Activated(config=self.config)

    def test_the_answer_counts_not_the_connection(self):
        task = self.gated("exit 0")
        client = self.client("await", str(task), env={"AIOD_RECONNECT": "1h"})
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.aiod.socket)
        self.aiod.start()
        self.gate.open()
        self.ends(client, 0, "0\n", BACK)

    def test_nobody_answers(self):
        task = self.gated("exit 0")
        client = self.client("await", str(task), env={"AIOD_RECONNECT": "300ms"})
        self.waiting()
        self.goes_away(signal.SIGKILL, client)
        self.ends(client, 4, "", "did not come back within 300ms")
        self.aiod.start()
        self.gate.open()

    def test_interrupt_while_nobody_answers(self):
        client = self.client("run", "-c", f"echo ready; read _ < {self.gate.path}; exit 0",
                             env={"AIOD_RECONNECT": "1h"})
        self.assertEqual(client.stdout.readline(), "ready\n")
        self.goes_away(signal.SIGKILL, client)
        client.send_signal(signal.SIGINT)
        self.assertIn("as soon as the event loop is back", client.stderr.readline())
        self.aiod.start()
        self.ends(client, 128 + signal.SIGINT, "", BACK)


if __name__ == "__main__":
    unittest.main()

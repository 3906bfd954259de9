# SPDX-License-Identifier: MIT
"""Instances of the real aiod, each in a directory of its own, and two ways to talk to them:
the real aioctl, and a bare MessagePack-RPC connection.

Nothing here sleeps to wait: aiod says READY=1 on a NOTIFY_SOCKET of ours, everything else is
asked for (await, wait) or watched (until).
"""
import atexit
import contextlib
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import msgpack

BUILD = os.environ.get("AIOD_BUILD") or os.path.join(os.path.dirname(__file__), "../../build/dev")
BUILD = os.path.abspath(BUILD)


def reachable(build):
    """The executables where every user may execute them: the tree may be below root's home."""
    above = [build]
    while above[-1] != "/":
        above.append(os.path.dirname(above[-1]))
    if all(os.stat(directory).st_mode & 0o001 for directory in above):
        return build
    copy = tempfile.mkdtemp(prefix="aiod-build-")
    atexit.register(shutil.rmtree, copy, True)
    os.chmod(copy, 0o755)
    for path in ("daemon/aiod", "client/aioctl", "daemon/spawner/aiod-spawner"):
        os.makedirs(os.path.join(copy, os.path.dirname(path)), exist_ok=True)
        shutil.copy(os.path.join(build, path), os.path.join(copy, path))
    return copy


EXECUTABLES = reachable(BUILD) if os.getuid() == 0 else BUILD
AIOD = os.path.join(EXECUTABLES, "daemon/aiod")
AIOCTL = os.path.join(EXECUTABLES, "client/aioctl")
SPAWNER = os.path.join(EXECUTABLES, "daemon/spawner/aiod-spawner")
TIMEOUT = 60  # seconds; only ever reached by a failure
with open(AIOD, "rb") as executable:
    SANITIZED = re.search(rb"__[at]san_init", executable.read()) is not None


class RpcError(Exception):
    def __init__(self, error):
        self.error = error
        self.word = error["code"] if isinstance(error, dict) else str(error[1]).split(":")[0]
        self.message = error["message"] if isinstance(error, dict) else error[1]
        super().__init__(f"{self.word}: {self.message}")


class Rpc:
    """One connection, one thread: call() sends a request and reads until its answer."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.connect(path)  # a timeout before would make a full backlog an error
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(TIMEOUT)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.msgid = 0
        self.notifications = []
        self.answers = {}

    def send(self, method, params=None, **fields):
        self.msgid += 1
        params = dict(params or {}, **fields)
        self.sock.sendall(msgpack.packb([0, self.msgid, method, [params]]))
        return self.msgid

    def read(self):
        """The next message, or None at the end of the connection."""
        while True:
            for message in self.unpacker:
                return message
            data = self.sock.recv(65536)
            if not data:
                return None
            self.unpacker.feed(data)

    def answer(self, msgid):
        while msgid not in self.answers:
            message = self.read()
            if message is None:
                raise ConnectionError("aiod closed the connection")
            if message[0] == 2:
                self.notifications.append(message)
            else:
                self.answers[message[1]] = (message[2], message[3])
        error, result = self.answers.pop(msgid)
        if error is not None:
            raise RpcError(error)
        return result

    def call(self, method, params=None, **fields):
        return self.answer(self.send(method, params, **fields))

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def until(what, condition, timeout=TIMEOUT):
    """Waits for something that sends no event (a file of ours, a process): looks every 5 ms."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not so after {timeout} s: {what}")
        time.sleep(0.005)


class Instance:
    """An aiod with a runtime and a state directory below one temporary directory."""

    def __init__(self, root=None, state=None, config=None, extra=(), env=None, wrapper=()):
        self.root = root or tempfile.mkdtemp(prefix="aiod-test-")
        self.owned = root is None
        self.runtime = os.path.join(self.root, "run")
        self.state = state or os.path.join(self.root, "state")
        self.socket = os.path.join(self.runtime, "control.sock")
        self.log = os.path.join(self.root, "aiod.log")
        self.config = os.path.join(self.root, "aiod.conf")
        self.extra = list(extra)
        self.wrapper = list(wrapper)
        self.pass_fds = []
        self.env = dict(os.environ)
        for name in ("SYSTEMD_EXEC_PID", "INVOCATION_ID", "AIOD_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"):
            self.env.pop(name, None)
        self.env.update(env or {})
        self.process = None
        if config is not None:
            self.configure(config)

    def configure(self, text):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def command(self):
        args = [AIOD, "--runtime-dir", self.runtime, "--state-dir", self.state]
        if os.path.exists(self.config):
            args += ["--config", self.config]
        return self.wrapper + args + self.extra

    def start(self, ready=True):
        """Starts it and waits for READY=1; fails with its log when it ends before."""
        notify_path = os.path.join(self.root, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify_path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            os.chmod(notify_path, 0o666)
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env=dict(self.env, NOTIFY_SOCKET=notify_path), pass_fds=self.pass_fds)
            if ready:
                self.wait_ready(notify)
        return self

    def wait_ready(self, notify):
        pidfd = os.pidfd_open(self.process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(notify, selectors.EVENT_READ)
                selector.register(pidfd, selectors.EVENT_READ)
                end = time.monotonic() + TIMEOUT
                while time.monotonic() < end:
                    ready = {key.fileobj for key, _ in selector.select(1)}
                    if notify in ready and b"READY=1" in notify.recv(4096):
                        return
                    if pidfd in ready and notify not in ready:
                        raise AssertionError(
                            f"aiod ended with {self.process.wait()}:\n{self.log_text()}")
        finally:
            os.close(pidfd)
        raise AssertionError(f"aiod was not ready in time:\n{self.log_text()}")

    def log_text(self):
        """What aiod has said, and the spawner."""
        text = ""
        for path in (self.log, os.path.join(self.state, "spawner.log")):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    def connect(self):
        return Rpc(self.socket)

    def call(self, method, params=None, **fields):
        with self.connect() as rpc:
            return rpc.call(method, params, **fields)

    def submit(self, *argv, **fields):
        args = {"argv": list(argv), "cwd": "/", "env": [f"PATH={os.environ['PATH']}"]}
        args.update(fields.pop("args", {}))
        return self.call("submit", args=args, **fields)["id"]

    def wait_for(self, task, timeout=TIMEOUT):
        return self.call("await", id=task, timeout=timeout)

    def until_state(self, task, state):
        """Waits until a live task is in that state; returns the task as `status` shows it."""
        def look():
            found = self.call("status", ids=[task])["tasks"][0]
            return found if found["state"] == state else None
        return until(f"task {task} is {state}", look)

    def output(self, task, **fields):
        """What a task has printed, as bytes."""
        with self.connect() as rpc:
            rpc.call("logs", id=task, **fields)
            return b"".join(message[2][0]["data"] for message in rpc.notifications)

    def aioctl(self, *args, check=None, **kwargs):
        """Runs aioctl against this instance; check is the exit status it must have."""
        env = dict(self.env, AIOD_SOCKET=self.socket, AIOD_NO_START="1", TZ="UTC")
        env.update(kwargs.pop("env", {}))
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([AIOCTL, *args], env=env, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False, **kwargs)
        if check is not None and done.returncode != check:
            raise AssertionError(f"aioctl {' '.join(args)}: exit {done.returncode}, not {check}\n"
                                 f"{done.stdout}{done.stderr}\n{self.log_text()}")
        return done

    def spawner_pid(self):
        return self.call("health")["spawner"]["pid"]

    def kill(self, signo=signal.SIGKILL):
        self.process.send_signal(signo)
        return self.process.wait(TIMEOUT)

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.terminate()
        return self.process.wait(TIMEOUT)

    def end_spawner(self):
        """The spawner and every command with it."""
        lock = os.path.join(self.state, "spawner.sock.lock")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError,
                                 ProcessLookupError):
            with open(lock, encoding="ascii") as f:
                pid = int(f.read().strip())
            pidfd = os.pidfd_open(pid)
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                ours = f.read().strip() == "aiod-spawner"
            if ours:
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                with selectors.DefaultSelector() as selector:
                    selector.register(pidfd, selectors.EVENT_READ)
                    selector.select(TIMEOUT)
            os.close(pidfd)

    def close(self):
        status = self.stop()
        self.end_spawner()
        if self.owned:
            shutil.rmtree(self.root, ignore_errors=True)
        return status

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()


class Gate:
    """A FIFO that holds up every command which runs `gate.command`, until it is opened."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "gate")
        os.mkfifo(self.path)
        self.command = f"read x < {self.path}"

    def at(self):
        """A descriptor once a command is at the gate, else None."""
        try:
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    def open(self):
        os.close(until("a command is at the gate", self.at))


class InstanceTest(unittest.TestCase):
    """A test with an instance of its own that has to end with exit status 0 and, in a sanitizer
    build, without a report."""

    config = None

    def make_instance(self):
        return Instance(config=self.config)

    def setUp(self):
        self.aiod = self.make_instance()
        self.addCleanup(self.check_end)
        self.aiod.start()

    def check_end(self):
        status = self.aiod.stop()
        self.aiod.end_spawner()
        log = self.aiod.log_text()
        self.aiod.close()
        self.assertEqual(status, 0, log)
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, log)

    def assertRpcError(self, word, method, params=None, **fields):
        with self.assertRaises(RpcError) as caught:
            self.aiod.call(method, params, **fields)
        self.assertEqual(caught.exception.word, word, caught.exception.message)
        return caught.exception.message

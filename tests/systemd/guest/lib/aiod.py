# SPDX-License-Identifier: MIT
"""aioctl as a user of the booted machine, and commands that end when a check says so."""
import contextlib
import json
import os
import socket

from lib.check import Failed, options, until
from lib.system import run

SOCKET = "/run/aiod/control.sock"


def aioctl(*argv, user="ana", status=0, **options):
    """Runs aioctl; what it printed. It must exit with that status (None: any)."""
    env = {"TZ": "UTC", "AIOD_NO_START": "1", **options.pop("env", {})}
    return run("aioctl", *argv, user=user, status=status, env=env, **options)


def submit(*argv, user="ana", given=(), **more):
    """Submits a command with these options; its id."""
    out = aioctl("submit", *given, *argv, user=user, **more).out
    if not out.strip().isdigit():
        raise Failed(f"aioctl submit printed {out!r}, not an id")
    return int(out)


def look(task, user="ana", **more):
    """A task as `aioctl status` shows it in JSON."""
    told = json.loads(aioctl("status", str(task), "-o", "json", user=user, **more).out)
    found = told if isinstance(told, dict) and "id" in told else rows(told)[0]
    return found


def rows(told):
    """The tasks of a `status -o json`."""
    return told["tasks"] if isinstance(told, dict) else told


def listed(*given, user="ana"):
    """The tasks that `aioctl status` lists."""
    return rows(json.loads(aioctl("status", *given, "-o", "json", user=user).out))


def ended(task, user="ana", **more):
    """Waits for the end of a task; the task."""
    aioctl("wait", str(task), user=user, status=None, **more)
    return look(task, user, **more)


def outcome(task):
    """How a task that is DONE ended, in one word or two: "ok", "exit 3", "signal 9", "LostError",
    "cancelled"."""
    if task.get("outcome") in ("ok", "cancelled"):
        return task["outcome"]
    error = task.get("error", {})
    for kind in ("exit", "signal"):
        if kind in error:
            return f"{kind} {error[kind]}"
    return error.get("type", str(task))


def result(task, user="ana", **more):
    """Waits for a task; its outcome()."""
    return outcome(ended(task, user, **more))


def until_state(task, state, user="ana", **more):
    """Waits until a task is in that state; the task."""
    return until(f"task {task} is {state}",
                 lambda: (found := look(task, user, **more))["state"] == state and found,
                 detail=lambda: str(look(task, user, **more)))


def health(user="root", **more):
    return json.loads(aioctl("health", "-o", "json", user=user, **more).out)


class Rpc:
    """A bare MessagePack-RPC connection, for what aioctl does not offer."""

    def __init__(self, path=SOCKET):
        import msgpack  # the host, which reads the themes for their checks, need not have it
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.pack = msgpack.packb
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.msgid = 0
        self.answers = {}

    def send(self, method, **params):
        """Sends a request; what answer() takes, which tells if the connection is broken."""
        self.msgid += 1
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(self.pack([0, self.msgid, method, [params]]))
        return self.msgid

    def answer(self, msgid):
        """The result of a request; Failed with its error; ConnectionError."""
        while msgid not in self.answers:
            for message in self.unpacker:
                if message[0] == 1:
                    self.answers[message[1]] = message[2:]
            if msgid not in self.answers:
                data = self.sock.recv(65536)
                if not data:
                    raise ConnectionError("aiod closed the connection")
                self.unpacker.feed(data)
        error, told = self.answers.pop(msgid)
        if error is not None:
            raise Failed(str(error[1]))
        return told

    def call(self, method, **params):
        return self.answer(self.send(method, **params))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()


class Gate:
    """A FIFO that holds up a command, which then exits with the status that is put into it. What
    is put in before the command reads is not lost: the check holds the FIFO open."""

    count = 0

    def __init__(self, user="ana"):
        Gate.count += 1
        self.path = f"/gates/{options()['boot']}-{Gate.count}"
        os.makedirs("/gates", exist_ok=True)
        os.mkfifo(self.path, 0o666)
        os.chmod(self.path, 0o666)
        self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        # <>: it goes on waiting also when this process is gone
        self.argv = ("sh", "-c", f"read code <> {self.path}; exit $code")
        self.user = user

    def submit(self, *given, **more):
        """A task that waits here; its id."""
        return submit(*self.argv, given=given, **{"user": self.user, **more})

    def running(self, *given, **more):
        """The same once its command runs; the task."""
        more = {"user": self.user, **more}
        return until_state(self.submit(*given, **more), "RUNNING", **more)

    def open(self, status=0):
        os.write(self.fd, f"{status}\n".encode())

    def close(self):
        with contextlib.suppress(OSError):
            os.close(self.fd)
            os.unlink(self.path)

# SPDX-License-Identifier: MIT
"""What the tests of many users share: instances that serve every user, in the two ways that there
are, and connections of other users that keep every byte which they receive. Needs root."""
import ast
import os
import re
import signal
import subprocess
import sys
import unittest

from harness import SPAWNER, TIMEOUT, Instance, InstanceTest, RpcError, until

AIOD_UID = 4100   # of an aiod that runs as a user of its own, as the units have it
ALICE, BOB = 4101, 4102
MARK = "s3cr3t7f3a"  # in everything of alice's that nobody else may ever see

# Becomes another user, connects, reads calls as lines of Python from stdin, answers each likewise:
# with what came, and with all bytes that were received meanwhile.
CLIENT = r"""
import ast, os, sys
sys.path.insert(0, sys.argv[2])
from harness import Rpc, RpcError
uid, gid, groups = ast.literal_eval(sys.argv[3])
os.setgroups(groups)
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
received = bytearray()
class Tap:
    def __init__(self, sock):
        self.sock, self.sendall = sock, sock.sendall
    def recv(self, size):
        data = self.sock.recv(size)
        received.extend(data)
        return data
try:
    rpc = Rpc(sys.argv[1])
except OSError as error:
    sys.exit(error.errno)
rpc.sock = Tap(rpc.sock)
asked = {}
for line in sys.stdin:
    what, method, params = ast.literal_eval(line)
    try:
        if what == "send":
            asked[method] = rpc.send(method, params)
            answer = {"result": None}
        elif what == "answer":
            answer = {"result": rpc.answer(asked.pop(method))}
        elif what == "read":
            while not rpc.notifications:
                message = rpc.read()
                if message is None:
                    raise ConnectionError("closed")
                if message[0] == 2:
                    rpc.notifications.append(message)
                else:
                    rpc.answers[message[1]] = (message[2], message[3])
            answer = {"result": rpc.notifications.pop(0)[2][0]}
        else:
            answer = {"result": rpc.call(method, params)}
    except RpcError as error:
        answer = {"word": error.word, "message": error.message}
    except OSError as error:
        answer = {"word": "", "message": str(error)}
    answer["notifications"] = [] if what == "read" else [n[2][0] for n in rpc.notifications]
    if what == "call":
        rpc.notifications.clear()
    answer["received"] = bytes(received)
    received.clear()
    print(repr(answer), flush=True)
"""


class Peer:
    """A connection of another user, in a process of theirs."""

    def __init__(self, path, uid, gid=None, groups=(), wrapper=()):
        here = os.path.dirname(os.path.abspath(__file__))
        who = repr((uid, uid if gid is None else gid, list(groups)))
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-B", "-c", CLIENT, path, here, who],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.received = b""  # all there ever was
        self.output = b""    # of the last `logs`

    def talk(self, what, method, params):
        self.process.stdin.write(repr((what, method, params)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise ConnectionError(f"the client of another user ended with {self.process.wait()}")
        answer = ast.literal_eval(line)
        self.received += answer["received"]
        self.output = b"".join(n["data"] if isinstance(n["data"], bytes) else n["data"].encode()
                               for n in answer["notifications"] if "data" in n)
        if "result" in answer:
            return answer["result"]
        raise RpcError([0, answer["message"]])

    def call(self, method, params=None, **fields):
        return self.talk("call", method, dict(params or {}, **fields))

    def send(self, method, params=None, **fields):
        """Asks and does not wait; one request of a method at a time."""
        self.talk("send", method, dict(params or {}, **fields))

    def answer(self, method):
        return self.talk("answer", method, {})

    def read(self):
        """The next notification."""
        return self.talk("read", "", {})

    def submit(self, *argv, **fields):
        args = {"argv": list(argv)}
        args.update(fields.pop("args", {}))
        return self.call("submit", args=args, **fields)["id"]

    def logs(self, task, **fields):
        self.call("logs", id=task, **fields)
        return self.output

    def run(self, *argv, **fields):
        """A command to its end: (the task, its output)."""
        end = self.call("await", id=self.submit(*argv, **fields), timeout=TIMEOUT)
        return end, self.logs(end["id"])

    def close(self):
        self.process.stdin.close()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()


class AsRoot(Instance):
    """aiod --system run by root, which starts its spawner."""

    user = 0

    def __init__(self, **kwargs):
        kwargs.setdefault("config", "[control]\nsocket-mode = 0666\n")
        super().__init__(**kwargs)
        os.chmod(self.root, 0o711)
        os.mkdir(self.state, 0o700)
        os.mkdir(self.runtime, 0o755)
        self.extra.append("--system")


class AsUnits(AsRoot):
    """aiod as a user of its own, and a spawner of root's that was there before, as the units have
    it."""

    user = AIOD_UID

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.private = os.path.join(self.root, "spawner")
        os.mkdir(self.private, 0o755)
        self.spawner_socket = os.path.join(self.private, "spawner.sock")
        self.spawner_wrapper = []
        self.spawner_env = {}
        self.spawner_pass_fds = []
        self.spawner = None
        for path in (self.state, self.runtime):
            os.chown(path, AIOD_UID, AIOD_UID)
        self.wrapper += ["setpriv", f"--reuid={AIOD_UID}", f"--regid={AIOD_UID}", "--clear-groups"]
        self.extra += ["--spawner-socket", self.spawner_socket]

    def start_spawner(self):
        state = os.path.join(self.private, "state")
        os.makedirs(state, 0o700, exist_ok=True)
        read, write = os.pipe()
        with open(self.log, "ab") as log:
            self.spawner = subprocess.Popen(
                [*self.spawner_wrapper, SPAWNER, "--socket", self.spawner_socket, "--state-dir",
                 state, "--peer-uid", str(AIOD_UID), "--ready-fd", str(write)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(self.env, **self.spawner_env),
                pass_fds=[write, *self.spawner_pass_fds])
        os.close(write)
        with open(read, "rb") as ready:
            if ready.readline() != b"READY=1\n":
                raise AssertionError(f"no spawner:\n{self.log_text()}")

    def start(self, ready=True):
        if self.spawner is None:
            self.start_spawner()
        return super().start(ready)

    def end_spawner(self):
        if self.spawner is not None:
            self.spawner.send_signal(signal.SIGTERM)
            self.spawner.wait(TIMEOUT)
            self.spawner = None


@unittest.skipUnless(os.getuid() == 0, "needs root")
class UsersTest(InstanceTest):
    """An instance that serves every user; subclasses say which."""

    kind = AsRoot

    def make_instance(self):
        return self.kind()

    def peer(self, uid, **kwargs):
        peer = Peer(self.aiod.socket, uid, **kwargs)
        self.addCleanup(peer.close)
        return peer

    def home(self, name, uid, mode=0o700):
        """A directory of a user's own."""
        path = os.path.join(self.aiod.root, name)
        os.mkdir(path)
        os.chown(path, uid, uid)
        os.chmod(path, mode)
        return path

    def write(self, path, text, uid=0, mode=0o600):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chown(path, uid, uid)
        os.chmod(path, mode)
        return path

    def refused(self, peer, method, **params):
        """The word and the sentence of the refusal."""
        with self.assertRaises(RpcError) as caught:
            answer = peer.call(method, **params)
            self.fail(f"{method} {params} was answered: {answer}")
        return caught.exception.word, caught.exception.message


def both(*cases):
    """Makes of each class of tests one for each way to serve many users."""
    namespace = sys.modules[cases[0].__module__].__dict__
    for case in cases:
        for kind in (AsRoot, AsUnits):
            name = f"{case.__name__}{kind.__name__}"
            namespace[name] = type(name, (case,), {"kind": kind, "__module__": case.__module__})
        del namespace[case.__name__]


def methods_of_the_protocol():
    """The names in the table of PROTOCOL.md."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../proto/PROTOCOL.md")
    with open(path, encoding="utf-8") as f:
        text = f.read().partition("## Methods")[2].partition("###")[0]
    return set(re.findall(r"^\| `(\w+)` \|", text, re.M))


__all__ = ["ALICE", "BOB", "MARK", "AIOD_UID", "AsRoot", "AsUnits", "Peer", "RpcError", "TIMEOUT",
           "UsersTest", "both", "methods_of_the_protocol", "until"]

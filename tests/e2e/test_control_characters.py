# SPDX-License-Identifier: MIT
"""What a user chooses moves nobody's cursor and is nobody's log line: control characters, direction
overrides and bytes that are no text are refused in names, and shown escaped everywhere else."""
import os
import pty
import re
import select
import subprocess
import unittest

from harness import AIOCTL, TIMEOUT, InstanceTest, RpcError

# newline, return, ESC, BEL, DEL, C1 (U+009B is CSI), line separator, bidi override and isolate
WORST = "a\nb\rc\x1b[31md\x07e\x7ff\u0085g\u009b2Jh\u2028i\u202ej\u2066k"
BYTES = WORST.encode() + b"\xff\xc3\x28\xed\xa0\x80"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ENV = [f"PATH={os.environ['PATH']}"]


class Names(InstanceTest):
    def test_names_are_refused(self):
        good = {"args": {"argv": ["true"]}}
        for bad in ("x\ny", "x\x1by", "x\x7fy", "x\u0085y", "x\u009by", "x\u202ey", "x\u2066y",
                    "x\u2028y", "x y", "\u202ex", "x\ty", b"x\xff", b"x\xc3", b"x\xed\xa0\x80"):
            self.assertRpcError("invalid", "submit", name=bad, **good)
            self.assertRpcError("invalid", "group", name=bad, new=True, slots=1)
            self.assertRpcError("not-found", "submit", group=bad, **good)
        self.assertEqual(self.aiod.call("status")["tasks"], [])
        self.assertEqual([g["name"] for g in self.aiod.call("groups")], ["default"])
        self.aiod.submit("true", name="prüfung-猫")  # letters of all the world may follow

    def test_names_in_the_configuration(self):
        for bad in (b"x\x1b[31my", b"x\x7fy", "x\u009by".encode(), "x\u202ey".encode(), b"x\xff"):
            with open(self.aiod.config, "wb") as f:
                f.write(b"[group " + bad + b"]\nslots = 1\n")
            done = subprocess.run(self.aiod.command() + ["--config", self.aiod.config],
                                  env=self.aiod.env, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertIn(b"a group's name holds no control characters", done.stderr)
            self.assertNotIn(bad, done.stderr)


class Shown(InstanceTest):
    """Tasks whose every text is the worst there is, and all that aioctl says about them."""

    config = "[log]\nlevel = debug\n"

    def setUp(self):
        super().setUp()
        self.directory = os.path.join(self.aiod.root.encode(), BYTES)
        os.mkdir(self.directory)
        self.command = os.path.join(self.directory, b"command-" + BYTES)
        with open(self.command, "wb") as f:
            f.write(b"#!/bin/sh\nprintf '%s\\n' \"$0\"\nexit 3\n")
        os.chmod(self.command, 0o755)
        self.tasks = {
            "argv": self.submit([b"true", BYTES]),
            "line": self.submit(["sh", "-c", WORST + "; exit 7"], line=True),
            "title": self.submit([self.command]),
            "no such command": self.submit([b"/missing/" + BYTES]),
            "no interpreter": self.submit([BYTES]),
            "no such cwd": self.submit(["true"], cwd=b"/missing/" + BYTES),
            "no such stdin": self.submit(["true"], stdin=b"/missing/" + BYTES),
            "cwd": self.submit(["sh", "-c", "exit 5"], cwd=self.directory),
            "last line": self.submit(["sh", "-c", 'printf "%s" "$0"; exit 4', BYTES]),
            "environment": self.submit(["true"], env=[b"A=" + BYTES, *ENV]),
            "live": self.submit(["sh", "-c", "exec sleep 1000", BYTES]),
            "later": self.submit(["true", BYTES], more={"in": 1000}),
        }
        for name, task in self.tasks.items():
            if name not in ("live", "later"):
                self.aiod.wait_for(task)

    def submit(self, argv, more=None, **args):
        return self.aiod.call("submit", args={"argv": argv, "env": ENV, **args}, **(more or {}))["id"]

    def assertHarmless(self, what, text):
        """Lines of printable text; tabs are not used either."""
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            self.fail(f"{what}: {error}: {text}")
        found = FORBIDDEN.search(decoded.replace("\r\n", "\n"))
        self.assertIsNone(found, f"{what}: {found} in {decoded!r}")

    def on_a_terminal(self, *args):
        """What aioctl writes to a terminal without colours; its exit status is left aside."""
        ours, theirs = pty.openpty()
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOD_NO_START="1", NO_COLOR="1",
                   TERM="xterm", LANG="C.UTF-8")
        with subprocess.Popen([AIOCTL, *args], stdin=theirs, stdout=theirs, stderr=theirs,
                              env=env) as process:
            os.close(theirs)
            shown = b""
            while select.select([ours], [], [], TIMEOUT)[0]:
                try:
                    data = os.read(ours, 65536)
                except OSError:  # EIO: nobody has the other end open any more
                    break
                shown += data
        os.close(ours)
        return shown

    def in_a_pipe(self, *args):
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOD_NO_START="1")
        done = subprocess.run([AIOCTL, *args], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT,
                              check=False)
        return done.stdout, done.stderr

    def commands(self):
        every = [str(task) for task in self.tasks.values()]
        yield ("status",)
        yield ("status", "--done")
        yield ("status", "-o", "wide", *every)
        for task in every:
            yield ("status", task)
            yield ("result", task)
            yield ("await", "--timeout", "0.1", task)
            yield ("wait", "--timeout", "0.1", task)
        yield ("status", "--env", str(self.tasks["environment"]))
        yield ("wait", *every[:-2])
        yield ("cancel", str(self.tasks["live"]), str(self.tasks["later"]))
        yield ("rm", *every)

    def test_on_a_terminal(self):
        for command in self.commands():
            shown = self.on_a_terminal(*command)
            self.assertGreater(len(shown), 0, command)
            self.assertHarmless(command, shown)

    def test_in_a_pipe(self):
        """Tables are escaped in a pipe too: it may end in a terminal."""
        for command in self.commands():
            for text in self.in_a_pipe(*command):
                self.assertHarmless(command, text)

    def test_json(self):
        """JSON is UTF-8, one line a record, without control characters."""
        for task in self.tasks.values():
            out, _ = self.in_a_pipe("status", "-o", "json", str(task))
            out.decode("utf-8")
            self.assertNotRegex(out, rb"[\x00-\x09\x0b-\x1f\x7f]")
        out, _ = self.in_a_pipe("status", "-o", "jsonl", *map(str, self.tasks.values()))
        self.assertEqual(len(out.splitlines()), len(self.tasks))

    def test_errors_of_requests(self):
        """Sentences quote what they do not know."""
        with self.aiod.connect() as rpc:
            rpc.call("hello", client=WORST)
            rpc.call("hello", client=BYTES)
            for method, params in ((WORST, {}), (BYTES, {}), ("submit", {"function": WORST}),
                                   ("submit", {"group": WORST, "args": {"argv": ["true"]}}),
                                   ("submit", {WORST: 1}), ("task", {"id": WORST}),
                                   ("status", {"ids": [WORST]}), ("status", {"group": WORST}),
                                   ("status", {"states": [WORST]}), ("logs", {"id": BYTES}),
                                   ("submit", {"at": WORST}), ("group", {"name": WORST})):
                try:
                    rpc.call(method, params)
                except RpcError as error:
                    message = error.message
                    self.assertIsNone(FORBIDDEN.search(message), (method, params, message))

    def test_errors_of_aioctl(self):
        for command in (("status", WORST), ("wait", WORST), ("logs", WORST), (WORST,),
                        ("submit", "--group", WORST, "true"), ("submit", "--name", WORST, "true"),
                        ("submit", "--" + WORST), ("submit", "--call", WORST), ("run", WORST),
                        ("run", "--stdin", "/" + WORST, "true")):
            self.assertHarmless(command, self.on_a_terminal(*command))

    def tearDown(self):
        """The log, at its most talkative: lines of aiod's own, and nothing else."""
        self.aiod.call("cancel", ids=["all"], kill=True)
        self.aiod.call("wait")
        self.aiod.stop()
        with open(self.aiod.log, "rb") as f:
            log = f.read()
        self.assertHarmless("the log", log)
        for line in log.decode().splitlines():
            self.assertRegex(line, r"\A\d\d:\d\d:\d\d\.\d\d\d aiod: ")


if __name__ == "__main__":
    unittest.main()

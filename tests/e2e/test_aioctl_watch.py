# SPDX-License-Identifier: MIT
"""aioctl status --watch on a terminal and on a pipe: it follows events and polls nothing, keeps the
terminal whole, and outlives the daemon."""
import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
import unittest

import msgpack

from harness import AIOCTL, TIMEOUT, Gate, InstanceTest, until
from terminal import Terminal


class Relay:
    """A socket in front of aiod's, which counts the requests that pass."""

    def __init__(self, directory, target):
        self.path = os.path.join(directory, "relay.sock")
        self.target = target
        self.methods = []
        self.hold = False  # nothing of aiod's passes from the next `status` on
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.run)
        self.stop, self.stopped = os.pipe()
        self.thread.start()

    def run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            selector.register(self.stop, selectors.EVENT_READ)
            peers, unpackers = {}, {}
            while True:
                for key, _ in selector.select():
                    if key.fileobj == self.stop:
                        for one in peers:
                            one.close()
                        return
                    if key.fileobj is self.listener:
                        client = self.listener.accept()[0]
                        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                        server.connect(self.target)
                        peers[client], peers[server] = server, client
                        unpackers[client] = msgpack.Unpacker(raw=False, strict_map_key=False)
                        selector.register(client, selectors.EVENT_READ)
                        selector.register(server, selectors.EVENT_READ)
                        continue
                    self.pass_on(key.fileobj, peers, unpackers, selector)

    def pass_on(self, source, peers, unpackers, selector):
        if source not in peers:
            return
        if source not in unpackers:
            self.open.wait(TIMEOUT)
        data = source.recv(65536)
        if not data:
            for one in (source, peers[source]):
                selector.unregister(one)
                one.close()
                other = peers.pop(one)
                unpackers.pop(one, None)
                del other
            return
        if source in unpackers:
            unpackers[source].feed(data)
            asked = [message[2] for message in unpackers[source]]
            if self.hold and "status" in asked:
                self.open.clear()
            self.methods += asked
        with contextlib.suppress(OSError):  # it has gone, which is told next
            peers[source].sendall(data)

    def close(self):
        self.open.set()
        os.close(self.stopped)
        self.thread.join(TIMEOUT)
        os.close(self.stop)
        self.listener.close()


class WatchTest(InstanceTest):
    config = "[group default]\nslots = 4\n"

    def environment(self, **env):
        return dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, TERM="xterm", TZ="UTC", **env)

    def watch(self, *args, rows=24, columns=100, **env):
        return Terminal([AIOCTL, "status", "--watch", *args], self.environment(**env), rows,
                        columns)

    def check_restored(self, terminal):
        self.assertIsNone(terminal.alternate)
        self.assertTrue(terminal.cursor)
        attributes = terminal.attributes()
        self.assertEqual(attributes[3], terminal.before[3])


class OnATerminal(WatchTest):
    def test_follows(self):
        with self.watch() as terminal:
            terminal.until_text(r"(?s)aiod · .*no tasks")
            self.assertIsNotNone(terminal.alternate)
            self.assertFalse(terminal.cursor)
            gate = Gate(self.aiod.root)
            task = self.aiod.submit("sh", "-c", gate.command + "; true")
            terminal.until_text(rf"(?m)^ +{task}  RUNNING +\S+ +process [0-9]+ +sh -c read x")
            gate.open()
            terminal.until_text(rf"(?m)^ +{task}  DONE ok ")
            self.aiod.aioctl("group", "pause", "default", check=0)
            self.aiod.submit("true")
            terminal.until_text(r"(?s)default · slots 0 of 4 · paused.*slot of default, paused")
            self.aiod.aioctl("rm", str(task), check=0)
            terminal.until("it is gone", lambda: "DONE" not in terminal.text())
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)
            self.check_restored(terminal)
            self.assertEqual(terminal.text(), "")

    def test_ends(self):
        """The x is no key of ours, is not echoed, and may be gone when it is read: the signals of the
        terminal take back what was typed before."""
        for end, status in ((lambda t: t.type(b"xQ"), 0), (lambda t: t.type(b"x\x03"), 0),
                            (lambda t: t.signal(signal.SIGTERM), -signal.SIGTERM),
                            (lambda t: t.type(b"x\x1c"), -signal.SIGQUIT)):
            with self.watch() as terminal:
                terminal.until_text("no tasks")
                end(terminal)
                self.assertEqual(terminal.wait(), status)
                self.check_restored(terminal)
                self.assertEqual(terminal.text(), "")

    def test_stopped_and_continued(self):
        with self.watch() as terminal:
            terminal.until_text("no tasks")
            terminal.type(b"\x1a")
            terminal.until("it is stopped", lambda: terminal.state() == "T")
            terminal.until("the terminal is the shell's", lambda: terminal.alternate is None)
            self.check_restored(terminal)
            self.aiod.submit("true")
            terminal.signal(signal.SIGCONT)
            terminal.until_text(r"1  DONE ok")
            self.assertIsNotNone(terminal.alternate)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)
            self.check_restored(terminal)

    def test_resized(self):
        for n in range(30):
            self.aiod.call("submit", function="sleep", args=[1000 + n])
        with self.watch(rows=20, columns=80) as terminal:
            terminal.until_text(r"(?s)1000.*… [0-9]+ more lines\Z")
            self.assertEqual(len(terminal.text().splitlines()), 19)
            terminal.resize(60, 120)
            terminal.until_text(r"sleep 1029")
            self.assertNotIn("more lines", terminal.text())
            terminal.resize(10, 40)
            terminal.until_text(r"… [0-9]+ more lines\Z")
            self.assertEqual(len(terminal.text().splitlines()), 9)
            self.assertEqual(terminal.screen.scrolled, 0)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)

    def test_flicker(self):
        """Nothing is erased before what takes its place was written: no line is ever empty."""
        self.aiod.submit("sleep", "1000")
        with self.watch() as terminal:
            terminal.until_text(r"sleep 1000")
            entered = terminal.raw.index(b"\x1b[2J") + 4
            self.aiod.submit("sleep", "1001")
            terminal.until_text(r"sleep 1001")
            drawn = terminal.raw[entered:]
            self.assertNotIn(b"\x1b[2J", drawn)
            for picture in drawn.split(b"\x1b[H")[1:]:
                body = picture.replace(b"\r", b"").partition(b"\x1b[J")[0]
                for line in body.split(b"\n")[:-1]:
                    self.assertTrue(line.endswith(b"\x1b[K"), line)
                    self.assertEqual(line.count(b"\x1b[K"), 1)
            self.assertEqual(terminal.screen.scrolled, 0)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)

    def test_one_task(self):
        task = self.aiod.submit("sleep", "1000")
        with self.watch(str(task)) as terminal:
            terminal.until_text(rf"\Atask {task}  RUNNING  process")
            self.aiod.call("cancel", ids=[task])
            terminal.until_text(rf"\Atask {task}  DONE cancelled")
            self.aiod.call("remove", ids=[task])
            self.assertEqual(terminal.wait(), 3)
            self.check_restored(terminal)
            self.assertIn(f"there is no task {task}", terminal.text())

    def test_lists(self):
        with self.watch("--failed") as terminal:
            terminal.until_text("no task matches")
            self.aiod.submit("true")
            self.aiod.submit("false")
            terminal.until_text(r"2  DONE failed")
            self.assertNotIn("DONE ok", terminal.text())
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)

    def test_mistakes(self):
        with self.watch("-g", "nope") as terminal:
            self.assertEqual(terminal.wait(), 3)
            self.check_restored(terminal)
            self.assertIn("there is no group nope", terminal.text())
        with self.watch("--socket", "/nowhere/s") as terminal:
            self.assertEqual(terminal.wait(), 4)
            self.check_restored(terminal)

    def test_text_from_tasks_is_escaped(self):
        self.aiod.submit("echo", "\x1b]0;owned\x07", "\x1b[2J\x1b[31m")
        with self.watch(NO_COLOR="1") as terminal:
            terminal.until_text(r"echo \\e\]0;owned\\x07 \\e\[2J")
            self.assertNotIn(b"\x1b]", terminal.raw)
            self.assertEqual(terminal.raw.count(b"\x1b[2J"), 1)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)


class Costs(WatchTest):
    def setUp(self):
        super().setUp()
        self.relay = Relay(self.aiod.root, self.aiod.socket)
        self.addCleanup(self.relay.close)

    def test_nothing_is_polled(self):
        with self.watch("--socket", self.relay.path) as terminal:
            clock = terminal.until_text(r"[A-Z][a-z]{2} ([0-9:]{8})$|[A-Z][a-z]{2} ([0-9:]{8})\n")
            asked = len(self.relay.methods)
            seen = {clock.group()}
            while len(seen) < 4:  # the clock moves all the same
                terminal.read(0.05)
                found = re.search(r"[A-Z][a-z]{2} [0-9:]{8}", terminal.text())
                seen.add(found.group() if found else clock.group())
            self.assertEqual(len(self.relay.methods), asked, self.relay.methods)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)

    def test_no_answer(self):
        """While a picture is read nothing is drawn, and keys and signals are served."""
        self.aiod.submit("sleep", "1000")
        for end in (b"q", b"\x03"):
            with self.watch("--socket", self.relay.path) as terminal:
                terminal.until_text("sleep 1000")
                asked = len(self.relay.methods)
                self.relay.hold = True
                self.aiod.submit("sleep", "1001")
                until("it asks again", lambda: len(self.relay.methods) > asked)
                for columns in range(60, 90):
                    terminal.resize(30, columns)
                    terminal.read(0.01)
                terminal.type(end)
                self.assertEqual(terminal.wait(), 0)
                self.check_restored(terminal)
                self.relay.hold = False
                self.relay.open.set()

    def test_a_burst_is_drawn_seldom(self):
        with self.watch("--failed", "--socket", self.relay.path) as terminal:
            terminal.until_text("no task matches")
            before, begin = terminal.raw.count(b"\x1b[H"), time.monotonic()
            with self.aiod.connect() as rpc:
                for _ in range(300):
                    rpc.call("submit", args={"argv": ["false"]})
            for task in range(1, 301):
                self.aiod.wait_for(task)
            terminal.until_text(r"(?m)^ *300  DONE failed")
            pictures = terminal.raw.count(b"\x1b[H") - before
            # four a second that were read, and one for the clock
            self.assertLessEqual(pictures, 5 * (time.monotonic() - begin) + 3)
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)


class Restart(WatchTest):
    def test_outlives_the_daemon(self):
        task = self.aiod.submit("sleep", "1000")
        with self.watch(columns=200) as terminal:
            terminal.until_text(rf" {task}  RUNNING")
            self.aiod.kill()
            terminal.until_text(r"went away; waiting up to 30s for it")
            terminal.type(b"x")
            self.aiod.start()
            terminal.until("it is said no more", lambda: "went away" not in terminal.text())
            other = self.aiod.submit("sleep", "1001")
            terminal.until_text(rf"(?s) {task}  RUNNING.* {other}  RUNNING")
            terminal.type(b"q")
            self.assertEqual(terminal.wait(), 0)
            self.check_restored(terminal)

    def test_q_while_it_is_away(self):
        for key in (b"q", b"\x03"):
            with self.watch(columns=200) as terminal:
                terminal.until_text("no tasks")
                self.aiod.kill()
                terminal.until_text(r"went away")
                terminal.type(key)
                self.assertEqual(terminal.wait(), 0)
                self.check_restored(terminal)
            self.aiod.start()

    def test_it_does_not_come_back(self):
        with self.watch(columns=300, AIOD_RECONNECT="100ms") as terminal:
            terminal.until_text("no tasks")
            self.aiod.kill()
            self.assertEqual(terminal.wait(), 4)
            self.check_restored(terminal)
            self.assertIn("did not come back", terminal.text())
        self.aiod.start()


class OnAPipe(WatchTest):
    def start(self, *args, **kwargs):
        process = subprocess.Popen([AIOCTL, "status", "--watch", *args], env=self.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **kwargs)
        self.addCleanup(process.communicate)
        return process

    def read_picture(self, process):
        """Up to the empty line behind a table: the overview has one above it as well."""
        lines = []
        while True:
            line = process.stdout.readline()
            self.assertTrue(line, process.poll())
            if line == "\n" and len(lines) != 2:
                return "".join(lines)
            lines.append(line)

    def test_a_table_a_change(self):
        process = self.start("--done", "-o", "table")
        self.assertEqual(process.stdout.readline(), "no task matches\n")
        self.assertEqual(process.stdout.readline(), "\n")
        self.aiod.wait_for(self.aiod.submit("true"))
        while "DONE ok" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertNotIn("\x1b", process.stdout.read())

    def test_no_reader(self):
        process = self.start()
        process.stdout.readline()
        process.stdout.close()
        self.aiod.submit("true")
        self.assertEqual(process.wait(TIMEOUT), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()
        self._cleanups = [c for c in self._cleanups if c[0] != process.communicate]

    def test_a_dumb_terminal(self):
        env = self.environment()
        env["TERM"] = "dumb"
        with Terminal([AIOCTL, "status", "--watch"], env) as terminal:
            terminal.until_text("no tasks")
            self.aiod.submit("true")
            terminal.until_text("DONE ok")
            self.assertNotIn(b"\x1b", terminal.raw)
            terminal.type(b"\x03")
            self.assertEqual(terminal.wait(), 0)


if __name__ == "__main__":
    unittest.main()

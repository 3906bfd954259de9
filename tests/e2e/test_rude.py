# SPDX-License-Identifier: MIT
"""64 clients at once, half of them rude: they flood, never read, or stop in the middle of a message
(manners.py). The polite ones are all answered, none is disconnected, memory is bounded. How long
they wait is printed and not judged: tests/bench does that."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import unittest

import manners
from harness import SANITIZED, TIMEOUT, InstanceTest, RpcError

POLITE = RUDE = 32
SUBMITS = 20
TASKS = 1000  # that there are: so the answers that are asked for are large


def program(*args):
    return [sys.executable, "-B", os.path.abspath(manners.__file__), *map(str, args)]


class RudeTest(InstanceTest):
    def setUp(self):
        super().setUp()
        with self.aiod.connect() as rpc:
            asked = [rpc.send("submit", function="sleep", args=[100000]) for _ in range(TASKS)]
            for msgid in asked:
                rpc.answer(msgid)

    def rss_kib(self):
        with open(f"/proc/{self.aiod.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    @contextlib.contextmanager
    def rude_clients(self, leaves=True):
        """leaves: when they are told to; else when they find nobody to connect to any more."""
        with subprocess.Popen(program("rude", self.aiod.socket, RUDE), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as process:
            self.assertEqual(process.stdout.readline(), "READY\n")
            yield
            self.assertTrue(process.poll() is None or not leaves)
            process.stdin.close()
            process.stdout.read()

    def polite_clients(self):
        """They get everything that they ask for; returns p50 and p99 of their submits, in ms."""
        done = subprocess.run(program("polite", self.aiod.socket, POLITE, SUBMITS), check=True,
                              stdout=subprocess.PIPE, text=True, timeout=5 * TIMEOUT)
        told = json.loads(done.stdout)
        self.assertEqual(len(told["took_us"]), POLITE * SUBMITS)
        self.assertEqual(told["different"], POLITE * SUBMITS)
        took = sorted(told["took_us"])
        return took[len(took) // 2] / 1e3, took[len(took) * 99 // 100] / 1e3


class Rude(RudeTest):
    def test_half_of_64_clients(self):
        alone = self.polite_clients()
        before = self.rss_kib()
        with self.rude_clients():
            beside = self.polite_clients()
            health = self.aiod.call("health")
            self.assertEqual(health["connections"], RUDE + 1)
            if not SANITIZED:  # a KiB and a half for each task that was submitted, 8 MiB for each
                tasks = sum(health["tasks"].values())  # connection that never reads
                self.assertLess(self.rss_kib() - before, tasks * 3 // 2 + (RUDE // 4) * (9 << 10)
                                + (32 << 10))
        for name, i in (("p50", 0), ("p99", 1)):
            print(f"submit, {name}: {alone[i]:.1f} ms, beside {RUDE} rude clients {beside[i]:.1f} ms")
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")

    def test_whoever_comes_meanwhile(self):
        """New connections, whatever they want: each is answered."""
        with self.rude_clients():
            for _ in range(5):
                with self.aiod.connect() as rpc:
                    self.assertEqual(rpc.call("hello")["uid"], os.getuid())
                    task = rpc.call("submit", function="sleep", args=[0])["id"]
                    self.assertEqual(rpc.call("await", id=task)["outcome"], "ok")
                    self.assertEqual(rpc.call("task", id=task)["id"], task)
                    self.assertEqual(rpc.call("remove", ids=[task])[0]["removed"], True)
                    with self.assertRaises(RpcError):
                        rpc.call("task", id=task)
            done = self.aiod.aioctl("run", "sh", "-c", "echo out; exit 3", check=3)
            self.assertEqual(done.stdout, "out\n")

    def test_a_stop_meanwhile(self):
        """Nobody holds it up: rude clients are cut off, everything acknowledged is there."""
        with self.rude_clients(leaves=False):
            task = self.aiod.submit("true", **{"in": 1000})
            self.assertEqual(self.aiod.stop(), 0)
            self.aiod.start()
            self.assertEqual(self.aiod.call("status", ids=[task])["tasks"][0]["state"], "PENDING")


class Unread(RudeTest):
    @unittest.skipIf(SANITIZED, "whose own memory is not aiod's")
    def test_hundreds_that_never_read(self):
        """Each may have 8 MiB waiting, but not all of them at once."""
        before = self.rss_kib()
        question = manners.request(1, "status", limit=1000, states=["SUSPENDED"])
        socks = []
        for _ in range(200):
            sock = socket.socket(socket.AF_UNIX)
            self.addCleanup(sock.close)
            sock.connect(self.aiod.socket)
            with contextlib.suppress(BrokenPipeError):
                sock.sendall(question * 20)  # answers of 7 MiB
            socks.append(sock)
        with self.aiod.connect() as rpc:  # large answers still come to those who read them
            for _ in range(20):
                rpc.call("status", limit=1000, states=["SUSPENDED"])
        self.assertLess(self.rss_kib() - before, 400 << 10)
        self.assertIn("does not read its answers", self.aiod.log_text())
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")


if __name__ == "__main__":
    unittest.main()

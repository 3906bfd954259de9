# SPDX-License-Identifier: MIT
"""Many connections, many requests, clients that stop in the middle or never read: bounded, and
nobody else is harmed."""
import resource
import select
import socket
import time
import unittest

import msgpack

from harness import SANITIZED, TIMEOUT, InstanceTest, until


def pack(*message):
    return msgpack.packb(message)


class Flood(InstanceTest):
    @classmethod
    def setUpClass(cls):
        cls.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (cls.limits[1], cls.limits[1]))

    @classmethod
    def tearDownClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.limits)

    def tearDown(self):
        """Others go on unharmed, and what the test opened is gone."""
        begin = time.monotonic()
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")
        self.assertLess(time.monotonic() - begin, 5)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.connect(self.aiod.socket)
        sock.settimeout(TIMEOUT)
        return sock

    def rss_kib(self):
        with open(f"/proc/{self.aiod.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def assertGrewLittle(self, before):
        if not SANITIZED:  # which keeps freed memory for a while
            self.assertLess(self.rss_kib() - before, 64 << 10)

    def until_alone(self):
        until("the others are gone", lambda: self.aiod.call("health")["connections"] == 1)

    def test_half_messages_left_hanging(self):
        whole = pack(0, 1, "submit", [{"args": {"argv": ["true", "x" * 1000]}}])
        socks = [self.connect() for _ in range(200)]
        for i, sock in enumerate(socks):
            sock.sendall(whole[:1 + i * (len(whole) - 2) // 200])
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")
        self.assertEqual(self.aiod.call("health")["connections"], 201)
        for i, sock in enumerate(socks[:100]):
            sock.sendall(whole[1 + i * (len(whole) - 2) // 200:])
            self.assertIsNone(msgpack.unpackb(sock.recv(4096))[2])
        for sock in socks:
            sock.close()
        self.until_alone()
        self.assertEqual(self.aiod.call("status")["next"], 2)  # 101 of them, 100 on a page

    def test_never_reads(self):
        for _ in range(100):
            self.aiod.submit("true", **{"in": 1000})
        before = self.rss_kib()
        sock = self.connect()
        sock.setblocking(False)
        requests = b"".join(pack(0, i, "status", [{"limit": 1000}]) for i in range(1000))
        ended, sent = False, 0
        try:
            while select.select([], [sock], [], 1)[1]:
                sent += sock.send(requests)
        except (BrokenPipeError, ConnectionResetError):
            ended = True
        self.assertGrewLittle(before)
        self.assertEqual(self.aiod.call("status", limit=1)["counts"]["pending"], 100)
        sock.close()
        self.until_alone()
        if ended:
            self.assertIn("does not read its answers", self.aiod.log_text())
        self.aiod.call("cancel", ids=["all"])

    def test_never_reads_what_it_follows(self):
        task = self.aiod.submit("head", "-c", str(50 << 20), "/dev/zero")
        before = self.rss_kib()
        sock = self.connect()
        for i in range(20):
            sock.sendall(pack(0, i, "logs", [{"id": task, "follow": True}]))
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.assertEqual(len(self.aiod.output(task)), 50 << 20)
        self.assertGrewLittle(before)
        sock.close()
        self.until_alone()

    def test_two_thousand_connections(self):
        socks = [self.connect() for _ in range(2000)]
        for i, sock in enumerate(socks):
            sock.sendall(pack(0, i, "hello", []))
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")
        for i, sock in enumerate(socks):
            self.assertEqual(msgpack.unpackb(sock.recv(4096))[:3], [1, i, None])
        self.assertEqual(self.aiod.call("health")["connections"], 2001)
        for sock in socks:
            sock.close()
        self.until_alone()

    def test_more_connections_than_there_may_be(self):
        limit = 4096 + 64  # what is reserved for root and the owner comes on top
        if self.limits[1] < limit + 1000:
            self.skipTest(f"a process may open only {self.limits[1]} files here")
        socks = [self.connect() for _ in range(limit)]
        for sock in socks[::100]:
            sock.sendall(pack(0, 1, "hello", []))
            self.assertIsNone(msgpack.unpackb(sock.recv(4096))[2])
        refused = self.connect()
        self.assertIn(b"busy", refused.recv(4096))
        self.assertEqual(refused.recv(4096), b"")
        for sock in socks:
            sock.close()
        until("there is room again", self.answers)

    def answers(self):
        try:
            return self.aiod.call("health")["connections"] == 1
        except (OSError, KeyError, IndexError, TypeError, AttributeError):
            return False

    def test_five_thousand_requests_at_once(self):
        methods = [("hello", None), ("nope", "unknown-method"), ("status", None),
                   ("groups", None), ("task", "invalid")]
        sock = self.connect()
        sock.sendall(b"".join(pack(0, i, methods[i % 5][0], []) for i in range(5000)))
        unpacker, answers = msgpack.Unpacker(raw=False), {}
        while len(answers) < 5000:
            unpacker.feed(sock.recv(1 << 20))
            for kind, msgid, error, _ in unpacker:
                self.assertEqual(kind, 1)
                self.assertNotIn(msgid, answers)
                answers[msgid] = error
        for msgid, error in answers.items():
            word = methods[msgid % 5][1]
            self.assertEqual(error and error[1].split(":")[0], word)

    def test_thousands_of_waits_on_one_connection(self):
        task = self.aiod.submit("true", **{"in": 1000})
        n = 3000  # beyond 1 024 in flight it is not read until some are over
        with self.aiod.connect() as rpc:
            rpc.sock.sendall(b"".join(pack(0, i, "await", [{"id": task}]) for i in range(n)))
            self.aiod.call("cancel", ids=[task])
            for msgid in range(n):
                self.assertEqual(rpc.answer(msgid)["outcome"], "cancelled")

    def test_leaving_with_requests_in_flight(self):
        task = self.aiod.submit("true", **{"in": 1000})
        for i in range(50):
            with self.aiod.connect() as rpc:
                for _ in range(50):
                    rpc.send("await", id=task)
                    rpc.send("wait", ids=[task], timeout=0.001 * i)
                    rpc.send("logs", id=task, follow=True)
                    rpc.send("status", ids=[task])
                    rpc.send("task", id=task)
        self.until_alone()
        self.aiod.call("cancel", ids=[task])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""What the protocol refuses: each with a clear error, and after each of them somebody else's
connection works as before."""
import contextlib
import socket
import struct
import time
import unittest

import msgpack

from harness import TIMEOUT, InstanceTest

def pack(value):
    return msgpack.packb(value)


class BadInputTest(InstanceTest):
    def tearDown(self):
        """Others go on unharmed."""
        begin = time.monotonic()
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"))["outcome"], "ok")
        self.assertLess(time.monotonic() - begin, 5)

    def raw(self):
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.connect(self.aiod.socket)
        sock.settimeout(TIMEOUT)
        return sock

    def attack(self, data, word):
        """Sends bytes; the one answer has msgid 0 and that word, and the connection ends."""
        sock = self.raw()
        received = b""
        with contextlib.suppress(BrokenPipeError):  # it may close before it has everything
            sock.sendall(data)
        try:
            while chunk := sock.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass  # it closed with bytes of ours unread
        unpacker = msgpack.Unpacker(raw=False)
        unpacker.feed(received)
        answers = list(unpacker)
        self.assertEqual(len(answers), 1, data[:40])
        kind, msgid, error, result = answers[0]
        self.assertEqual((kind, msgid, error[0], result), (1, 0, 0, None))
        self.assertTrue(error[1].startswith(word + ": "), error)
        self.assertGreater(len(error[1]), len(word) + 5)


class Messages(BadInputTest):
    def test_not_an_envelope(self):
        for message in ({}, [], 1, None, "hello", [0], [0, 1], [0, 1, "hello"],
                        [0, 1, "hello", [], 5], [3, 1, "hello", []], [-1, 1, "hello", []],
                        ["0", 1, "hello", []], [0, "1", "hello", []], [0, -1, "hello", []],
                        [0, 1 << 32, "hello", []], [0, 1.5, "hello", []], [0, 1, 5, []],
                        [0, 1, None, []], [0, 1, ["hello"], []], [2], [2, "x"]):
            self.attack(pack(message), "bad-message")

    def test_not_messagepack_as_it_is_used_here(self):
        self.attack(b"\xc1", "bad-message")
        self.attack(b"\x94\x00\x01\xa5hello\xc1", "bad-message")
        for ext in (b"\xd4\x01x", b"\xd8\x01" + b"x" * 16, b"\xc7\x03\x01abc",
                    b"\xc8\x00\x01\x01x", b"\xc9\x00\x00\x00\x01\x01x", b"\xd6\xff\0\0\0\0"):
            self.attack(b"\x94\x00\x01\xa5hello\x91" + ext, "bad-message")
        self.attack(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad-message")
        self.attack(b"\xff" * 100, "bad-message")

    def test_five_byte_bombs(self):
        head = b"\x94\x00\x01\xa5hello\x91"
        for kind in (b"\xdd", b"\xdf", b"\xdb", b"\xc6"):
            for size in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", struct.pack(">I", 1 << 27)):
                self.attack(kind + size, "too-large")
                self.attack(head + kind + size, "too-large")
        self.attack(b"\xdc\xff\xff" + b"\xdc\xff\xff" * 3, "too-large")

    def test_nesting_bombs(self):
        self.attack(b"\x91" * 100, "too-large")
        self.attack(b"\x91" * 1000000, "too-large")
        self.attack(b"\x81\xa1a" * 100, "too-large")
        self.attack(b"\x94\x00\x01\xa5hello" + b"\x91" * 1000, "too-large")
        deep = {}
        for _ in range(11):
            deep = [deep]
        with self.aiod.connect() as rpc:  # 14 levels are a message, though not a good one
            msgid = rpc.send("hello", client=deep)
            self.assertRaisesRegex(Exception, '"client"', rpc.answer, msgid)

    def test_a_hundred_mebibytes_are_refused_at_the_header(self):
        size = struct.pack(">I", 100 << 20)
        self.attack(b"\x94\x00\x01\xa6submit\x91\x81\xa4args\xc6" + size, "too-large")
        self.attack(b"\x94\x00\x01\xa6submit\x91\x81\xa4args\xdb" + size + b"x" * 70000,
                    "too-large")

    def test_just_over_and_just_under_a_mebibyte(self):
        def message(total):
            body = pack([0, 7, "hello", [{"client": b""}]])[:-2]
            size = total - len(body) - 5
            return body + b"\xc6" + struct.pack(">I", size) + b"x" * size
        self.attack(message((1 << 20) + 1), "too-large")
        sock = self.raw()
        sock.sendall(message(1 << 20) + pack([0, 8, "nope", []]))
        unpacker = msgpack.Unpacker(raw=False)
        answers = []
        while len(answers) < 2:
            unpacker.feed(sock.recv(65536))
            answers += list(unpacker)
        self.assertEqual({a[1] for a in answers}, {7, 8})

    def test_one_byte_at_a_time(self):
        sock = self.raw()
        for byte in pack([0, 300, "hello", [{}]]):
            sock.sendall(bytes([byte]))
        answer = msgpack.unpackb(sock.recv(65536))
        self.assertEqual(answer[:3], [1, 300, None])

    def test_what_was_asked_before_is_answered_before(self):
        sock = self.raw()
        sock.sendall(pack([0, 1, "nope", []]) + pack([0, 2, "hello", []]) + b"\xc1")
        unpacker = msgpack.Unpacker(raw=False)
        while data := sock.recv(65536):
            unpacker.feed(data)
        answers = {a[1]: a[2] for a in unpacker}
        self.assertTrue(answers[1][1].startswith("unknown-method"))
        self.assertTrue(answers[0][1].startswith("bad-message"))

    def test_what_clients_need_not_send_is_ignored(self):
        with self.aiod.connect() as rpc:
            for message in ([2, "anything", []], [2, "logs", [1, 2]], [1, 5, None, None],
                            [1, 5, "error", None]):
                rpc.sock.sendall(pack(message))
            self.assertEqual(rpc.call("hello")["version"], 1)


class Requests(BadInputTest):
    def refuse(self, rpc, message, word, says=""):
        """The answer is an error, in the plain form; the connection stays."""
        rpc.sock.sendall(pack(message))
        kind, msgid, error, result = rpc.read()
        self.assertEqual((kind, msgid, error[0], result), (1, message[1], 0, None))
        self.assertTrue(error[1].startswith(word + ": "), error)
        self.assertIn(says, error[1])

    def test_unknown_methods(self):
        with self.aiod.connect() as rpc:
            for method in ("nope", "", "Hello", "hello ", "hello\0", b"\xff\xfe", "x" * 100000):
                self.refuse(rpc, [0, 5, method, []], "unknown-method")
            self.assertEqual(rpc.call("hello")["version"], 1)

    def test_params_forms(self):
        with self.aiod.connect() as rpc:
            for i, params in enumerate(([], [[]], [{}]), 1000):
                rpc.sock.sendall(pack([0, i, "hello", params]))
                self.assertIsNone(rpc.read()[2], params)
            for params in ({}, None, [None], 1, "x", [1], ["x"], [{}, {}], [[1]], [True], [[{}]]):
                self.refuse(rpc, [0, 9, "hello", params], "invalid", "params")
            rpc.sock.sendall(pack([0, 9, b"hello", [{b"client": b"x"}]]))
            self.assertIsNone(rpc.read()[2])

    def test_unknown_fields_of_every_method(self):
        needed = {"submit": {"args": {"argv": ["true"]}}, "task": {"id": 1}, "await": {"id": 1},
                  "result": {"id": 1}, "cancel": {"ids": [1]}, "remove": {"ids": [1]},
                  "logs": {"id": 1}}
        with self.aiod.connect() as rpc:
            for method in ("hello", "submit", "status", "task", "await", "wait", "result",
                           "cancel", "remove", "logs", "functions", "groups", "health"):
                params = dict(needed.get(method, {}), colour="red")
                self.refuse(rpc, [0, 9, method, [params]], "invalid", '"colour"')
                params = dict(needed.get(method, {}))
                self.refuse(rpc, [0, 9, method, [{**params, 5: 1}]], "invalid")
        self.assertEqual(self.aiod.call("status")["tasks"], [])

    def test_missing_fields(self):
        with self.aiod.connect() as rpc:
            for method, field in (("task", "id"), ("await", "id"), ("result", "id"),
                                  ("logs", "id"), ("cancel", "ids"), ("remove", "ids")):
                self.refuse(rpc, [0, 9, method, [{}]], "invalid", f'"{field}"')
                self.refuse(rpc, [0, 9, method, [{field: None}]], "invalid", f'"{field}"')

    def test_wrong_types(self):
        cases = [("hello", "errors", 1), ("hello", "errors", "both"), ("hello", "version", "1"),
                 ("hello", "version", -1), ("hello", "client", []),
                 ("submit", "function", 1), ("submit", "args", 1), ("submit", "in", "1"),
                 ("submit", "group", {}), ("await", "timeout", "1"), ("wait", "mode", 1),
                 ("wait", "timeout", float("nan")), ("status", "ids", {}), ("status", "limit", 1.5),
                 ("status", "from", 1 << 63), ("task", "env", 1), ("cancel", "kill", 1),
                 ("logs", "follow", "yes"), ("logs", "tail", -1), ("logs", "offset", 1.5),
                 ("logs", "stream", "both"), ("logs", "stream", 1), ("logs", "attempt", -1)]
        needed = {"submit": {"args": {"argv": ["true"]}}, "task": {"id": 1}, "await": {"id": 1},
                  "cancel": {"ids": [1]}, "logs": {"id": 1}}
        with self.aiod.connect() as rpc:
            for method, field, value in cases:
                params = {**needed.get(method, {}), field: value}
                self.refuse(rpc, [0, 9, method, [params]], "invalid", f'"{field}"')
            twice = b"\x94\x00\x09\xa5hello\x91\x82\xa6client\xa1a\xa6client\xa1b"
            rpc.sock.sendall(twice)
            self.assertIn('"client"', rpc.read()[2][1])

    def test_wrong_versions(self):
        with self.aiod.connect() as rpc:
            self.refuse(rpc, [0, 9, "hello", [{"version": 2}]], "unsupported", "1")
            self.assertEqual(rpc.call("hello", version=1)["version"], 1)

    def test_errors_as_maps(self):
        with self.aiod.connect() as rpc:
            rpc.call("hello", errors="map")
            rpc.sock.sendall(pack([0, 77, "task", [{"id": 5}]]))
            error = rpc.read()[2]
            self.assertEqual(error["code"], "not-found")
            self.assertEqual(error["message"], "there is no task 5")
            rpc.sock.sendall(b"\xc1")
            self.assertEqual(rpc.read()[2]["code"], "bad-message")
            self.assertIsNone(rpc.read())

    def test_ids_of_every_size(self):
        with self.aiod.connect() as rpc:
            for msgid in (0, 127, 128, 255, 256, 65535, 65536, (1 << 32) - 1):
                rpc.sock.sendall(pack([0, msgid, "hello", []]))
                self.assertEqual(rpc.read()[:2], [1, msgid])
            for task in ((1 << 63) - 1, (1 << 64) - 1, 1 << 40):
                self.assertRpcError("not-found", "task", id=task)


class Commands(BadInputTest):
    def test_nul_bytes(self):
        good = {"argv": ["true"]}
        for args in ({"argv": ["true", "a\0b"]}, {"argv": ["a\0b"]}, {"argv": ["\0"]},
                     {**good, "cwd": "/\0"}, {**good, "stdin": "/a\0"},
                     {**good, "env": ["A=\0"]}, {**good, "env": ["A\0=b"]}):
            self.assertRpcError("invalid", "submit", args=args)
        for fields in ({"name": "a\0b"}, {"group": "default\0"}, {"function": "exec\0"},
                       {"at": "2030-01-01T00:00:00Z\0"}):
            self.assertRpcError("invalid", "submit", args=good, **fields)
        self.assertEqual(self.aiod.call("status")["tasks"], [])

    def test_wrong_types_of_exec(self):
        good = {"argv": ["true"]}
        for args, field in (({"argv": "true"}, "argv"), ({"argv": [1]}, "argv"),
                            ({"argv": [["true"]]}, "argv"), ({"argv": [None]}, "argv"),
                            ({**good, "cwd": 1}, "cwd"), ({**good, "env": "A=b"}, "env"),
                            ({**good, "env": {"A": "b"}}, "env"), ({**good, "env": ["A"]}, "env"),
                            ({**good, "env": ["=b"]}, "env"), ({**good, "env": [1]}, "env"),
                            ({**good, "umask": "022"}, "umask"), ({**good, "umask": -1}, "umask"),
                            ({**good, "umask": 512}, "umask"), ({**good, "split": 1}, "split"),
                            ({**good, "line": "x"}, "line"), ({**good, "stdin": []}, "stdin"),
                            ({**good, "shell": True}, "shell")):
            self.assertIn(f'"{field}"', self.assertRpcError("invalid", "submit", args=args))

    def test_too_large(self):
        with self.aiod.connect() as rpc:
            for args in ({"argv": ["true", "x" * 200000]}, {"argv": ["x" * 200000]},
                         {"argv": ["true"] + ["x" * 100000] * 9},
                         {"argv": ["true"], "env": ["A=" + "x" * 300000]},
                         {"argv": ["true"], "env": [f"A{i}={'x' * 1000}" for i in range(300)]}):
                with self.assertRaises(Exception) as caught:
                    rpc.call("submit", args=args)
                self.assertEqual(caught.exception.word, "too-large")
            self.assertRpcError("invalid", "submit",
                                args={"argv": ["true"], "cwd": "/" + "x" * 5000})
            self.assertEqual(rpc.call("status")["tasks"], [])

    def test_too_many_arguments(self):
        message = pack([0, 1, "submit", [{"args": {"argv": ["true"] + ["x"] * 70000}}]])
        self.attack(message, "too-large")
        task = self.aiod.submit("sh", "-c", "echo $#", "sh", *["x"] * 60000)
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.assertEqual(self.aiod.output(task), b"60000\n")

    def test_as_much_as_fits(self):
        argv = ["sh", "-c", "echo $#; env | wc -c", "sh"] + ["x" * 120000] * 6
        env = ["PATH=/usr/bin:/bin", "A=" + "x" * 120000, "B=" + "x" * 120000]
        task = self.aiod.submit(*argv, args={"env": env})
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.assertEqual(self.aiod.output(task).split()[0], b"6")

    def test_does_not_exist(self):
        task = self.aiod.submit("/no/such/command")
        self.assertEqual(self.aiod.wait_for(task)["error"]["exit"], 127)


if __name__ == "__main__":
    unittest.main()

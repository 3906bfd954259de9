# SPDX-License-Identifier: MIT
"""Polite clients, which submit and wait for the answer, and rude ones, which flood, never read, or
stop in the middle of a message; many connections in one process each.

    python3 manners.py polite SOCKET CLIENTS SUBMITS    prints the latencies in µs, one JSON array
    python3 manners.py rude SOCKET CLIENTS              prints "READY", floods until stdin ends
"""
import json
import selectors
import socket
import sys
import time

import msgpack

KINDS = ["hello", "status", "submit", "never-reads", "never-reads-lists", "half", "slow", "wait"]


def request(msgid, method, **params):
    return msgpack.packb([0, msgid, method, [params]])


def submit(msgid):
    return request(msgid, "submit", args={"argv": ["true"], "cwd": "/", "env": ["PATH=/usr/bin"]},
                   **{"in": 100000})


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


class Polite:
    """One connection with one submit outstanding."""

    def __init__(self, path, submits):
        self.sock = connect(path)
        self.unpacker = msgpack.Unpacker(raw=False)
        self.left = submits
        self.took = []
        self.ids = []

    def ask(self):
        self.began = time.monotonic_ns()
        self.sock.sendall(submit(self.left))

    def hear(self):
        """True: it has all its answers."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("a polite client was disconnected")
        self.unpacker.feed(data)
        for _, msgid, error, result in self.unpacker:
            if error is not None or msgid != self.left:
                raise ConnectionError(f"a polite client was answered {error}")
            self.took.append((time.monotonic_ns() - self.began) // 1000)
            self.ids.append(result["id"])
            self.left -= 1
            if self.left:
                self.ask()
        return self.left == 0


def polite(path, clients, submits):
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        client = Polite(path, submits)
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask()
    everybody = [key.data for key in selector.get_map().values()]
    while selector.get_map():
        for key, _ in selector.select():
            if key.data.hear():
                selector.unregister(key.fileobj)
    ids = [task for client in everybody for task in client.ids]
    print(json.dumps({"took_us": [t for client in everybody for t in client.took],
                      "different": len(set(ids))}))


class Rude:
    """One connection of a kind; one that aiod has closed comes again."""

    def __init__(self, path, kind, selector):
        self.path, self.kind, self.selector = path, kind, selector
        self.closed = 0
        self.out = b"".join(self.flood() for _ in range(200))
        self.at = 0
        self.open()

    def flood(self):
        if self.kind in ("hello", "never-reads"):
            return request(1, "hello")
        if self.kind in ("status", "never-reads-lists"):
            return request(1, "status", limit=1000, states=["SUSPENDED"])
        if self.kind == "wait":
            return request(1, "wait", ids=["all"], timeout=0.001)
        return submit(1)

    def open(self):
        self.sock = connect(self.path)
        self.sock.setblocking(False)
        events = selectors.EVENT_WRITE
        if self.kind not in ("never-reads", "never-reads-lists", "half"):
            events |= selectors.EVENT_READ
        if self.kind == "half":  # half a message, and never the other half
            self.sock.send(submit(1)[:-7])
            return
        self.selector.register(self.sock, events, self)

    def again(self):
        self.closed += 1
        self.selector.unregister(self.sock)
        self.sock.close()
        self.at = 0
        self.open()

    def ready(self, events):
        try:
            if events & selectors.EVENT_READ and not self.sock.recv(1 << 18):
                self.again()
            elif events & selectors.EVENT_WRITE:
                size = 1 if self.kind == "slow" else len(self.out)
                self.at += self.sock.send(self.out[self.at:self.at + size])
                self.at %= len(self.out)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.again()


def rude(path, clients):
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    everybody = [Rude(path, KINDS[n % len(KINDS)], selector) for n in range(clients)]
    print("READY", flush=True)
    while True:
        for key, events in selector.select():
            if key.data is None:
                print(json.dumps({"closed": sum(client.closed for client in everybody)}))
                return
            key.data.ready(events)


if __name__ == "__main__":
    if sys.argv[1] == "polite":
        polite(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        rude(sys.argv[2], int(sys.argv[3]))

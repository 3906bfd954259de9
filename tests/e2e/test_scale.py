# SPDX-License-Identifier: MIT
"""Many tasks: commands by the ten thousand, sleeping tasks by the hundred thousand; a tenth of
both under a sanitizer. Takes up to a minute."""
import datetime
import os
import sys
import time
import unittest

import msgpack

from harness import SANITIZED, InstanceTest, until

COMMANDS = 1000 if SANITIZED else 10000
SLEEPERS = 10000 if SANITIZED else 100000
SLEEP_S = 20  # longer than it takes to submit them all
BATCH = 1000


def parse(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def say(text):
    print(text, file=sys.stderr)


class Scale(InstanceTest):
    def submit_many(self, rpc, n, params):
        """Pipelined on one connection; every one is answered with an id of its own."""
        ids = []
        while len(ids) < n:
            rpc.sock.sendall(b"".join(msgpack.packb([0, i, "submit", [params]])
                                      for i in range(BATCH)))
            ids += [rpc.answer(i)["id"] for i in range(BATCH)]
        self.assertEqual(ids, list(range(ids[0], ids[0] + n)))
        return ids

    @staticmethod
    def submit_one(rpc):
        return rpc.call("submit", args={"argv": ["true"]})["id"]

    def descriptors(self):
        """How many aiod and its spawner have open."""
        pids = (self.aiod.process.pid, self.aiod.spawner_pid())
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

    def pages(self, rpc):
        """Every task there is, newest first."""
        start = None
        while True:
            answer = rpc.call("status", {"from": start} if start else {}, limit=1000)
            yield from answer["tasks"]
            start = answer["next"]
            if start is None:
                return

    def rss_kib(self):
        with open(f"/proc/{self.aiod.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def test_commands(self):
        with self.aiod.connect() as rpc:
            self.aiod.wait_for(self.submit_one(rpc))
            descriptors = self.descriptors()
            begin = time.monotonic()
            ids = self.submit_many(rpc, COMMANDS, {"args": {"argv": ["true"]}})
            accepted = time.monotonic() - begin
            answer = rpc.call("wait", ids=[f"{ids[0]}-{ids[-1]}"])
            took = time.monotonic() - begin
            self.assertEqual(sorted([t["id"] for t in answer["done"]] + answer["rest"]), ids)
            self.assertEqual((answer["pending"], answer["timed_out"]), ([], False))
            done = list(self.pages(rpc))
            self.assertEqual([t["id"] for t in done], [*ids[::-1], 1])
            self.assertEqual({(t["outcome"], t["result"]) for t in done}, {("ok", 0)})
            counts = rpc.call("status")["counts"]
            self.assertEqual((counts["ok"], sum(counts.values())), (COMMANDS + 1, COMMANDS + 1))
            until("every descriptor is closed", lambda: all(
                now <= before for now, before in zip(self.descriptors(), descriptors)))
        say(f"{COMMANDS} commands: accepted at {COMMANDS / accepted:.0f}/s, "
            f"done at {COMMANDS / took:.0f}/s")

    def test_sleepers(self):
        with self.aiod.connect() as rpc:
            self.submit_many(rpc, BATCH, {"function": "sleep", "args": [0]})
            rpc.call("wait")
            before = self.rss_kib()
            begin = time.monotonic()
            ids = self.submit_many(rpc, SLEEPERS, {"function": "sleep", "args": [SLEEP_S]})
            accepted = time.monotonic() - begin
            self.assertLess(accepted, SLEEP_S)
            until("all of them sleep", lambda: rpc.call("status", limit=1)["counts"]["suspended"]
                  == SLEEPERS)
            each = (self.rss_kib() - before) * 1024 / SLEEPERS
            say(f"{SLEEPERS} sleepers: accepted at {SLEEPERS / accepted:.0f}/s, "
                f"{each:.0f} bytes each")
            if not SANITIZED:
                self.assertLessEqual(each, 1024)
            until("all of them have woken", lambda: rpc.call("status", limit=1)["counts"]["ok"]
                  == SLEEPERS + BATCH)
            self.assertLess(time.monotonic() - begin, accepted + SLEEP_S + 3)
            late, seen = 0, 0
            for task in self.pages(rpc):
                if task["id"] < ids[0]:
                    break
                seen += 1
                slept = parse(task["ended"]) - parse(task["started"])
                self.assertGreaterEqual(slept, SLEEP_S - 0.0015, task)
                late = max(late, slept - SLEEP_S)
            self.assertEqual(seen, SLEEPERS)
            say(f"the latest woke after {late * 1000:.0f} ms")
            self.assertLess(late, 2)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""What a command can do to its own output file, and to the machine, harms nobody else."""
import os
import resource
import signal
import unittest

from harness import Instance, InstanceTest, until

LEASE = """
import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(1, fcntl.F_SETLEASE, fcntl.F_WRLCK)
if os.fork() == 0:
    time.sleep(300)
os._exit(3)
"""
FIFO = 'f=$(readlink /proc/$$/fd/1); rm -f "$f"; mkfifo "$f"; exit 3'


class Output(InstanceTest):
    def assertServes(self):
        """A command of somebody else runs, and details are told, while the attack lasts."""
        self.assertEqual(self.aiod.wait_for(self.aiod.submit("true"), 20)["outcome"], "ok")

    def test_terabytes_without_a_newline(self):
        task = self.aiod.submit("sh", "-c", "truncate -s 15T /proc/self/fd/1")
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        with self.aiod.connect() as rpc:
            asked = [rpc.send("task", id=task) for _ in range(8)]
            asked += [rpc.send("logs", id=task, tail=3, offset=0) for _ in range(1)]
            self.assertServes()
            for request in asked[:8]:
                self.assertEqual(rpc.answer(request)["output"]["out"], 15 << 40)

    def test_a_lease_on_it(self):
        for _ in range(4):
            task = self.aiod.submit("/usr/bin/python3", "-c", LEASE)
            end = self.aiod.wait_for(task, 20)
            self.assertEqual((end["outcome"], end["error"]["exit"]), ("failed", 3))
        self.assertServes()

    def test_a_fifo_in_its_place(self):
        for _ in range(5):
            end = self.aiod.wait_for(self.aiod.submit("sh", "-c", FIFO), 20)
            self.assertEqual((end["outcome"], end["error"]["message"]), ("failed", "exit 3"))
        self.assertServes()

    def test_truncated_while_followed(self):
        gate = os.path.join(self.aiod.root, "gate")
        os.mkfifo(gate)
        task = self.aiod.submit(
            "sh", "-c", f"echo before; read x < {gate}; : > /proc/self/fd/1; echo after")
        with self.aiod.connect() as rpc:
            request = rpc.send("logs", id=task, follow=True)
            while b"before\n" not in b"".join(n[2][0]["data"] for n in rpc.notifications):
                rpc.notifications.append(rpc.read())
            with open(gate, "w", encoding="ascii") as f:
                f.write("go\n")
            rpc.answer(request)
            self.assertEqual(b"".join(n[2][0]["data"] for n in rpc.notifications),
                             b"before\nafter\n")


class Descriptors(unittest.TestCase):
    def limited(self, soft, hard, **kwargs):
        aiod = Instance(wrapper=["prlimit", f"--nofile={soft}:{hard}"], **kwargs)
        self.addCleanup(aiod.close)
        return aiod.start()

    def test_many_starts_with_few_descriptors(self):
        """What cannot be started yet waits; nothing fails for want of descriptors."""
        aiod = self.limited(300, 300, config="[group default]\nslots = 400\n")
        spawner = until("the spawner answers", lambda: aiod.call("health")["spawner"]["pid"])
        os.kill(spawner, signal.SIGSTOP)
        tasks = [aiod.submit("true") for _ in range(300)]
        os.kill(spawner, signal.SIGCONT)
        for task in tasks:
            end = aiod.wait_for(task)
            self.assertEqual((end["outcome"], end.get("error")), ("ok", None))

    def test_commands_get_the_soft_limit(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        aiod = self.limited(256, min(hard, 4096))
        task = aiod.submit("sh", "-c", "ulimit -Sn")
        aiod.wait_for(task)
        self.assertEqual(aiod.call("task", id=task)["tail"], "256\n")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""What systemd sees of aiod: READY, STATUS, RELOADING, STOPPING, the watchdog, socket activation."""
import os
import re
import signal
import socket
import subprocess
import unittest

from harness import AIOD, TIMEOUT, Instance, Rpc


class Notified(Instance):
    """An instance whose NOTIFY_SOCKET stays open, to read what it says all its life."""

    def start(self, ready=True):
        path = os.path.join(self.root, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(TIMEOUT)
        self.notify.bind(path)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=dict(self.env, NOTIFY_SOCKET=path))
        self.heard = []
        self.hear("READY=1")
        return self

    def hear(self, prefix):
        """Reads on until a message that begins so; returns it."""
        while True:
            message = self.notify.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(prefix):
                return message


class Notify(unittest.TestCase):
    def instance(self, **kwargs):
        aiod = Notified(**kwargs)
        self.addCleanup(aiod.close)
        aiod.start()
        self.addCleanup(aiod.notify.close)
        return aiod

    def test_status_has_numbers_alone(self):
        """A name with a newline would be a command to systemd: names are not in it at all."""
        aiod = self.instance()
        aiod.submit("sleep", "1000", name="MAINPID")
        aiod.call("submit", function="sleep", args=[1000])
        status = aiod.hear("STATUS=")
        while "1 RUNNING, 1 SUSPENDED" not in status:
            status = aiod.hear("STATUS=")
        for message in aiod.heard:
            if message.startswith("STATUS="):
                self.assertRegex(
                    message, r"\ASTATUS=\d+ PENDING, \d+ RUNNING, \d+ SUSPENDED, \d+ DONE\Z")

    def test_reload_and_stop(self):
        aiod = self.instance(config="[group convert]\nslots = 2\n")
        aiod.configure("[group convert]\nslots = 5\n")
        aiod.process.send_signal(signal.SIGHUP)
        self.assertTrue(re.search(r"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z", aiod.hear("RELOADING=1")))
        aiod.hear("READY=1")
        slots = {g["name"]: g["slots"] for g in aiod.call("groups")}
        self.assertEqual(slots["convert"], 5)
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertEqual(aiod.process.wait(TIMEOUT), 0)

    def test_watchdog(self):
        """Twice in each interval, from the loop."""
        aiod = self.instance(env={"WATCHDOG_USEC": "100000"})
        for _ in range(3):
            aiod.hear("WATCHDOG=1")

    def test_without_a_watchdog(self):
        aiod = self.instance()
        aiod.call("health")
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertNotIn("WATCHDOG=1", aiod.heard)


class SocketActivation(unittest.TestCase):
    def activate(self, aiod, listener, names="control"):
        """As systemd does: the socket is descriptor 3, LISTEN_PID is the process itself."""
        pid = os.fork()
        if pid == 0:
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            log = os.open(aiod.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            env = dict(aiod.env, LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=names)
            os.execve(AIOD, aiod.command(), env)
        return pid

    def listener(self, aiod):
        path = os.path.join(aiod.root, "activated.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(16)
        self.addCleanup(listener.close)
        return listener, path

    def test_a_client_that_came_before(self):
        aiod = Instance()
        self.addCleanup(aiod.close)
        listener, path = self.listener(aiod)
        with Rpc(path) as client:  # connected, and its request sent, before there is a daemon
            request = client.send("submit", args={"argv": ["true"]})
            pid = self.activate(aiod, listener)
            self.addCleanup(os.waitpid, pid, 0)
            self.addCleanup(os.kill, pid, signal.SIGTERM)
            task = client.answer(request)["id"]
            self.assertEqual(client.call("await", id=task)["outcome"], "ok")
        self.assertFalse(os.path.exists(aiod.socket), "no socket of its own beside systemd's")

    def test_a_socket_of_another_name(self):
        aiod = Instance()
        self.addCleanup(aiod.close)
        listener, _ = self.listener(aiod)
        pid = self.activate(aiod, listener, names="other")
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 78)
        self.assertIn('"control"', aiod.log_text())


if __name__ == "__main__":
    unittest.main()

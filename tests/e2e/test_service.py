# SPDX-License-Identifier: MIT
"""aiod as a service: socket activation, and an instance whose words to systemd are heard (those
themselves are in test_notify.py)."""
import os
import signal
import socket
import subprocess
import unittest

from harness import AIOD, TIMEOUT, Instance, Rpc, until


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
        if ready:
            self.hear("READY=1")
        return self

    def hear_all(self):
        """What has been said and not been read yet."""
        self.notify.setblocking(False)
        try:
            while True:
                self.heard.append(self.notify.recv(4096).decode())
        except BlockingIOError:
            self.notify.settimeout(TIMEOUT)

    def hear(self, prefix):
        """Reads on until a message that begins so; returns it."""
        while True:
            message = self.notify.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(prefix):
                return message


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


class Inherited(unittest.TestCase):
    """Whatever aiod is started with, it works as if it were not so."""

    def started(self, *wrapper):
        aiod = Instance(config="[group a]\nslots = 1\n", wrapper=wrapper)
        self.addCleanup(aiod.close)
        return aiod.start()

    def check_works(self, aiod):
        self.assertEqual(aiod.wait_for(aiod.submit("true"))["outcome"], "ok")
        aiod.configure("[group a]\nslots = 7\n")
        aiod.process.send_signal(signal.SIGHUP)
        until("it is read again", lambda: 7 in [g["slots"] for g in aiod.call("groups")])
        self.assertEqual(aiod.stop(), 0)

    def test_closed_standard_descriptors(self):
        """No file of aiod's becomes standard output or error: what is printed there would be in it."""
        aiod = self.started("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
        for fd in range(3):
            self.assertEqual(os.readlink(f"/proc/{aiod.process.pid}/fd/{fd}"), "/dev/null")
        self.check_works(aiod)

    def test_signals(self):
        for how in ("ignore", "block"):
            signals = "HUP,INT,TERM,CHLD,PIPE,ALRM,USR1,USR2"
            self.check_works(self.started("env", f"--{how}-signal={signals}"))

    def test_umask(self):
        for umask in ("0", "777"):
            aiod = self.started("sh", "-c", f'umask {umask}; exec "$@"', "sh")
            self.check_works(aiod)
            for path, mode in ((aiod.runtime, 0o700), (aiod.state, 0o700), (aiod.socket, 0o600),
                               (os.path.join(aiod.state, "tasks.db"), 0o600),
                               (os.path.join(aiod.state, "output/000/1.1.log"), 0o640)):
                self.assertEqual(os.stat(path).st_mode & 0o777, mode, path)

    def test_descriptors(self):
        """What was open for whoever started it is not open for the spawner."""
        with open("/dev/zero", "rb") as file:
            aiod = Instance()
            self.addCleanup(aiod.close)
            aiod.pass_fds = [file.fileno()]
            aiod.start()
            spawner = until("the spawner answers", aiod.spawner_pid)
            held = [os.readlink(f"/proc/{spawner}/fd/{fd}") for fd in os.listdir(f"/proc/{spawner}/fd")]
            self.assertNotIn("/dev/zero", held)
            self.assertEqual(aiod.stop(), 0)


if __name__ == "__main__":
    unittest.main()

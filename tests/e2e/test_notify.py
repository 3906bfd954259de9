# SPDX-License-Identifier: MIT
"""What aiod tells systemd (sd_notify(3)), heard by a socket of ours: READY, RELOADING, STOPPING,
STATUS, ERRNO, the watchdog. Here no systemd is needed."""
import errno
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from harness import SANITIZED, TIMEOUT, Instance, until
from test_service import Notified

STATUS = r"\ASTATUS=\d+ PENDING, \d+ RUNNING, \d+ SUSPENDED, \d+ DONE\Z"


class NotifyTest(unittest.TestCase):
    def instance(self, **kwargs):
        aiod = Notified(**kwargs)
        self.addCleanup(aiod.close)
        aiod.start()
        self.addCleanup(aiod.notify.close)
        return aiod


class Words(NotifyTest):
    def test_status_has_numbers_alone(self):
        """A name with a newline would be a command to systemd: names are not in it at all."""
        aiod = self.instance(config="[group MAINPID=1]\nslots = 1\n")
        aiod.submit("sh", "-c", "sleep 1000", "\nMAINPID=1\n", name="MAINPID", group="MAINPID=1")
        aiod.call("submit", function="sleep", args=[1000])
        status = aiod.hear("STATUS=")
        while "0 PENDING, 1 RUNNING, 1 SUSPENDED" not in status:
            status = aiod.hear("STATUS=")
        aiod.call("cancel", ids=["all"], kill=True)
        while "0 RUNNING, 0 SUSPENDED, 2 DONE" not in status:
            status = aiod.hear("STATUS=")
        for message in aiod.heard:
            if message.startswith("STATUS="):
                self.assertRegex(message, STATUS)

    def test_every_word(self):
        """Nothing is ever said but these, each as a message of its own."""
        aiod = self.instance(env={"WATCHDOG_USEC": "200000"})
        aiod.process.send_signal(signal.SIGHUP)
        aiod.hear("RELOADING=1")
        aiod.hear("READY=1")
        aiod.submit("true")
        aiod.hear("STATUS=")
        aiod.hear("WATCHDOG=1")
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertEqual(aiod.process.wait(TIMEOUT), 0)
        words = rf"READY=1|STOPPING=1|WATCHDOG=1|RELOADING=1\nMONOTONIC_USEC=\d+|{STATUS[2:-2]}"
        for message in aiod.heard:
            self.assertRegex(message, rf"\A(?:{words})\Z")

    def test_reload(self):
        """The time in it is the monotonic clock's at the reload, as systemd 253 and later want."""
        aiod = self.instance(config="[group convert]\nslots = 2\n")
        aiod.configure("[group convert]\nslots = 5\n")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        aiod.process.send_signal(signal.SIGHUP)
        message = aiod.hear("RELOADING=1")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        usec = int(re.search(r"\ARELOADING=1\nMONOTONIC_USEC=(\d+)\Z", message)[1])
        self.assertLessEqual(before, usec)
        self.assertLessEqual(usec, after)
        aiod.hear("READY=1")
        slots = {g["name"]: g["slots"] for g in aiod.call("groups")}
        self.assertEqual(slots["convert"], 5)

    def test_reload_that_is_refused(self):
        """It is ready again, with what it had."""
        aiod = self.instance(config="[group convert]\nslots = 2\n")
        aiod.configure("[group convert]\nslots = 0\n")
        aiod.process.send_signal(signal.SIGHUP)
        aiod.hear("RELOADING=1")
        aiod.hear("READY=1")
        self.assertIn(f"stays as it was: {aiod.config}:2: a group has at least 1 slot",
                      aiod.log_text())
        slots = {g["name"]: g["slots"] for g in aiod.call("groups")}
        self.assertEqual(slots["convert"], 2)

    def test_reloads_in_a_row(self):
        """Each is answered or one behind it is; the last change counts."""
        aiod = self.instance(config="[group convert]\nslots = 1\n")
        for slots in range(2, 30):
            aiod.configure(f"[group convert]\nslots = {slots}\n")
            aiod.process.send_signal(signal.SIGHUP)
        aiod.hear("RELOADING=1")
        until("the last one is in force", lambda: {
            g["name"]: g["slots"] for g in aiod.call("groups")}.get("convert") == 29)
        aiod.hear_all()
        if [m for m in aiod.heard if m.startswith(("RELOAD", "READY"))][-1] != "READY=1":
            aiod.hear("READY=1")  # our queue was full
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertEqual(aiod.process.wait(TIMEOUT), 0)

    def test_a_reload_does_not_hold_the_loop(self):
        """The configuration on a file system that hangs: a FIFO in its place."""
        aiod = self.instance(config="[group convert]\nslots = 2\n")
        os.unlink(aiod.config)
        os.mkfifo(aiod.config)
        aiod.process.send_signal(signal.SIGHUP)
        aiod.hear("RELOADING=1")
        self.assertEqual(aiod.wait_for(aiod.submit("true"))["outcome"], "ok")
        with open(aiod.config, "w", encoding="ascii") as f:
            f.write("[group convert]\nslots = 7\n")
        aiod.hear("READY=1")
        slots = {g["name"]: g["slots"] for g in aiod.call("groups")}
        self.assertEqual(slots["convert"], 7)

    def test_stop_is_said_first(self):
        """Before anything that may take time: here a client that does not read its answers."""
        aiod = self.instance()
        with aiod.connect() as rpc:
            task = rpc.call("submit", function="sleep", args=[1000])["id"]
            rpc.send("await", id=task)
            rpc.call("hello")
            aiod.process.terminate()
            aiod.hear("STOPPING=1")
            self.assertEqual(aiod.process.wait(TIMEOUT), 0)

    def test_why_it_does_not_start(self):
        for config, code in (("[nonsense]\nx = 1\n", errno.EINVAL), (None, errno.EBUSY)):
            with Instance() as first:
                aiod = Notified(config=config, state=None if config else first.state)
                self.addCleanup(aiod.close)
                aiod.start(ready=False)
                self.assertEqual(aiod.hear("ERRNO="), f"ERRNO={code}")
                self.assertNotEqual(aiod.process.wait(TIMEOUT), 0)
                aiod.notify.close()

    def test_nobody_reads(self):
        """systemd itself hangs: its socket is full, and aiod serves on."""
        aiod = self.instance(env={"WATCHDOG_USEC": "10000"}, config="")
        full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(full.close)
        full.setblocking(False)
        try:
            while True:
                full.sendto(b"X=1", os.path.join(aiod.root, "notify"))
        except BlockingIOError:
            pass
        for _ in range(20):
            self.assertEqual(aiod.wait_for(aiod.submit("true"))["outcome"], "ok")
        aiod.process.send_signal(signal.SIGHUP)
        until("it is read again", lambda: "again" in aiod.log_text())
        aiod.hear("READY=1")  # said again, once it is heard
        aiod.hear("WATCHDOG=1")


@unittest.skipIf(SANITIZED, "needs strace, which is slow to leave a sanitizer's process")
class Disk(NotifyTest):
    """The store's thread hangs, or fails."""

    def trace(self, aiod, injection):
        """strace on a running aiod, until the test ends or it is told to leave."""
        strace = subprocess.Popen(
            ["strace", "-f", "-p", str(aiod.process.pid), "-o", "/dev/null",
             "-e", "trace=fdatasync", "-e", f"inject=fdatasync:{injection}"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(strace.stderr.close)
        self.addCleanup(strace.wait)
        self.addCleanup(strace.kill)
        line = strace.stderr.readline()
        if "attached" not in line:
            self.skipTest(f"strace may not trace here: {line}")
        return strace

    def test_the_watchdog_is_not_fed_while_it_hangs(self):
        """The loop turns and answers; what hangs is the disk. Fed again when it goes on."""
        aiod = self.instance(env={"WATCHDOG_USEC": "100000"})
        for _ in range(10):
            aiod.hear("WATCHDOG=1")
        strace = self.trace(aiod, "delay_enter=600000000")
        with aiod.connect() as rpc:
            submitted = rpc.send("submit", function="sleep", args=[0])
            until("aiod has noticed", lambda: "has not answered for" in aiod.log_text())
            aiod.notify.settimeout(2)  # twenty of its intervals: nothing is what has to come
            with self.assertRaises(TimeoutError):
                while True:
                    aiod.hear("WATCHDOG=1")
            aiod.notify.settimeout(TIMEOUT)
            self.assertEqual(aiod.call("hello")["pid"], aiod.process.pid)
            self.assertEqual(aiod.log_text().count("has not answered for"), 1)
            strace.kill()
            rpc.answer(submitted)
        for _ in range(3):
            aiod.hear("WATCHDOG=1")
        self.assertIn("the disk of the state directory answers again", aiod.log_text())

    def test_a_slow_disk_is_no_reason(self):
        """So many commits are ahead of the question that it is not answered for longer than the
        watchdog waits: it is fed all the time, because they come."""
        aiod = self.instance(env={"WATCHDOG_USEC": "200000"})
        self.trace(aiod, "delay_enter=250000")
        clients = [aiod.connect() for _ in range(200)]
        for client in clients:
            self.addCleanup(client.close)
        asked = [(client, client.send("submit", function="sleep", args=[0]))
                 for client in clients for _ in range(20)]
        for n, (client, msgid) in enumerate(asked):
            client.answer(msgid)
            if n % 100 == 0:
                aiod.hear("WATCHDOG=1")
        self.assertNotIn("has not answered", aiod.log_text())

    def test_a_long_start(self):
        """A large database, or a slow disk: more time is asked for while it works."""
        aiod = self.instance()
        aiod.wait_for(aiod.submit("true"))
        aiod.kill()
        aiod.notify.close()
        os.unlink(os.path.join(aiod.root, "notify"))
        aiod.wrapper = ["strace", "-DDD", "-f", "-o", "/dev/null", "-e", "trace=pread64",
                        "-e", "inject=pread64:delay_enter=1500000:when=8..14"]
        aiod.start()
        self.addCleanup(aiod.notify.close)
        extended = [m for m in aiod.heard if m.startswith("EXTEND_TIMEOUT_USEC=")]
        self.assertGreater(len(extended), 0, aiod.heard)
        self.assertEqual(set(extended), {"EXTEND_TIMEOUT_USEC=30000000"})
        self.assertEqual(aiod.heard[-1], "READY=1")

    def test_why_it_ends(self):
        aiod = self.instance()
        self.trace(aiod, "error=EIO")
        with aiod.connect() as rpc:
            rpc.send("submit", function="sleep", args=[0])
            self.assertEqual(aiod.hear("ERRNO="), f"ERRNO={errno.EIO}")
            aiod.hear("STOPPING=1")
        self.assertEqual(aiod.process.wait(TIMEOUT), 74)


class Watchdog(NotifyTest):
    def test_it_is_fed(self):
        """Twice in each interval, from the loop."""
        aiod = self.instance(env={"WATCHDOG_USEC": "100000"})
        for _ in range(10):
            aiod.hear("WATCHDOG=1")

    def test_it_is_fed_by_the_loop_alone(self):
        """A loop that does not turn says nothing: here the whole process stands still."""
        aiod = self.instance(env={"WATCHDOG_USEC": "100000"})
        aiod.hear("WATCHDOG=1")
        aiod.process.send_signal(signal.SIGSTOP)
        aiod.notify.settimeout(1)
        with self.assertRaises(TimeoutError):
            while True:
                aiod.hear("WATCHDOG=1")
        aiod.process.send_signal(signal.SIGCONT)
        aiod.notify.settimeout(TIMEOUT)
        aiod.hear("WATCHDOG=1")

    def test_without_one(self):
        aiod = self.instance()
        aiod.call("health")
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertNotIn("WATCHDOG=1", aiod.heard)

    def test_anothers(self):
        """WATCHDOG_PID says whose it is."""
        aiod = self.instance(env={"WATCHDOG_USEC": "10000", "WATCHDOG_PID": "1"})
        aiod.call("health")
        aiod.process.terminate()
        aiod.hear("STOPPING=1")
        self.assertNotIn("WATCHDOG=1", aiod.heard)


if __name__ == "__main__":
    unittest.main()

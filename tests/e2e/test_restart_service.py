# SPDX-License-Identifier: MIT
"""What others see of a restart: clients that wait or submit, a second aiod, the socket, SIGHUP."""
import collections
import os
import signal
import socket
import subprocess
import unittest

import harness
from harness import Instance, RpcError
from survive import SurviveTest, until

HOW = (signal.SIGTERM, signal.SIGKILL)


class Clients(SurviveTest):
    def check_waiting(self, how):
        task = self.gated()
        clients = []
        for method, fields in (("await", {"id": task}), ("wait", {}),
                               ("logs", {"id": task, "follow": True})):
            rpc = self.aiod.connect()
            self.addCleanup(rpc.close)
            clients.append((method, rpc, rpc.send(method, **fields)))
            rpc.call("hello")  # so the request before it is under way
        self.aiod.kill(how)
        for method, rpc, msgid in clients:
            try:
                result = rpc.answer(msgid)
                self.fail(f"{method} was answered with {result}")
            except RpcError as error:
                self.assertEqual((how, error.word), (signal.SIGTERM, "stopping"))
            except ConnectionError:
                pass
        self.aiod.start()
        self.gate.open()
        self.assertEnds(task, "ok")

    def test_waiting_over_a_stop(self):
        self.check_waiting(signal.SIGTERM)

    def test_waiting_over_a_kill(self):
        self.check_waiting(signal.SIGKILL)

    def test_submits_under_way_over_a_stop(self):
        """An id is a promise, "stopping" is one too: then it is not there and never runs."""
        known, refused = set(), set()
        for cycle in range(10):
            with self.aiod.connect() as rpc:
                names = {}
                for n in range(100):
                    name = f"n{cycle}-{n}"
                    argv = ["sh", "-c", f"echo {name} >> {self.log}"]
                    msgid = rpc.send("submit", name=name, args={"argv": argv, "cwd": "/"})
                    names[msgid] = name
                rpc.answer(min(names))
                self.assertEqual(self.aiod.kill(signal.SIGTERM), 0)
                for msgid, name in names.items():
                    try:
                        if msgid != min(names):
                            rpc.answer(msgid)
                        known.add(name)
                    except RpcError as error:
                        self.assertEqual(error.word, "stopping")
                        refused.add(name)
                    except ConnectionError:
                        pass
            self.aiod.start()
        self.aiod.call("wait")
        ran = collections.Counter(self.log_words())
        self.assertEqual({name: ran[name] for name in known if ran[name] != 1}, {})
        self.assertEqual({name: ran[name] for name in refused if ran[name]}, {})
        self.assertEqual(set(ran.values()), {1})
        self.assertGreater(len(known), 10)

    def test_aioctl_says_that_aiod_went_away(self):
        """A clear error and exit status 4, not silence, where it is not to wait for it."""
        task = self.gated()
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, AIOD_NO_START="1",
                   AIOD_RECONNECT="0")
        with subprocess.Popen([harness.AIOCTL, "wait", str(task)], env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as client:
            until("it is connected", lambda: self.aiod.call("health")["connections"] > 1)
            self.aiod.kill()
            text, _ = client.communicate(timeout=harness.TIMEOUT)
        self.assertEqual(client.returncode, 4, text)
        self.assertIn(self.aiod.socket, text)
        self.aiod.start()
        self.gate.open()
        self.aiod.aioctl("wait", str(task), check=0)

    def test_socket_of_a_dead_aiod_is_replaced(self):
        self.aiod.kill()
        self.assertTrue(os.path.exists(self.aiod.socket))
        with socket.socket(socket.AF_UNIX) as client, self.assertRaises(ConnectionRefusedError):
            client.connect(self.aiod.socket)
        self.aiod.start()
        self.assertEqual(self.aiod.call("hello")["pid"], self.aiod.process.pid)


class Second(SurviveTest):
    def refused(self, **other):
        second = Instance(**other)
        self.addCleanup(second.close)
        second.start(ready=False)
        status = second.process.wait(harness.TIMEOUT)
        self.assertNotEqual(status, 0)
        return second.log_text()

    def test_one_state_directory(self):
        task = self.gated()
        log = self.refused(state=self.aiod.state)
        self.assertIn(str(self.aiod.process.pid), log)
        self.assertIn(self.aiod.state, log)
        self.gate.open()
        self.assertEnds(task, "ok")

    @unittest.skipIf(os.getuid(), "needs root")
    def test_state_directory_of_another_user(self):
        """What is in it says what runs, and as whom."""
        other = Instance()
        self.addCleanup(other.close)
        os.makedirs(other.state, 0o700)
        os.chown(other.state, 1234, 1234)
        self.assertIn("belongs to uid 1234", self.refused(state=other.state))
        os.chown(other.state, 0, 0)
        os.chmod(other.state, 0o770)
        self.assertIn("others may write to", self.refused(state=other.state))

    def test_one_runtime_directory(self):
        other = Instance()
        self.addCleanup(other.close)
        other.runtime = self.aiod.runtime
        other.start(ready=False)
        self.assertNotEqual(other.process.wait(harness.TIMEOUT), 0)
        self.assertIn("another aiod", other.log_text())
        self.assertEqual(self.aiod.call("hello")["pid"], self.aiod.process.pid)


class Reload(SurviveTest):
    config = "[group one]\nslots = 1\n"

    def reload(self, text, says):
        before = self.aiod.log_text().count(says)
        self.aiod.configure(text)
        self.aiod.process.send_signal(signal.SIGHUP)
        until(f"the log says {says}", lambda: self.aiod.log_text().count(says) > before)
        return self.aiod.log_text()

    def groups(self):
        return {g["name"]: g["slots"] for g in self.aiod.call("groups")}

    def test_good(self):
        first = self.gated(group="one")
        second = self.gated_queued()
        self.reload("[group one]\nslots = 2\n[group two]\nslots = 3\n", "again")
        self.assertEqual((self.groups()["one"], self.groups()["two"]), (2, 3))
        self.running(second)  # the new slot is used at once
        self.assertTrue(self.task(first)["state"] == "RUNNING")
        self.gate.open(2)
        self.assertEnds(first, "ok")
        self.assertEnds(second, "ok")

    def gated_queued(self):
        return self.aiod.submit("sh", "-c", f"read _ < {self.gate.path}", group="one")

    def test_bad_is_refused_whole(self):
        for text, line, why in (
                ("[group one]\nslots = 5\n[commands]\ngrace = never\n", 4, "never"),
                ("[group one]\nslots = 5\n\n[limits]\nwhat = 1\n", 5, "what"),
                ("[group one]\nslots = 5\n[group one]\nslots = -1\n", 4, "-1"),
                ("[group one]\nslots = 5\nrubbish\n", 3, "")):
            with self.subTest(text=text):
                log = self.reload(text, "stays as it was")
                told = [entry for entry in log.split("\n") if "stays as it was" in entry][-1]
                self.assertIn(f"{self.aiod.config}:{line}:", told)
                self.assertIn(why, told)
                self.assertEqual(self.groups()["one"], 1)
        self.reload("[group one]\nslots = 6\n", "again")
        self.assertEqual(self.groups()["one"], 6)

    def test_checked_beforehand(self):
        """aiod --check-config: the same sentence, and nothing is started or changed."""
        def check():
            done = subprocess.run([harness.AIOD, "--check-config", "--config", self.aiod.config],
                                  capture_output=True, text=True, timeout=harness.TIMEOUT)
            return done.returncode, done.stdout, done.stderr
        self.assertEqual(check(), (0, "", ""))
        self.aiod.configure("[group one]\nslots = many\n")
        status, out, said = check()
        self.assertEqual((status, out, said.count("\n")), (78, "", 1))
        self.assertIn(f"{self.aiod.config}:2: ", said)
        self.assertEqual(self.groups()["one"], 1)
        self.aiod.configure(self.config)

    def test_bad_at_the_start(self):
        self.aiod.kill(signal.SIGTERM)
        self.aiod.configure("[nonsense]\nx = 1\n")
        self.aiod.start(ready=False)
        self.assertNotEqual(self.aiod.process.wait(harness.TIMEOUT), 0)
        self.assertIn(f"{self.aiod.config}:2:", self.aiod.log_text())
        self.aiod.configure(self.config)
        self.aiod.start()

    def test_gone(self):
        """A file that was named has to be there."""
        os.unlink(self.aiod.config)
        self.aiod.process.send_signal(signal.SIGHUP)
        until("it says so", lambda: "stays as it was" in self.aiod.log_text())
        self.assertEqual(self.groups()["one"], 1)


class LongPaths(unittest.TestCase):
    """sun_path has 108 bytes; directories may be deeper."""

    def test_long_runtime_and_state(self):
        aiod = Instance()
        self.addCleanup(aiod.close)
        deep = os.path.join(aiod.root, *["a-directory-with-a-long-name"] * 6)
        aiod.runtime = os.path.join(deep, "run")
        aiod.state = os.path.join(deep, "state")
        aiod.socket = os.path.join(aiod.runtime, "control.sock")
        self.assertGreater(len(aiod.socket), 160)
        for how in HOW:
            aiod.start()
            done = aiod.aioctl("run", "sh", "-c", "echo deep; exit 3", check=3)
            self.assertEqual(done.stdout, "deep\n")
            task = aiod.aioctl("submit", "sh", "-c", "echo again", check=0).stdout.strip()
            aiod.aioctl("wait", task, check=0)
            self.assertEqual(aiod.aioctl("logs", task, check=0).stdout, "again\n")
            aiod.kill(how)
        aiod.start()
        self.assertEqual(len(aiod.aioctl("status", "-o", "id", check=0).stdout.split()), 4)


if __name__ == "__main__":
    unittest.main()

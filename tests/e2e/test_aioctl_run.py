# SPDX-License-Identifier: MIT
"""aioctl run, logs, await, wait and result: the output, the waiting, the signals, and the exit
statuses that scripts rely on."""
import json
import os
import signal
import subprocess
import unittest

from harness import AIOCTL, TIMEOUT, Gate, InstanceTest, until

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.02; done"


class RunTest(InstanceTest):
    config = "[commands]\ngrace = 1h\n"

    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def start(self, *args, **kwargs):
        """An aioctl that goes on; its output comes in lines."""
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket)
        process = subprocess.Popen([AIOCTL, *args], env=env, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def newest(self):
        return self.aiod.call("status", limit=1)["tasks"][0]


class Run(RunTest):
    def test_streams_apart(self):
        done = self.aioctl("run", "-c", "echo out; echo err >&2; printf tail")
        self.assertEqual((done.stdout, done.stderr), ("out\ntail", "err\n"))

    def test_bytes_as_they_are(self):
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket)
        line = "head -c 300000 /dev/urandom | tee raw; printf '\\000\\377\\033[31m'"
        done = subprocess.run([AIOCTL, "run", "-c", line], env=env, cwd=self.aiod.root,
                              capture_output=True, timeout=TIMEOUT, check=True)
        with open(os.path.join(self.aiod.root, "raw"), "rb") as f:
            self.assertEqual(done.stdout, f.read() + b"\0\xff\x1b[31m")
        self.assertEqual(done.stderr, b"")

    def test_exit_status_is_the_tasks(self):
        for status in (0, 1, 2, 7, 125, 126, 127, 255):
            done = self.aioctl("run", "-c", f"exit {status}", check=status)
            self.assertEqual((done.stdout, done.stderr), ("", ""))
        for number in (9, 15, 11):
            done = self.aioctl("run", "-c", f"kill -{number} $$", check=128 + number)
            self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_what_cannot_start(self):
        done = self.aioctl("run", "no-such-program", check=127)
        self.assertIn("no-such-program", done.stderr)
        done = self.aioctl("run", self.aiod.root, check=126)
        self.assertIn(self.aiod.root, done.stderr)
        done = self.aioctl("run", "--cwd", "/no/such/dir", "true", check=126)
        self.assertIn("/no/such/dir", done.stderr)

    def test_own_errors_are_125(self):
        self.assertIn("--bogus", self.aioctl("run", "--bogus", "true", check=125).stderr)
        self.assertIn("nope", self.aioctl("run", "-g", "nope", "true", check=125).stderr)
        self.assertIn("which command", self.aioctl("run", check=125).stderr)
        self.assertIn("-c", self.aioctl("run", "echo a b", check=125).stderr)

    def test_a_format_is_refused(self):
        done = self.aioctl("run", "-o", "json", "true", check=125)
        self.assertEqual((done.stdout, done.stderr),
                         ("", "aioctl: run: there is no option -o: aioctl help run\n"))

    def test_stdin_is_not_inherited(self):
        read, write = os.pipe()
        os.write(write, b"typed\n")
        done = self.aioctl("run", "cat", stdin=read)
        self.assertEqual(done.stdout, "")
        self.assertEqual(os.read(read, 100), b"typed\n")
        os.close(read)
        os.close(write)

    def test_options_of_submit(self):
        done = self.aioctl("run", "--in", "100ms", "--name", "later", "--env", "A=b", "--cwd",
                           self.aiod.root, "sh", "-c", "pwd; echo $A")
        self.assertEqual(done.stdout, f"{self.aiod.root}\nb\n")
        self.assertEqual(self.newest()["name"], "later")
        self.assertEqual(self.aioctl("run", "--call", "sleep", "0").stdout, "")

    def test_output_comes_while_it_runs(self):
        gate = Gate(self.aiod.root)
        run = self.start("run", "-c", f"echo first; {gate.command}; echo second; exit 0")
        self.assertEqual(run.stdout.readline(), "first\n")
        gate.open()
        self.assertEqual(run.stdout.read(), "second\n")
        self.assertEqual(run.wait(TIMEOUT), 0)

    def test_interrupt_cancels(self):
        for signo in (signal.SIGINT, signal.SIGTERM):
            line = "trap 'echo seen; exit 3' TERM; echo ready; sleep 1000 & wait"
            run = self.start("run", "-c", line)
            self.assertEqual(run.stdout.readline(), "ready\n")
            run.send_signal(signo)
            self.assertEqual(run.stdout.read(), "seen\n")
            self.assertEqual(run.wait(TIMEOUT), 128 + signo)
            task = self.newest()
            self.assertEqual(task["outcome"], "cancelled")
            self.assertEqual(run.stderr.read(), f"aioctl: run: cancelling task {task['id']}\n")

    def test_second_interrupt_kills(self):
        run = self.start("run", "-c", STUBBORN)
        self.assertEqual(run.stdout.readline(), "ready\n")
        run.send_signal(signal.SIGINT)
        until("the first one has arrived", lambda: "cancel" in self.newest())
        self.assertEqual(self.newest()["state"], "RUNNING")
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(TIMEOUT), 130)
        self.assertEqual(self.newest()["error"]["signal"], 9)
        self.assertEqual(run.stderr.read(), "aioctl: run: cancelling task 1\n"
                         "aioctl: run: killing task 1\n")

    def test_interrupt_before_it_began(self):
        run = self.start("run", "--in", "1h", "true")
        until("it is submitted", lambda: self.aiod.call("status")["tasks"])
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(TIMEOUT), 130)
        self.assertEqual(self.newest()["outcome"], "cancelled")

    def test_hangup_leaves_it_running(self):
        gate = Gate(self.aiod.root)
        run = self.start("run", "-c", f"echo ready; {gate.command}; exit 0")
        self.assertEqual(run.stdout.readline(), "ready\n")
        run.send_signal(signal.SIGHUP)
        self.assertEqual(run.wait(TIMEOUT), 129)
        self.assertEqual(run.stderr.read(), "aioctl: run: task 1 goes on: aioctl logs -f 1\n")
        self.assertEqual(self.newest()["state"], "RUNNING")
        gate.open()
        self.assertEqual(self.aiod.wait_for("last")["outcome"], "ok")

    def test_terminal_that_is_gone(self):
        """Its hangup, and output that has nowhere to go, leave the task running."""
        gate = Gate(self.aiod.root)
        master, terminal = os.openpty()
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket)
        line = f"echo ready; {gate.command}; exit 0"
        # `setsid -c` makes it the session's terminal
        with subprocess.Popen(["setsid", "-c", AIOCTL, "run", "-c", line], env=env, stdin=terminal,
                              stdout=terminal, stderr=terminal) as run:
            os.close(terminal)
            self.assertEqual(os.read(master, 100), b"ready\r\n")
            os.close(master)
            self.assertEqual(run.wait(TIMEOUT), 129)
        self.assertEqual(self.newest()["state"], "RUNNING")
        gate.open()
        self.assertEqual(self.aiod.wait_for("last")["outcome"], "ok")

    def test_killed_client_leaves_it_running(self):
        gate = Gate(self.aiod.root)
        run = self.start("run", "-c", f"echo ready; {gate.command}; exit 0")
        self.assertEqual(run.stdout.readline(), "ready\n")
        run.kill()
        run.wait(TIMEOUT)
        self.assertEqual(self.newest()["state"], "RUNNING")
        gate.open()
        self.assertEqual(self.aiod.wait_for("last")["outcome"], "ok")

    def test_closed_pipe_cancels(self):
        run = self.start("run", "-c", "while :; do echo y; done")
        self.assertEqual(run.stdout.readline(), "y\n")
        run.stdout.close()
        run.wait(TIMEOUT)
        self.assertEqual(self.aiod.wait_for("last")["outcome"], "cancelled")


class Logs(RunTest):
    def test_whole_and_last_lines(self):
        task = self.aiod.submit("sh", "-c", "seq 2000; printf end")
        self.aiod.wait_for(task)
        whole = "".join(f"{i}\n" for i in range(1, 2001)) + "end"
        self.assertEqual(self.aioctl("logs", str(task)).stdout, whole)
        self.assertEqual(self.aioctl("logs").stdout, whole)
        self.assertEqual(self.aioctl("logs", "-n", "1").stdout, "end")
        self.assertEqual(self.aioctl("logs", "-n", "3").stdout, "1999\n2000\nend")
        self.assertEqual(self.aioctl("logs", "-n", "999999").stdout, whole)
        self.assertEqual(self.aioctl("logs", "-n", "0").stdout, "")
        self.assertEqual(self.aioctl("logs", "-f").stdout, whole)
        self.assertEqual(self.aioctl("logs", "-f", "-n", "2").stdout, "2000\nend")
        self.assertEqual(self.aioctl("logs", "--stderr").stdout, "")

    def test_follow_until_done(self):
        gate = Gate(self.aiod.root)
        task = self.aiod.submit("sh", "-c", f"echo 1; echo 2; {gate.command}; echo 3")
        until("it has printed", lambda: self.aiod.output(task) == b"1\n2\n")
        whole = self.start("logs", "-f", str(task))
        last = self.start("logs", "-f", "-n", "1", str(task))
        self.assertEqual(whole.stdout.readline(), "1\n")
        self.assertEqual(last.stdout.readline(), "2\n")
        gate.open()
        self.assertEqual(whole.stdout.read(), "2\n3\n")
        self.assertEqual(last.stdout.read(), "3\n")
        self.assertEqual((whole.wait(TIMEOUT), last.wait(TIMEOUT)), (0, 0))

    def test_follow_one_not_started(self):
        task = self.aiod.submit("echo", "at last", **{"in": 0.4})
        self.assertEqual(self.aioctl("logs", str(task)).stdout, "")
        follow = self.start("logs", "-f", str(task))
        self.assertEqual(follow.stdout.read(), "at last\n")
        self.assertEqual(follow.wait(TIMEOUT), 0)

    def test_follow_one_that_never_starts(self):
        task = self.aiod.submit("true", **{"in": 1000})
        follow = self.start("logs", "-f", str(task))
        until("it follows", lambda: self.aiod.call("health")["connections"] == 2)
        self.aiod.call("cancel", ids=[task])
        self.assertEqual(follow.stdout.read(), "")
        self.assertEqual(follow.wait(TIMEOUT), 0)

    def test_follow_loses_nothing(self):
        task = self.aiod.submit("seq", "200000")
        done = self.aioctl("logs", "-f", str(task))
        self.assertEqual(done.stdout, "".join(f"{i}\n" for i in range(1, 200001)))

    def test_of_a_function_without_output(self):
        task = self.aiod.call("submit", function="sleep", args=[0])["id"]
        self.aiod.wait_for(task)
        self.assertEqual(self.aioctl("logs", str(task)).stdout, "")
        self.assertEqual(self.aioctl("logs", "-f", str(task)).stdout, "")


class Wait(RunTest):
    def test_await_prints_the_result(self):
        task = str(self.aiod.submit("true"))
        self.assertEqual(self.aioctl("await", task).stdout, "0\n")
        self.assertEqual(self.aioctl("result", task).stdout, "0\n")
        task = str(self.aiod.call("submit", function="sleep", args=[0])["id"])
        self.assertEqual(self.aioctl("await", task).stdout, "")
        one = json.loads(self.aioctl("await", "-o", "json", task).stdout)
        self.assertEqual(one, self.aiod.wait_for(task))

    def test_await_of_a_failure(self):
        task = str(self.aiod.submit("sh", "-c", "echo why; exit 9"))
        done = self.aioctl("await", task, check=1)
        self.assertEqual((done.stdout, done.stderr),
                         ("", f"aioctl: await: task {task} failed: exit 9: why\n"))
        self.aioctl("result", task, check=1)
        self.aioctl("await", "--propagate", task, check=9)
        self.aioctl("wait", "--propagate", task, check=9)
        killed = str(self.aiod.submit("sh", "-c", "kill -9 $$"))
        self.aioctl("await", "--propagate", killed, check=137)
        self.aioctl("await", "--propagate", "77", check=125)

    def test_await_of_a_cancelled_one(self):
        task = str(self.aiod.submit("true", **{"in": 1000}))
        self.aioctl("cancel", task)
        done = self.aioctl("await", task, check=1)
        self.assertEqual(done.stderr, f"aioctl: await: task {task} was cancelled\n")
        self.aioctl("await", "--propagate", task, check=143)

    def test_timeouts(self):
        task = str(self.aiod.submit("true", **{"in": 1000}))
        done = self.aioctl("await", "-t", "100ms", task, check=124)
        self.assertEqual(done.stdout, "")
        self.assertIn(f"task {task} is not done", done.stderr)
        done = self.aioctl("wait", "--timeout", "0", task, check=124)
        self.assertEqual((done.stdout, done.stderr),
                         ("", f"aioctl: wait: task {task} is not done after 0 s\n"))
        self.aiod.wait_for(self.aiod.submit("true"))
        done = self.aioctl("wait", "-t", "10ms", "1-9", check=124)
        self.assertEqual((done.stdout, done.stderr),
                         ("2 ok true\n", f"aioctl: wait: task {task} is not done after 0.01 s\n"))
        self.aioctl("await", "--propagate", "-t", "0", task, check=124)
        done = self.aioctl("result", task, check=5)
        self.assertEqual(done.stderr, f"aioctl: result: task {task} is not done\n")

    def test_wait_in_the_order_of_completion(self):
        slow = self.aiod.call("submit", function="sleep", args=[0.3])["id"]
        fast = self.aiod.call("submit", function="sleep", args=[0.1])["id"]
        self.assertEqual(self.aioctl("wait").stdout,
                         f"{fast} ok sleep 0.1\n{slow} ok sleep 0.3\n")
        self.assertEqual(self.aioctl("wait").stdout, "")

    def test_wait_first(self):
        slow = self.aiod.call("submit", function="sleep", args=[1000])["id"]
        fast = self.aiod.submit("false", name="quick")
        self.assertEqual(self.aioctl("wait", "--first", str(slow), str(fast), check=1).stdout,
                         f"{fast} failed quick: false\n")

    def test_wait_as_json(self):
        tasks = [self.aiod.submit("true"), self.aiod.submit("false")]
        answer = json.loads(self.aioctl("wait", "-o", "json", "1-2", check=1).stdout)
        self.assertEqual((sorted(t["id"] for t in answer["done"]), answer["pending"],
                          answer["timed_out"]), (tasks, [], False))
        lines = self.aioctl("wait", "-o", "jsonl", "1-2", check=1).stdout.splitlines()
        self.assertEqual({json.loads(line)["outcome"] for line in lines}, {"ok", "failed"})

    def test_ending_the_wait_cancels_nothing(self):
        gate = Gate(self.aiod.root)
        task = self.aiod.submit("sh", "-c", f"{gate.command}; exit 0")
        for args in (("await", str(task)), ("wait",), ("logs", "-f", str(task))):
            waiting = self.start(*args)
            until("it waits", lambda: self.aiod.call("health")["connections"] == 2)
            waiting.send_signal(signal.SIGINT)
            waiting.wait(TIMEOUT)
            until("it has gone", lambda: self.aiod.call("health")["connections"] == 1)
        gate.open()
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")


if __name__ == "__main__":
    unittest.main()

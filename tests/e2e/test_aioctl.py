# SPDX-License-Identifier: MIT
"""aioctl submit and what needs no task: what reaches the daemon, what is printed where, exit
statuses."""
import json
import os
import unittest

from harness import AIOCTL, Gate, Instance, InstanceTest

VERBS = ("submit", "run", "status", "await", "wait", "result", "logs", "cancel", "rm",
         "functions", "health", "help")


class AioctlTest(InstanceTest):
    def aioctl(self, *args, check=0, **kwargs):
        return self.aiod.aioctl(*args, check=check, **kwargs)

    def submit(self, *args, **kwargs):
        """aioctl submit; returns the id, which is all that is printed."""
        done = self.aioctl("submit", *args, **kwargs)
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"\A[1-9][0-9]*\n\Z")
        return int(done.stdout)

    def refused(self, status, *args, says="", **kwargs):
        """Nothing on stdout, one line on stderr that names aioctl."""
        done = self.aioctl(*args, check=status, **kwargs)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Aaioctl: [^\n]+\n\Z")
        self.assertIn(says, done.stderr)

    def argv(self, task):
        return self.aiod.call("task", id=task)["args"]["argv"]


class Submit(AioctlTest):
    def test_options_stop_at_the_first_word(self):
        task = self.submit("--name", "copy", "rsync-like", "-a", "--name", "x", "-c", "--", "-h")
        self.assertEqual(self.argv(task),
                         ["rsync-like", "-a", "--name", "x", "-c", "--", "-h"])
        self.assertEqual(self.aiod.wait_for(task)["name"], "copy")
        task = self.submit("--", "echo", "--", "-n")
        self.assertEqual(self.argv(task), ["echo", "--", "-n"])

    def test_argv_verbatim(self):
        words = ["echo", "", "a b", "$HOME", "*", "new\nline", os.fsdecode(b"\xff\xfe"), "ü"]
        task = self.submit(*words)
        self.assertEqual([os.fsencode(a) for a in self.argv(task)],
                         [os.fsencode(w) for w in words])
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task), " a b $HOME * new\nline ".encode() +
                         b"\xff\xfe \xc3\xbc\n")

    def test_line(self):
        task = self.submit("-c", "echo a | tr a b")
        done = self.aiod.wait_for(task)
        self.assertEqual((done["outcome"], done["title"]), ("ok", "echo a | tr a b"))
        self.assertEqual(self.argv(task), ["sh", "-c", "echo a | tr a b"])
        self.assertEqual(self.aiod.output(task), b"b\n")
        self.refused(2, "submit", "-c", "echo", "more", says="more")
        self.assertEqual(self.argv(self.submit("--command=true")), ["sh", "-c", "true"])

    def test_hint_for_one_argument_with_blanks(self):
        self.refused(2, "submit", "echo a b", says="-c")
        self.assertEqual(self.aiod.call("status")["tasks"], [])
        program = os.path.join(self.aiod.root, "my program")
        os.symlink("/bin/true", program)
        self.assertEqual(self.argv(self.submit(program)), [program])
        self.submit("my program", env={"PATH": f"{self.aiod.root}:/bin"})
        self.submit("nosuchprogram")

    def test_where_it_runs(self):
        task = self.submit("pwd", cwd=self.aiod.root)
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task), os.fsencode(self.aiod.root) + b"\n")
        os.mkdir(os.path.join(self.aiod.root, "sub"))
        task = self.submit("--cwd", "sub", "sh", "-c", "pwd; echo $PWD", cwd=self.aiod.root)
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task),
                         os.fsencode(f"{self.aiod.root}/sub\n{self.aiod.root}/sub\n"))
        task = self.submit("sh", "-c", "umask", umask=0o137)
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task), b"0137\n")

    def env(self, task):
        self.aiod.wait_for(task)
        pairs = [v.split(b"=", 1) for v in self.aiod.output(task).split(b"\0")[:-1]]
        return dict(pairs)

    def test_environment(self):
        own = {"KEPT": "yes", "SHLVL": "3", "TMUX": "x", "TMUX_PANE": "%1", "SSH_TTY": "t",
               "XDG_SESSION_ID": "7", "LISTEN_FDS": "1", "NOTIFY_SOCKET": "/n",
               "INVOCATION_ID": "i", "AIOD_TASK_ID": "1234", "_": "/bin/x", "OLDPWD": "/old",
               "XDG_RUNTIME_DIR": "/run/user/1", "REPLACED": "old"}
        task = self.submit("--env", "REPLACED=a", "--env", "REPLACED=b=c", "--env", "NEW=",
                           "cat", "/proc/self/environ", env=own)
        env = self.env(task)
        self.assertEqual(env[b"KEPT"], b"yes")
        self.assertEqual(env[b"REPLACED"], b"b=c")
        self.assertEqual(env[b"NEW"], b"")
        self.assertEqual(env[b"XDG_RUNTIME_DIR"], b"/run/user/1")
        self.assertEqual(env[b"AIOD_TASK_ID"], b"%d" % task)
        for name in ("SHLVL", "TMUX", "TMUX_PANE", "SSH_TTY", "XDG_SESSION_ID", "LISTEN_FDS",
                     "NOTIFY_SOCKET", "INVOCATION_ID", "_", "OLDPWD"):
            self.assertNotIn(name.encode(), env)
        self.refused(2, "submit", "--env", "NOVALUE", "true", says="NOVALUE")
        self.refused(2, "submit", "--env", "=x", "true", says="=x")

    def test_clean_environment(self):
        own = {"KEPT": "no", "LANG": "C.UTF-8", "HOME": "/root"}
        task = self.submit("--clean-env", "--env", "A=1", "cat", "/proc/self/environ", env=own)
        env = self.env(task)
        self.assertEqual(env[b"A"], b"1")
        self.assertEqual(env[b"HOME"], b"/root")
        self.assertLessEqual(set(env), {b"HOME", b"LANG", b"LOGNAME", b"PATH", b"SHELL", b"USER",
                                        b"A", b"AIOD_TASK_ID", b"AIOD_ATTEMPT"})

    def test_stdin(self):
        with open(os.path.join(self.aiod.root, "input"), "w", encoding="ascii") as f:
            f.write("from a file\n")
        task = self.submit("--stdin", "input", "cat", cwd=self.aiod.root)
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task), b"from a file\n")
        read, write = os.pipe()
        os.write(write, b"typed")
        task = self.submit("cat", stdin=read)
        self.assertEqual(self.aiod.wait_for(task)["outcome"], "ok")
        self.assertEqual(self.aiod.output(task), b"")
        os.close(read)
        os.close(write)
        self.refused(2, "submit", "--stdin", "-", "cat", says="--stdin")

    def test_split(self):
        task = self.submit("--split", "-c", "echo o; echo e >&2")
        self.aiod.wait_for(task)
        self.assertEqual(self.aioctl("logs", str(task)).stdout, "o\n")
        self.assertEqual(self.aioctl("logs", "--stderr", str(task)).stdout, "e\n")

    def test_when(self):
        for args in (["--in", "1h"], ["--in=3600"], ["--at", "tomorrow 08:00"],
                     ["--at", "2099-12-24 18:00"]):
            task = self.submit(*args, "true")
            waiting = self.aiod.call("status", ids=[task])["tasks"][0]
            self.assertEqual(waiting["awaits"]["kind"], "timer", args)
        self.assertEqual(waiting["awaits"]["until"], "2099-12-24T18:00:00.000Z")
        self.refused(2, "submit", "--in", "soon", "true", says="soon")
        self.refused(2, "submit", "--at", "soon", "true", says="soon")
        self.refused(2, "submit", "--in", "1s", "--at", "2:00", "true", says="--at")

    def test_call(self):
        self.assertEqual(self.aiod.wait_for(self.submit("--call", "sleep", "0"))["function"],
                         "sleep")
        self.aiod.wait_for(self.submit("--call", "sleep", "seconds=10ms"))
        task = self.submit("--call", "exec", "echo", "a", "b")
        self.aiod.wait_for(task)
        self.assertEqual(self.aiod.output(task), b"a b\n")
        self.refused(3, "submit", "--call", "nope", says="nope")
        self.refused(2, "submit", "--call", "sleep", says="seconds")
        self.refused(2, "submit", "--call", "sleep", "1", "2")
        self.refused(2, "submit", "--call", "sleep", "soon", says="seconds")
        self.refused(2, "submit", "--call", "sleep", "--cwd", "/", "1")
        self.refused(2, "submit", "--call", "sleep", "-c", "true")

    def test_formats(self):
        self.assertEqual(json.loads(self.aioctl("submit", "-o", "json", "true").stdout), {"id": 1})
        self.assertEqual(self.aioctl("submit", "-o", "jsonl", "true").stdout, '{"id":2}\n')
        self.assertEqual(self.aioctl("submit", "-o", "id", "true").stdout, "3\n")
        self.refused(2, "submit", "-o", "yaml", "true", says="yaml")

    def test_refusals(self):
        self.refused(2, "submit", says="which command")
        self.refused(2, "submit", "--bogus", "true", says="--bogus")
        self.refused(2, "submit", "-z", "true", says="-z")
        self.refused(2, "submit", "--name", says="--name")
        self.refused(2, "submit", "--name", "7up", "true", says="name")
        self.refused(3, "submit", "-g", "nope", "true", says="nope")
        self.refused(5, "submit", "echo", *["x" * 120000] * 7, says="limit")
        self.assertEqual(self.aiod.call("status")["tasks"], [])

    def test_cwd_is_gone(self):
        gone = os.path.join(self.aiod.root, "gone")
        os.mkdir(gone)
        self.refused(2, "submit", "true", preexec_fn=lambda: os.rmdir(gone), cwd=gone,
                     says="--cwd")


class Others(AioctlTest):
    def test_help_and_version(self):
        overview = self.aioctl("help").stdout
        for verb in VERBS:
            self.assertRegex(overview, rf"(?m)^  {verb} ")
            text = self.aioctl("help", verb).stdout
            self.assertTrue(text.startswith(f"usage: aioctl {verb} "), text)
            self.assertEqual(self.aioctl(verb, "--help").stdout, text)
            self.assertEqual(self.aioctl(verb, "-h").stdout, text)
        self.assertEqual(self.aioctl("--help").stdout, overview)
        words = self.aioctl("help", "asyncio").stdout
        for word in ("event loop", "create_task", "PENDING", "SUSPENDED", "asyncio.wait"):
            self.assertIn(word, words)
        self.assertEqual(self.aioctl("--version").stdout, "aioctl 0.1.0\n")
        self.refused(2, "help", "nope", says="nope")

    def test_usage_errors(self):
        self.refused(2, "nope", says="nope")
        self.refused(2, "--nope", says="--nope")
        self.refused(2, "--color", "sometimes", "status", says="--color")
        self.refused(2, "--user", "--system", "status")
        for verb in ("await", "result", "cancel", "rm"):
            self.refused(2, verb, says="which task")
        self.refused(2, "await", "1", "2", says="too many")
        self.refused(2, "wait", "--first", "--all")
        self.refused(2, "wait", "--timeout", "soon", says="soon")
        self.refused(2, "status", "--done", "-n", "0")
        self.refused(2, "status", "-s", "sleeping", says="sleeping")
        self.refused(2, "health", "extra")

    def test_nothing_matched(self):
        for args in (["await", "9"], ["wait", "9"], ["result", "9"], ["logs", "9"], ["logs"],
                     ["cancel", "9"], ["rm", "9"], ["status", "9"], ["status", "nobody"],
                     ["status", "last"], ["cancel", "all"], ["rm", "3-9"],
                     ["functions", "nope"]):
            self.refused(3, *args)

    def test_unreachable(self):
        gone = os.path.join(self.aiod.root, "nothing-here.sock")
        for args in (["status"], ["submit", "true"], ["await", "1"], ["health"], []):
            self.refused(4, "--socket", gone, *args, says=f"no running event loop at {gone}")
            self.refused(4, *args, env={"AIOD_SOCKET": gone},
                         says=f"no running event loop at {gone}")
        self.refused(125, "--socket", gone, "run", "true", says=gone)

    def test_long_socket_path(self):
        deep = os.path.join(self.aiod.root, *["directory"] * 15)
        os.makedirs(deep)
        path = os.path.join(deep, "control.sock")
        self.assertGreater(len(path), 108)
        os.rename(self.aiod.socket, path)
        self.assertEqual(self.aioctl("submit", "true", env={"AIOD_SOCKET": path}).stdout, "1\n")
        os.rename(path, self.aiod.socket)

    def test_functions(self):
        text = self.aioctl("functions").stdout
        self.assertRegex(text, r"(?m)^exec\(argv…, cwd=, env=, umask=, stdin=, split=, line=\)$")
        self.assertRegex(text, r"(?m)^sleep\(seconds\)$")
        self.assertIn("required", self.aioctl("functions", "sleep").stdout)
        listed = json.loads(self.aioctl("functions", "-o", "json").stdout)
        self.assertEqual(listed, self.aiod.call("functions"))
        one = json.loads(self.aioctl("functions", "-o", "json", "sleep").stdout)
        self.assertEqual([f["name"] for f in one], ["sleep"])
        lines = self.aioctl("functions", "-o", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line) for line in lines], listed)

    def test_health(self):
        self.aiod.wait_for(self.submit("true"))
        health = json.loads(self.aioctl("health", "-o", "json").stdout)
        self.assertEqual(health["pid"], self.aiod.process.pid)
        self.assertEqual(health["connections"], 1)
        self.assertTrue(health["spawner"]["connected"])
        text = self.aioctl("health").stdout
        self.assertRegex(text, rf"\Aaiod 0\.1\.0 · process {self.aiod.process.pid} · up ")
        for label in ("loop", "tasks", "store", "spawner", "connections", "memory"):
            self.assertRegex(text, rf"(?m)^  {label} ")

    def test_cancel_says_what_happens(self):
        gate = Gate(self.aiod.root)
        running = self.submit("-c", gate.command)
        later = self.submit("--name", "later", "--in", "1h", "true")
        self.aiod.until_state(running, "RUNNING")
        done = self.aioctl("cancel", "later")
        self.assertEqual((done.stdout, done.stderr),
                         ("", f"aioctl: cancel: {later} is asked to end\n"))
        self.refused(5, "rm", str(running), says=f"{running} is RUNNING")
        done = self.aioctl("cancel", "--kill", str(running))
        self.assertIn("SIGKILL", done.stderr)
        self.aioctl("wait", str(running), str(later), check=1)
        self.refused(5, "cancel", str(running), says="DONE already")
        self.aioctl("rm", f"{running}-{later}")
        self.refused(3, "status", str(running))


class NoInstance(unittest.TestCase):
    def test_static_answers_need_no_daemon(self):
        with Instance() as aiod:
            gone = dict(env={"AIOD_SOCKET": "/nonexistent"})
            for args in (["help"], ["--version"], ["help", "run"], ["status", "--help"]):
                self.assertEqual(aiod.aioctl(*args, check=0, **gone).stderr, "")
        self.assertTrue(os.access(AIOCTL, os.X_OK))


if __name__ == "__main__":
    unittest.main()

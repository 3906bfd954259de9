# SPDX-License-Identifier: MIT
"""submit: a command gets exactly what was submitted, and nothing else of aiod's; what cannot be
is refused by name."""
import json
import os
import resource
import sys
import unittest

from harness import InstanceTest

PROBE = r"""
import json, os, sys
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        fds[fd] = os.readlink("/proc/self/fd/" + fd)
    except OSError:
        pass  # the directory that was listed
print(json.dumps({
    "argv": [os.fsencode(a).hex() for a in sys.argv[1:]], "cwd": os.getcwd(),
    "umask": os.umask(0), "fds": fds, "pid": os.getpid(), "pgid": os.getpgrp(),
    "sid": os.getsid(0), "stdin": sys.stdin.buffer.read().hex()}))
"""


class Exec(InstanceTest):
    def run_ok(self, *argv, **fields):
        task = self.aiod.submit(*argv, **fields)
        done = self.aiod.wait_for(task)
        self.assertEqual(done["outcome"], "ok", done)
        return task

    def probe(self, *args, **fields):
        task = self.run_ok(sys.executable, "-I", "-S", "-c", PROBE, *args, **fields)
        return task, json.loads(self.aiod.output(task))

    def test_argv_verbatim(self):
        args = ["two words", "", " ", "new\nline", "tab\t", "quotes'\"`$(x)\\", "ünï", "-a", "--",
                "*", "%s%n", b"\xff\xfe not utf-8 \x80", b"\x01\x7f"]
        task, seen = self.probe(*args)
        expected = [a if isinstance(a, bytes) else a.encode() for a in args]
        self.assertEqual([bytes.fromhex(a) for a in seen["argv"]], expected)
        shown = self.aiod.call("task", id=task)["args"]["argv"][5:]
        self.assertEqual(shown[:11], args[:11])
        self.assertEqual(shown[11], args[11])
        self.assertEqual(shown[12], "\x01\x7f")

    def test_argv_as_bin(self):
        task = self.run_ok(b"/bin/echo", b"plain", args={"cwd": b"/"})
        self.assertEqual(self.aiod.output(task), b"plain\n")
        self.assertEqual(self.aiod.call("task", id=task)["args"]["argv"], ["/bin/echo", "plain"])

    def test_long_argument(self):
        longest = "x" * (128 * 1024 - 1)
        task = self.run_ok("sh", "-c", 'printf %s "${#1}"', "sh", longest)
        self.assertEqual(self.aiod.output(task), b"131071")

    def test_cwd(self):
        odd = os.path.join(os.fsencode(self.aiod.root), b"a dir \xff")
        os.mkdir(odd)
        task = self.run_ok("pwd", args={"cwd": odd})
        self.assertEqual(self.aiod.output(task), odd + b"\n")
        self.assertEqual(self.aiod.call("task", id=task)["args"]["cwd"], odd)
        default = self.aiod.call("submit", args={"argv": ["pwd"]})["id"]
        self.aiod.wait_for(default)
        self.assertEqual(self.aiod.output(default), b"/\n")

    def environment(self, task):
        return self.aiod.output(task).split(b"\0")[:-1]

    def test_env_exact(self):
        env = ["PATH=/usr/bin:/bin", "A=1", "EMPTY=", "LINES=a\nb=c", "EQ==", b"BIN=\xff\xfe",
               "with space=x", "A=2"]
        task = self.run_ok("cat", "/proc/self/environ", args={"env": env})
        expected = [e if isinstance(e, bytes) else e.encode() for e in env]
        added = [b"AIOD_TASK_ID=%d" % task, b"AIOD_ATTEMPT=1"]
        self.assertEqual(sorted(self.environment(task)), sorted(expected + added))
        detail = self.aiod.call("task", id=task, env=True)
        self.assertEqual(detail["env"], env)
        self.assertEqual(detail["env_count"], len(env))
        self.assertNotIn("env", self.aiod.call("task", id=task))

    def test_env_empty_and_default(self):
        task = self.run_ok("/bin/cat", "/proc/self/environ", args={"env": []})
        self.assertEqual(sorted(self.environment(task)),
                         sorted([b"AIOD_TASK_ID=%d" % task, b"AIOD_ATTEMPT=1"]))
        task = self.aiod.call("submit", args={"argv": ["cat", "/proc/self/environ"]})["id"]
        self.aiod.wait_for(task)
        self.assertEqual(sorted(self.environment(task)), sorted(
            [b"AIOD_TASK_ID=%d" % task, b"AIOD_ATTEMPT=1", b"LANG=C.UTF-8",
             b"PATH=/usr/local/bin:/usr/bin:/bin"]))

    def test_env_cannot_lie_about_the_task(self):
        env = ["AIOD_TASK_ID=999", "AIOD_ATTEMPT=7"]
        task = self.run_ok("/bin/cat", "/proc/self/environ", args={"env": env})
        self.assertEqual(sorted(self.environment(task)),
                         sorted([b"AIOD_TASK_ID=%d" % task, b"AIOD_ATTEMPT=1"]))

    def test_path_of_the_submitter(self):
        tool = os.path.join(self.aiod.root, "my-tool")
        with open(tool, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\necho mine\n")
        os.chmod(tool, 0o755)
        task = self.run_ok("my-tool", args={"env": [f"PATH=/nonexistent:{self.aiod.root}"]})
        self.assertEqual(self.aiod.output(task), b"mine\n")

    def test_umask(self):
        for umask in (0, 0o22, 0o77, 0o777):
            _, seen = self.probe(args={"umask": umask})
            self.assertEqual(seen["umask"], umask)
        _, seen = self.probe()
        self.assertEqual(seen["umask"], 0o22)

    def test_stdin(self):
        path = os.path.join(self.aiod.root, "input")
        with open(path, "wb") as f:
            f.write(b"some\0bytes\xff")
        _, seen = self.probe(args={"stdin": path})
        self.assertEqual(bytes.fromhex(seen["stdin"]), b"some\0bytes\xff")
        self.assertEqual(seen["fds"]["0"], path)
        _, seen = self.probe()
        self.assertEqual(seen["stdin"], "")
        self.assertEqual(seen["fds"]["0"], "/dev/null")

    def test_descriptors_and_session(self):
        task, seen = self.probe()
        self.assertEqual(sorted(seen["fds"]), ["0", "1", "2"])
        log = os.path.join(self.aiod.state, "output", "000", f"{task}.1.log")
        self.assertEqual([seen["fds"]["1"], seen["fds"]["2"]], [log, log])
        self.assertEqual(seen["sid"], seen["pid"])
        self.assertEqual(seen["pgid"], seen["pid"])
        self.assertEqual(seen["pid"], self.aiod.wait_for(task)["pid"])
        tty = self.aiod.submit("sh", "-c", "exec 3</dev/tty")
        self.assertEqual(self.aiod.wait_for(tty)["outcome"], "failed")
        self.assertIn(b"No such device", self.aiod.output(tty))

    def test_signals_and_limits_are_plain(self):
        task = self.run_ok("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
        self.assertEqual([line.split()[1] for line in self.aiod.output(task).splitlines()],
                         [b"0" * 16] * 2)
        task = self.run_ok("sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertEqual(self.aiod.output(task).split()[:2], [b"%d" % soft, b"%d" % hard])

    def test_output_merged_in_true_order(self):
        line = "for i in $(seq 300); do echo o$i; echo e$i >&2; done"
        task = self.run_ok("sh", "-c", line)
        expected = b"".join(b"o%d\ne%d\n" % (i, i) for i in range(1, 301))
        self.assertEqual(self.aiod.output(task), expected)
        self.assertEqual(self.aiod.output(task, stream="err"), b"")
        self.assertEqual(self.aiod.call("task", id=task)["output"],
                         {"split": False, "out": len(expected)})

    def test_output_split(self):
        line = "for i in $(seq 300); do echo o$i; echo e$i >&2; done; printf tail"
        task = self.run_ok("sh", "-c", line, args={"split": True})
        out = b"".join(b"o%d\n" % i for i in range(1, 301)) + b"tail"
        err = b"".join(b"e%d\n" % i for i in range(1, 301))
        self.assertEqual(self.aiod.output(task), out)
        self.assertEqual(self.aiod.output(task, stream="err"), err)
        detail = self.aiod.call("task", id=task)
        self.assertEqual(detail["output"], {"split": True, "out": len(out), "err": len(err)})
        self.assertEqual(detail["tail"], "o297\no298\no299\no300\ntail")
        self.assertEqual(sorted(os.listdir(os.path.join(self.aiod.state, "output", "000"))),
                         [f"{task}.1.err", f"{task}.1.out"])

    def test_output_of_many_sizes(self):
        for size in (1, 65535, 65536, 65537, 1 << 20):
            task = self.run_ok("head", "-c", str(size), "/dev/zero")
            self.assertEqual(self.aiod.output(task), bytes(size))
            half = self.aiod.output(task, offset=size // 2)
            self.assertEqual(half, bytes(size - size // 2))
        self.assertEqual(self.aiod.output(task, offset=1 << 30), b"")

    def test_line(self):
        task = self.run_ok("sh", "-c", "echo a | tr a b", args={"line": True})
        self.assertEqual(self.aiod.output(task), b"b\n")
        self.assertEqual(self.aiod.wait_for(task)["title"], "echo a | tr a b")
        self.assertRpcError("invalid", "submit", args={"argv": ["echo"], "line": True})


class Submit(InstanceTest):
    config = "[group convert]\nslots = 2\n"

    def test_names(self):
        good = ["a", "nightly", "A.b_c-d:e@f+g9", "x" * 64, "grün"]
        for name in good:
            task = self.aiod.submit("true", name=name)
            self.assertEqual(self.aiod.wait_for(task)["name"], name)
            self.assertEqual(self.aiod.wait_for(name)["id"], task)
        bad = ["", "7", "7up", "-x", " a", "a b", "a\n", "a/b", "x" * 65, "all", "last",
               b"a\xff", ["a"], 7]
        for name in bad:
            message = self.assertRpcError("invalid", "submit", args={"argv": ["true"]}, name=name)
            self.assertIn('"name"', message)
        self.assertEqual(self.aiod.call("status")["counts"]["ok"], len(good))

    def test_group(self):
        task = self.aiod.submit("true", group="convert")
        self.assertEqual(self.aiod.wait_for(task)["group"], "convert")
        task = self.aiod.submit("true")
        self.assertEqual(self.aiod.wait_for(task)["group"], "default")
        message = self.assertRpcError("not-found", "submit", args={"argv": ["true"]}, group="nope")
        self.assertIn("nope", message)
        groups = {g["name"]: g["slots"] for g in self.aiod.call("groups")}
        self.assertEqual(groups["convert"], 2)
        self.assertEqual(sorted(groups), ["convert", "default"])

    def test_ids_are_never_used_again(self):
        first = [self.aiod.submit("true") for _ in range(3)]
        self.assertEqual(first, [1, 2, 3])
        self.aiod.call("wait", ids=first)
        self.aiod.call("remove", ids=first)
        self.assertEqual(self.aiod.submit("true"), 4)

    def test_argv_needed(self):
        self.assertIn('"argv"', self.assertRpcError("invalid", "submit", args={"argv": []}))
        self.assertIn('"argv"', self.assertRpcError("invalid", "submit", args={"argv": [""]}))
        self.assertIn('"argv"', self.assertRpcError("invalid", "submit", args={}))
        self.assertIn('"argv"', self.assertRpcError("invalid", "submit"))

    def test_paths_must_be_absolute(self):
        for field in ("cwd", "stdin"):
            for path in ("", "relative", "./x"):
                message = self.assertRpcError("invalid", "submit",
                                              args={"argv": ["true"], field: path})
                self.assertIn(f'"{field}"', message)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Paths that a user gives, and files that a user owns, make neither aiod nor the spawner read, write
or reveal what is not that user's. Access is always checked as the user."""
import os
import shutil
import signal
import stat
import subprocess
import unittest

from others import ALICE, BOB, MARK, TIMEOUT, RpcError, UsersTest, both, until

PYTHON = "/usr/bin/python3"


class FilesTest(UsersTest):
    def make_instance(self):
        aiod = super().make_instance()
        aiod.env["SECRET"] = MARK
        if hasattr(aiod, "spawner_env"):
            aiod.spawner_env["SECRET"] = MARK
        return aiod

    def setUp(self):
        super().setUp()
        self.alice, self.bob = self.peer(ALICE), self.peer(BOB)
        self.alices = self.home("alice", ALICE)
        self.bobs = self.home("bob", BOB)
        self.secret = self.write(os.path.join(self.alices, MARK), f"{MARK}\n", ALICE)
        self.alices_task = self.alice.submit("echo", MARK)
        self.alice.call("await", id=self.alices_task)
        self.daemon = self.aiod.process.pid
        self.spawner = self.aiod.spawner_pid()

    def link(self, target):
        """A link of bob's."""
        path = os.path.join(self.bobs, f"link-{len(os.listdir(self.bobs))}")
        os.symlink(target, path)
        os.lchown(path, BOB, BOB)
        return path

    def foreign(self):
        """Files that root, aiod or alice may read."""
        root = self.write(os.path.join(self.aiod.root, "roots"), MARK)
        return [self.secret, root, "/etc/shadow", os.path.join(self.aiod.state, "tasks.db"),
                os.path.join(self.aiod.state, "output/000", f"{self.alices_task}.1.log"),
                os.path.join(self.aiod.state, "lock"),
                *(f"/proc/{pid}/{name}" for pid in (1, self.daemon, self.spawner)
                  for name in ("environ", "mem", "maps", "auxv", "fd/0", "fd/3", "fd/5", "stack"))]

    def assertServes(self):
        self.assertEqual(self.alice.run("true")[0]["outcome"], "ok")


class Input(FilesTest):
    def test_files_of_others(self):
        for path in self.foreign():
            for given in (path, self.link(path)):
                end, output = self.bob.run("cat", args={"stdin": given})
                self.assertEqual((end["outcome"], output), ("failed", b""), given)
                self.assertIn(end["error"]["type"], ("OSError", "ExitStatus"))
        self.assertNotIn(MARK.encode(), self.bob.received.replace(self.secret.encode(), b""))

    def test_whether_they_are_there(self):
        """Nobody learns what is in a directory that they may not search."""
        told = [self.bob.run("true", args={key: os.path.join(self.alices, name)})[0]["error"]
                for key in ("stdin", "cwd") for name in (MARK, "missing")]
        for there, missing in zip(told[::2], told[1::2]):
            there["message"] = there["message"].replace(MARK, "missing")
            self.assertEqual(there, missing)

    def test_ones_own_link(self):
        mine = self.write(os.path.join(self.bobs, "mine"), "bobs\n", BOB)
        self.assertEqual(self.bob.run("cat", args={"stdin": self.link(mine)})[1], b"bobs\n")

    def test_a_fifo(self):
        """Who gives a FIFO without a writer waits for one, and is the only one who does."""
        path = os.path.join(self.bobs, "fifo")
        os.mkfifo(path)
        os.chown(path, BOB, BOB)
        waiting = [self.bob.submit("cat", args={"stdin": path}) for _ in range(3)]
        self.assertServes()
        self.bob.call("cancel", ids=waiting, kill=True)
        for task in waiting:
            self.assertEqual(self.bob.call("await", id=task, timeout=TIMEOUT)["outcome"],
                             "cancelled")

    def test_a_fifo_of_others(self):
        """No command of bob's takes what was meant for alice."""
        path = os.path.join(self.alices, "fifo")
        os.mkfifo(path)
        os.chown(path, ALICE, ALICE)
        end, _ = self.bob.run("cat", args={"stdin": self.link(path)})
        self.assertEqual(end["outcome"], "failed")

    def test_a_directory(self):
        end, output = self.bob.run("cat", args={"stdin": self.bobs})
        self.assertEqual((end["outcome"], output.rpartition(b": ")[2]),
                         ("failed", b"Is a directory\n"))

    def test_a_socket_and_devices(self):
        for path in (self.aiod.socket, "/dev/mem", "/dev/kmsg"):
            end, output = self.bob.run("head", "-c", "1", args={"stdin": path})
            self.assertEqual((end["outcome"], output), ("failed", b""), path)
        self.assertServes()

    def test_a_terminal_is_not_taken(self):
        """A terminal as stdin does not become the one that controls the command."""
        ours, theirs = os.openpty()
        try:
            os.fchown(theirs, BOB, BOB)
            _, output = self.bob.run("ps", "-o", "tty=", "-p", "$$", args={
                "argv": ["sh", "-c", "ps -o tty= -p $$"], "stdin": os.ttyname(theirs)})
            self.assertEqual(output.strip(), b"?")
        finally:
            os.close(ours)
            os.close(theirs)


class Directory(FilesTest):
    def test_directories_of_others(self):
        paths = [self.alices, self.aiod.state, os.path.join(self.aiod.state, "output"), "/root",
                 *(f"/proc/{pid}/{name}" for pid in (1, self.daemon, self.spawner)
                   for name in ("cwd", "root", "fd", "map_files"))]
        for path in paths:
            for given in (path, self.link(path)):
                end, output = self.bob.run("ls", args={"cwd": given})
                self.assertEqual((end["outcome"], output), ("failed", b""), given)
                self.assertEqual(end["error"]["type"], "OSError", given)

    def test_swapped_all_the_time(self):
        """A directory that is now bob's and now a link to alice's: he gets into his or nowhere."""
        here, there, path = (os.path.join(self.bobs, name) for name in ("here", "there", "path"))
        os.mkdir(here)
        os.chown(here, BOB, BOB)
        os.symlink(self.alices, there)
        code = ("import os,sys\n"
                "libc=__import__('ctypes').CDLL(None)\n"
                "a,b=(p.encode() for p in sys.argv[1:])\n"
                "while True: libc.renameat2(-100,a,-100,b,2)\n")  # RENAME_EXCHANGE
        shutil.move(here, path)
        swapper = subprocess.Popen([PYTHON, "-c", code, path, there])
        try:
            ends = {"ok": 0, "failed": 0}
            tasks = [self.bob.submit("ls", "-a", args={"cwd": path}) for _ in range(200)]
            for task in tasks:
                ends[self.bob.call("await", id=task, timeout=TIMEOUT)["outcome"]] += 1
                self.assertIn(self.bob.logs(task), (b"", b".\n..\n"))
        finally:
            swapper.kill()
            swapper.wait()
        self.assertGreater(ends["ok"], 0)
        self.assertGreater(ends["failed"], 0)

    def test_gone_meanwhile(self):
        path = os.path.join(self.bobs, "gone")
        os.mkdir(path)
        self.aiod.call("group", name="default", paused=True)
        task = self.bob.submit("pwd", args={"cwd": path})
        os.rmdir(path)
        os.symlink(self.alices, path)
        self.aiod.call("group", name="default", paused=False)
        end = self.bob.call("await", id=task, timeout=TIMEOUT)
        self.assertEqual((end["outcome"], end["error"]["type"]), ("failed", "OSError"))


class Output(FilesTest):
    """The file that a command prints into belongs to its user: what can be made of that?"""

    ATTACKS = {
        "mode": "chmod 0 /proc/self/fd/1; echo after",
        "truncated": "echo before; : > /proc/self/fd/1; echo after",
        "hole": "truncate -s 1G /proc/self/fd/1; echo after",
        "link": "ln -L /proc/self/fd/1 {bobs}/kept; rm -f {bobs}/kept; ln -sf {secret} {bobs}/kept",
        "beside": "d=$(dirname $(readlink /proc/self/fd/1)); ls $d; ln -s {secret} $d/x; "
                  "cat $d/{task}.1.log; mv $d/{task}.1.log $d/y; cd $d",
        "in its place": "f=$(readlink /proc/self/fd/1); rm -f $f; ln -s {secret} $f; mkfifo $f",
        "fifo": "exec 3<>/proc/self/fd/1; echo after >&3",
        "ownership": "chown {alice} /proc/self/fd/1; chgrp {alice} /proc/self/fd/1; "
                     "setfattr -n user.x -v y /proc/self/fd/1",
        "setuid": "cat /bin/true > /proc/self/fd/1; chmod 6755 /proc/self/fd/1",
        "others": "cat /proc/{pid}/fd/1; echo x > /proc/{pid}/fd/1",
    }

    def test_attacks(self):
        """Whatever bob does to his own output, alice's is as it was, and he reads nothing of it."""
        live = self.alice.submit("sh", "-c", f"echo {MARK}; exec sleep 1000")
        pid = until("it runs", lambda: self.alice.call("status", ids=[live])["tasks"][0].get("pid"))
        fields = {"bobs": self.bobs, "secret": self.secret, "task": self.alices_task,
                  "alice": ALICE, "pid": pid}
        for name, line in self.ATTACKS.items():
            for split in (False, True):
                task = self.bob.submit("sh", "-c", line.format(**fields), args={"split": split})
                self.bob.call("await", id=task, timeout=TIMEOUT)
                self.bob.call("task", id=task)
                for stream in ("out", "err"):
                    try:
                        output = self.bob.logs(task, stream=stream, tail=5)
                    except RpcError as error:  # a file that he has closed to aiod, too
                        self.assertEqual(name, "mode", error)
                        continue
                    self.assertNotIn(f"\n{MARK}\n".encode(), b"\n" + output, name)
                    self.assertNotIn(b"root:", output)
                path = os.path.join(self.aiod.state, "output/000", f"{task}.1.log")
                if not split:
                    found = os.lstat(path)
                    self.assertTrue(stat.S_ISREG(found.st_mode), name)
                    self.assertEqual(found.st_uid, BOB, name)
                self.assertTrue(self.bob.call("remove", ids=[task])[0]["removed"])
        self.assertEqual(self.alice.logs(self.alices_task), f"{MARK}\n".encode())
        self.assertEqual(self.alice.logs(live), f"{MARK}\n".encode())
        with open(self.secret, encoding="ascii") as f:
            self.assertEqual(f.read(), f"{MARK}\n")
        self.assertServes()

    def test_a_hard_link_to_it(self):
        """What bob keeps of a removed task's output is what he has written himself."""
        kept = os.path.join(self.bobs, "kept")
        task, _ = self.bob.run("sh", "-c", f"echo mine; ln -L /proc/self/fd/1 {kept}")
        self.bob.call("remove", ids=[task["id"]])
        if os.path.exists(kept):  # another file system would refuse it
            with open(kept, encoding="ascii") as f:
                self.assertEqual(f.read(), "mine\n")
            self.assertEqual(os.stat(kept).st_nlink, 1)

    def test_directories_are_closed(self):
        for path in (self.aiod.state, os.path.join(self.aiod.state, "output"),
                     os.path.join(self.aiod.state, "output/000")):
            found = os.stat(path)
            self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o700, self.aiod.user))
        for name in ("tasks.db", "lock", "instance"):
            found = os.stat(os.path.join(self.aiod.state, name))
            self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o600, self.aiod.user))
        files = os.listdir(os.path.join(self.aiod.state, "output/000"))
        for name in files:
            found = os.stat(os.path.join(self.aiod.state, "output/000", name))
            self.assertEqual(stat.S_IMODE(found.st_mode), 0o640)


class State(FilesTest):
    def test_nothing_is_written_for_a_user(self):
        """No request of bob's makes a file anywhere but in the state directory."""
        def files():
            return {path for path, _, _ in os.walk(self.aiod.root)
                    if not path.startswith(self.aiod.state)}
        before = files()
        for name in ("../../x", "/etc/x", "..", "a/b"):
            for fields in ({"name": name}, {"group": name}):
                self.refused(self.bob, "submit", args={"argv": ["true"]}, **fields)
        for method, params in (("logs", {"id": "../1"}), ("task", {"id": "0x1"}),
                               ("logs", {"id": self.alices_task, "attempt": 1})):
            self.refused(self.bob, method, **params)
        self.assertEqual(files(), before)

    def test_the_next_aiod_is_not_fooled(self):
        """After a kill -9 in the middle of bob's attacks everything is as it was."""
        kept = self.bob.submit("sh", "-c", "chmod 0 /proc/self/fd/1; exec sleep 1000")
        until("it runs", lambda: self.bob.call("status", ids=[kept])["tasks"][0]["state"]
              == "RUNNING")
        self.aiod.kill(signal.SIGKILL)
        self.aiod.start()
        self.alice, self.bob = self.peer(ALICE), self.peer(BOB)
        self.assertEqual(self.alice.logs(self.alices_task), f"{MARK}\n".encode())
        self.bob.call("cancel", ids=[kept], kill=True)
        self.assertEqual(self.bob.call("await", id=kept)["outcome"], "cancelled")


both(Input, Directory, Output, State)

if __name__ == "__main__":
    unittest.main()

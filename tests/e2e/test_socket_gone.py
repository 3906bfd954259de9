# SPDX-License-Identifier: MIT
"""A control socket whose file is removed under a living aiod is made again, in a directory that may
have to be made again too; clients that are connected notice nothing."""
import errno
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from harness import TIMEOUT, Instance, InstanceTest, Rpc, until

NOBODY = 65534
MADE = "the control socket was removed: made"
CANNOT = "cannot be made again"
TAKEN = "its place taken"
SYSTEMDS = "the control socket of systemd was removed"


def inode(path):
    """What the path names now: None, or something that no other file is."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def bound(path):
    """Somebody else's socket, put into a place at once."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    listener.listen(16)
    os.rename(path + ".new", path)
    return listener


class GoneTest(InstanceTest):
    """An aiod whose runtime directory is a few directories down, with a client that stays."""

    config = ""

    def make_instance(self):
        aiod = Instance(config=self.config)
        self.top = os.path.join(aiod.root, "top")
        self.middle = os.path.join(self.top, "middle")
        aiod.runtime = os.path.join(self.middle, "run")
        aiod.socket = os.path.join(aiod.runtime, "control.sock")
        return aiod

    def setUp(self):
        super().setUp()
        self.client = self.aiod.connect()
        self.addCleanup(self.client.close)
        self.task = self.client.call("submit", function="sleep", args=[1000])["id"]
        self.waiting = self.client.send("await", id=self.task)

    def answers(self):
        """The pid of who answers on the socket, else None."""
        try:
            return self.aiod.call("hello")["pid"]
        except (OSError, ConnectionError):
            return None

    def until_there(self, before):
        """There is another socket than before, and this aiod answers on it."""
        until("the socket is there again", lambda: inode(self.aiod.socket) not in (None, before))
        until("aiod answers on it", lambda: self.answers() == self.aiod.process.pid)

    def gone(self, remove, *args):
        before = inode(self.aiod.socket)
        remove(*args)
        self.until_there(before)

    def remove_directory(self):
        """As rm -r does; aiod may be quicker and make the socket again in between."""
        def removed():
            shutil.rmtree(self.aiod.runtime, ignore_errors=True)
            return True
        until("it is removed", removed)

    def replace(self, path):
        """Moves a directory away, and puts an empty one in its place."""
        self.moved = getattr(self, "moved", 0) + 1
        os.rename(path, os.path.join(self.aiod.root, f"moved-{self.moved}"))
        os.mkdir(path, 0o700)

    def assertGoesOn(self):
        """The client of before still is served, and what it awaits comes."""
        self.client.call("cancel", ids=[self.task])
        self.assertEqual(self.client.answer(self.waiting)["outcome"], "cancelled")

    def until_logged(self, text, count=1):
        until(f"the log says {text}", lambda: self.aiod.log_text().count(text) >= count)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.aiod.process.pid}/fd"))


class Removed(GoneTest):
    def test_the_socket(self):
        self.gone(os.unlink, self.aiod.socket)
        self.until_logged(f"{MADE} {self.aiod.socket} again")
        self.assertEqual(stat.S_IMODE(os.stat(self.aiod.socket).st_mode), 0o600)
        self.assertGoesOn()

    def test_the_directory(self):
        self.gone(self.remove_directory)
        self.assertEqual(stat.S_IMODE(os.stat(self.aiod.runtime).st_mode), 0o700)
        self.assertGoesOn()

    def test_everything_above(self):
        self.gone(shutil.rmtree, self.top)
        self.assertGoesOn()

    def test_the_directory_is_moved(self):
        self.gone(os.rename, self.aiod.runtime, os.path.join(self.aiod.root, "moved"))
        self.assertGoesOn()

    def test_a_directory_above_is_replaced(self):
        self.gone(self.replace, self.middle)
        self.gone(self.replace, self.top)
        self.assertGoesOn()

    def test_the_socket_is_moved_and_moved_back(self):
        away = os.path.join(self.aiod.root, "away")
        self.gone(os.rename, self.aiod.socket, away)
        self.gone(os.rename, away, self.aiod.socket)
        self.assertGoesOn()

    def test_while_it_is_stopped(self):
        """What happens in its absence is noticed; who has connected in between is not lost."""
        os.kill(self.aiod.process.pid, signal.SIGSTOP)
        before = inode(self.aiod.socket)
        with self.aiod.connect() as rpc:
            asked = rpc.send("hello")
            shutil.rmtree(self.top)
            os.kill(self.aiod.process.pid, signal.SIGCONT)
            self.until_there(before)
            self.assertEqual(rpc.answer(asked)["pid"], self.aiod.process.pid)
        self.assertGoesOn()

    def test_a_hundred_times(self):
        """Each time in another way. Nothing is left of the sockets before."""
        ways = [lambda: os.unlink(self.aiod.socket), self.remove_directory,
                lambda: shutil.rmtree(self.top), lambda: self.replace(self.middle),
                lambda: self.replace(self.top)]
        descriptors = None
        for n in range(100):
            self.gone(ways[n % len(ways)])
            with self.aiod.connect() as rpc:
                self.assertEqual(rpc.call("status", ids=[self.task])["tasks"][0]["id"], self.task)
            until("only one client is left", lambda: self.client.call("health")["connections"] == 1)
            descriptors = descriptors or self.descriptors()
            self.assertEqual(self.descriptors(), descriptors)
        self.assertGoesOn()

    def test_while_clients_come_and_go(self):
        """A client is refused, or served whole: none is lost between two sockets."""
        served = refused = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                with self.aiod.connect() as rpc:
                    self.assertEqual(rpc.call("hello")["pid"], self.aiod.process.pid)
                served += 1
                if served % 50 == 0:
                    os.unlink(self.aiod.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                refused += 1
        self.assertGreater(served, 100)
        self.assertGreater(refused, 0)
        self.assertGoesOn()

    def test_through_a_link(self):
        """A symbolic link on the way is replaced by one that leads elsewhere."""
        self.aiod.stop()
        real = [os.path.join(self.aiod.root, name) for name in ("one", "two")]
        link = os.path.join(self.aiod.root, "link")
        for path in real:
            os.mkdir(path)
        os.symlink(real[0], link)
        self.aiod.runtime = os.path.join(link, "run")
        self.aiod.socket = os.path.join(self.aiod.runtime, "control.sock")
        self.aiod.start()
        os.symlink(real[1], link + ".new")
        self.gone(os.rename, link + ".new", link)
        self.assertTrue(os.path.exists(os.path.join(real[1], "run", "control.sock")))
        self.gone(self.replace, real[1])

    def test_what_happens_beside_it_wakes_nobody(self):
        def switches():
            with open(f"/proc/{self.aiod.process.pid}/status", encoding="ascii") as f:
                return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])

        def rests():
            before = switches()
            time.sleep(0.5)
            return switches() == before
        until("it has come to rest", rests)
        before = switches()
        for directory in (self.aiod.root, self.top, self.middle):
            for n in range(100):
                path = os.path.join(directory, f"file-{n}")
                with open(path, "w", encoding="ascii"):
                    pass
                os.rename(path, path + "-moved")
                os.unlink(path + "-moved")
        time.sleep(0.5)  # nothing is what has to happen
        self.assertEqual(switches(), before)
        self.gone(os.unlink, self.aiod.socket)


class Mode(GoneTest):
    config = "[control]\nsocket-mode = 0660\nsocket-group = daemon\n"

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_mode_and_group(self):
        before = os.stat(self.aiod.socket)
        self.assertEqual(stat.S_IMODE(before.st_mode), 0o660)
        self.assertNotEqual(before.st_gid, os.getgid())
        self.gone(self.remove_directory)
        after = os.stat(self.aiod.socket)
        self.assertEqual((after.st_mode, after.st_uid, after.st_gid),
                         (before.st_mode, before.st_uid, before.st_gid))
        self.assertEqual(stat.S_IMODE(os.stat(self.aiod.runtime).st_mode), 0o711)


class Taken(GoneTest):
    """The place is somebody else's meanwhile: it is left alone, which is told once."""

    def test_by_another_aiod(self):
        other = bound(self.aiod.socket)
        taken = inode(self.aiod.socket)
        self.until_logged(TAKEN)
        for n in range(5):  # more events: looked at, and not told again
            with open(f"{self.aiod.runtime}/file-{n}", "w", encoding="ascii"):
                pass
            time.sleep(0.1)
        self.assertEqual(self.aiod.log_text().count(TAKEN), 1)
        self.assertEqual(inode(self.aiod.socket), taken)
        self.client.call("hello")
        other.close()
        self.gone(os.unlink, self.aiod.socket)
        self.assertGoesOn()

    def test_by_a_real_one(self):
        self.aiod.process.send_signal(signal.SIGSTOP)
        os.unlink(self.aiod.socket)
        with Instance() as other:
            other.stop()
            other.runtime, other.socket = self.aiod.runtime, self.aiod.socket
            other.start()
            taken = inode(self.aiod.socket)
            self.aiod.process.send_signal(signal.SIGCONT)
            self.until_logged(TAKEN)
            self.assertEqual(other.call("hello")["pid"], other.process.pid)
            self.assertEqual(inode(self.aiod.socket), taken)
            self.assertNotIn("socket", other.log_text().partition("stopping")[2])
        self.gone(os.unlink, self.aiod.socket)
        self.assertGoesOn()

    def test_by_a_file(self):
        path = os.path.join(self.aiod.root, "file")
        with open(path, "w", encoding="ascii") as f:
            f.write("mine\n")
        os.rename(path, self.aiod.socket)
        self.until_logged("something that is no socket")
        with open(self.aiod.socket, encoding="ascii") as f:
            self.assertEqual(f.read(), "mine\n")
        self.gone(os.unlink, self.aiod.socket)
        self.assertGoesOn()

    def test_by_a_link(self):
        """A link to somebody's file: neither followed nor removed."""
        path = os.path.join(self.aiod.root, "file")
        with open(path, "w", encoding="ascii") as f:
            f.write("mine\n")
        os.chmod(path, 0o604)
        os.symlink(path, path + ".link")
        os.rename(path + ".link", self.aiod.socket)
        self.until_logged("something that is no socket")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o604)
        self.gone(os.unlink, self.aiod.socket)
        self.assertGoesOn()


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Logout(GoneTest):
    """$XDG_RUNTIME_DIR goes at the logout and comes back at the next login; its user may make
    neither."""

    def make_instance(self):
        aiod = super().make_instance()
        os.chmod(aiod.root, 0o755)
        os.makedirs(self.middle)
        os.chmod(self.top, 0o755)
        os.mkdir(aiod.state, 0o700)
        self.login()
        os.chown(aiod.state, NOBODY, NOBODY)
        aiod.wrapper = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return aiod

    def login(self):
        os.makedirs(self.middle, exist_ok=True)
        os.chmod(self.middle, 0o700)
        os.chown(self.middle, NOBODY, NOBODY)

    def test_the_directory(self):
        for n in range(1, 4):
            before = inode(self.aiod.socket)
            until("it is removed", self.logout)
            self.until_logged(CANNOT, n)
            self.login()
            self.until_there(before)
            self.assertEqual(os.stat(self.aiod.socket).st_uid, NOBODY)
        self.assertGoesOn()

    def logout(self):
        shutil.rmtree(self.middle, ignore_errors=True)
        return not os.path.exists(self.middle)

    def mount(self, more=""):
        options = f"mode=0700,uid={NOBODY},gid={NOBODY},size=1m{more}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.middle],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            self.skipTest(done.stderr)
        self.addCleanup(self.umount)

    def umount(self):
        subprocess.run(["umount", "-l", self.middle], stderr=subprocess.DEVNULL, check=False)

    def test_a_file_system(self):
        """As logind does: a tmpfs is mounted over it, and unmounted with what is in it."""
        for _ in range(3):
            self.gone(self.mount)
            self.gone(self.umount)
        self.assertGoesOn()

    def test_a_full_file_system(self):
        """No event tells that there is room again: then, and only then, it is tried by time."""
        self.gone(self.mount, ",nr_inodes=8")
        before = inode(self.aiod.socket)
        files = []
        with self.assertRaises(OSError) as caught:
            while True:
                files.append(os.path.join(self.middle, f"file-{len(files)}"))
                os.mknod(files[-1])
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        os.unlink(self.aiod.socket)  # its inode lives on with the socket that is open
        self.until_logged("No space left on device")
        self.assertEqual(self.aiod.log_text().count(CANNOT), 1)
        os.unlink(files[0])
        self.until_there(before)


class Passed(Instance):
    """An instance whose socket is made by us, as systemd does."""

    def __init__(self, **kwargs):
        script = 'exec 3<&"$LISTENER"; LISTEN_PID=$$ exec "$@"'
        super().__init__(wrapper=["sh", "-c", script, "sh"], **kwargs)
        os.mkdir(self.runtime, 0o755)
        self.listener = None
        self.bind()

    def bind(self):
        """Makes the socket, in the place of whatever is there."""
        if self.listener:
            self.listener.close()
        if os.path.lexists(self.socket):
            os.unlink(self.socket)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.socket)
        os.chmod(self.socket, 0o666)
        self.listener.listen(64)

    def start(self, ready=True):
        self.pass_fds = [self.listener.fileno()]
        self.env.update(LISTENER=str(self.listener.fileno()), LISTEN_FDS="1",
                        LISTEN_FDNAMES="control")
        return super().start(ready)

    def close(self):
        status = super().close()
        self.listener.close()
        return status


class Systemd(GoneTest):
    def make_instance(self):
        return Passed(config=self.config)

    def test_it_is_left_as_it_is(self):
        before = inode(self.aiod.socket)
        self.assertEqual(self.aiod.call("hello")["socket"], self.aiod.socket)
        self.aiod.stop()
        self.aiod.start()
        self.assertEqual(inode(self.aiod.socket), before)
        self.assertNotIn("removed", self.aiod.log_text())

    def test_removed(self):
        self.gone(os.unlink, self.aiod.socket)
        self.until_logged(SYSTEMDS)
        self.assertEqual(stat.S_IMODE(os.stat(self.aiod.socket).st_mode), 0o666)
        self.gone(self.remove_directory)
        self.assertGoesOn()

    def test_the_service_is_restarted(self):
        """systemd passes the socket that has no name any more: aiod makes one again, in the place
        of what it left."""
        self.gone(os.unlink, self.aiod.socket)
        for how in (signal.SIGTERM, signal.SIGKILL):
            before = inode(self.aiod.socket)
            self.aiod.kill(how)
            self.aiod.start()
            self.until_there(before)
            self.assertEqual(stat.S_IMODE(os.stat(self.aiod.socket).st_mode), 0o666)

    def test_socket_and_service_are_restarted(self):
        """Then there is systemd's again, and nothing of aiod's own."""
        self.gone(os.unlink, self.aiod.socket)
        self.aiod.stop()
        self.aiod.bind()
        before = inode(self.aiod.socket)
        count = self.aiod.log_text().count(SYSTEMDS)
        self.aiod.start()
        self.assertEqual(self.answers(), self.aiod.process.pid)
        self.assertEqual(inode(self.aiod.socket), before)
        self.assertEqual(self.aiod.log_text().count(SYSTEMDS), count)

    def test_moved_and_moved_back(self):
        """systemd's serves again; there are never two on one path."""
        original = inode(self.aiod.socket)[:2]
        away = os.path.join(self.aiod.root, "away")
        self.gone(os.rename, self.aiod.socket, away)
        with Rpc(away) as rpc:
            self.assertEqual(rpc.call("hello")["pid"], self.aiod.process.pid)
        self.gone(os.rename, away, self.aiod.socket)
        self.assertEqual(inode(self.aiod.socket)[:2], original)
        self.gone(os.unlink, self.aiod.socket)
        self.assertGoesOn()

    def test_a_client_in_the_queue(self):
        """Who has connected before there is an aiod is served, though the name is gone."""
        self.aiod.stop()
        with Rpc(self.aiod.socket) as rpc:
            asked = rpc.send("hello")
            os.unlink(self.aiod.socket)
            self.aiod.start()
            self.assertEqual(rpc.answer(asked)["pid"], self.aiod.process.pid)
            until("there is a socket", lambda: self.answers() == self.aiod.process.pid)

    def test_it_may_not(self):
        """One clear line, and those who are connected go on."""
        if os.getuid() == 0:
            self.aiod.stop()
            nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            self.aiod.wrapper[2] = self.aiod.wrapper[2].replace("exec \"$@\"", "exec "
                                                                + " ".join(nobody) + ' "$@"')
            os.chown(self.aiod.state, NOBODY, NOBODY)
            for path, _, names in os.walk(self.aiod.state):
                for name in [path, *names]:
                    os.chown(os.path.join(path, name), NOBODY, NOBODY)
            os.chmod(self.aiod.root, 0o755)
            self.aiod.start()
        before = inode(self.aiod.socket)
        with self.aiod.connect() as rpc:
            rpc.call("hello")
            os.chmod(self.aiod.runtime, 0o555)
            os.unlink(self.aiod.socket)
            self.until_logged(CANNOT)
            rpc.call("hello")
            self.assertEqual(self.aiod.log_text().count(CANNOT), 1)
            os.chmod(self.aiod.runtime, 0o777)  # now it may
            self.until_there(before)
            rpc.call("hello")


if __name__ == "__main__":
    unittest.main()

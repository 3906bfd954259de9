# SPDX-License-Identifier: MIT
"""aioctl submit by somebody who never used it: the event loop is started, once, by whoever needs
it first; or it is said why not. As root the user is another one, whose uid nobody has."""
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from harness import AIOCTL, AIOD, SANITIZED, TIMEOUT, Instance, Rpc, until

UID = 4711 if os.getuid() == 0 else os.getuid()
STARTED = re.compile(r"aioctl: (submit|run): started your event loop \(aiod, process (\d+); "
                     r"its log is (.*)\)\n")


class FirstUseTest(unittest.TestCase):
    """A user with an empty home directory and a runtime directory, as after a login."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="aiod-test-")
        self.addCleanup(shutil.rmtree, self.root, True)
        os.chmod(self.root, 0o755)
        self.home = self.directory("home")
        self.runtime = self.directory("run")
        self.state = os.path.join(self.home, ".local/state/aiod")
        self.socket = os.path.join(self.runtime, "aiod/control.sock")
        self.env = {"HOME": self.home, "XDG_RUNTIME_DIR": self.runtime,
                    "PATH": f"{os.path.dirname(AIOD)}:/usr/bin:/bin"}
        self.addCleanup(self.end)

    def directory(self, name):
        path = os.path.join(self.root, name)
        os.mkdir(path, 0o700)
        os.chown(path, UID, UID if os.getuid() == 0 else -1)
        return path

    def popen(self, *args, env=None, **kwargs):
        if os.getuid() == 0:
            kwargs.update(user=UID, group=UID, extra_groups=[])
        return subprocess.Popen(args, env=dict(self.env, **(env or {})), stdin=subprocess.DEVNULL,
                                cwd=self.root, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kwargs)

    def run_as(self, *args, **kwargs):
        with self.popen(*args, **kwargs) as process:
            out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, err

    def aioctl(self, *args, status=0, **kwargs):
        code, out, err = self.run_as(AIOCTL, *args, **kwargs)
        self.assertEqual(code, status, out + err)
        return out, err

    def refused(self, *args, says, status=4, **kwargs):
        out, err = self.aioctl(*args, status=status, **kwargs)
        self.assertEqual(out, "")
        self.assertIn(says, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        return err

    def pid(self, state=None):
        """Of the aiod that has the state directory; None: nobody has."""
        try:
            with open(os.path.join(state or self.state, "lock"), encoding="ascii") as f:
                fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            with open(os.path.join(state or self.state, "lock"), encoding="ascii") as f:
                return int(f.read())
        return None

    def stop(self, signo=signal.SIGTERM, state=None):
        pid = self.pid(state)
        if pid:
            os.kill(pid, signo)
            until("it has ended", lambda: self.pid(state) is None)

    def end(self, state=None):
        self.stop(state=state)
        instance = Instance(root=self.root, state=state or self.state)
        instance.end_spawner()
        if SANITIZED:
            self.assertNotIn("Sanitizer", self.log())

    def log(self):
        try:
            with open(os.path.join(self.state, "aiod.log"), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def assertNothingStarted(self):
        self.assertEqual(os.listdir(self.home), [])
        self.assertEqual(os.listdir(self.runtime), [])


class Started(FirstUseTest):
    def test_submit(self):
        out, err = self.aioctl("submit", "echo", "hello")
        self.assertEqual(out, "1\n")
        self.assertRegex(err, STARTED)
        self.assertEqual(STARTED.match(err).group(3), os.path.join(self.state, "aiod.log"))
        self.assertEqual(int(STARTED.match(err).group(2)), self.pid())
        self.assertEqual(self.aioctl("await", "1"), ("0\n", ""))
        self.assertEqual(self.aioctl("logs"), ("hello\n", ""))
        self.assertEqual(self.aioctl("submit", "true"), ("2\n", ""))

    def test_run(self):
        out, err = self.aioctl("run", "-c", "echo hello; exit 3", status=3)
        self.assertEqual(out, "hello\n")
        self.assertRegex(err, STARTED)
        self.assertEqual(self.aioctl("run", "echo", "again"), ("again\n", ""))

    def test_what_it_inherits(self):
        """A process of its own: not the terminal's, not the shell's."""
        read, write = os.pipe()
        extra = {"SECRET": "x", "XDG_SESSION_ID": "7", "LC_TIME": "C", "LANG": "C.UTF-8",
                 "NOTIFY_SOCKET": "/nowhere", "JOURNAL_STREAM": "1:2"}
        self.aioctl("submit", "true", env=extra, pass_fds=[write],
                    preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]))
        os.close(write)
        self.assertEqual(os.read(read, 1), b"")  # nobody holds the other end
        os.close(read)
        proc = f"/proc/{self.pid()}"
        with open(f"{proc}/environ", "rb") as f:
            names = {line.split(b"=")[0].decode() for line in f.read().split(b"\0") if line}
        self.assertEqual(names, {"HOME", "PATH", "XDG_RUNTIME_DIR", "LC_TIME", "LANG"})
        with open(f"{proc}/status", encoding="ascii") as f:
            status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
        self.assertEqual((status["Umask"], int(status["SigBlk"], 16)), ("0027", 0))
        with open(f"{proc}/stat", encoding="ascii") as f:
            session = f.read().rpartition(")")[2].split()[3]
        self.assertEqual((int(session), os.readlink(f"{proc}/cwd")), (self.pid(), "/"))
        self.assertEqual([os.readlink(f"{proc}/fd/{fd}") for fd in range(3)],
                         ["/dev/null", "/dev/null", os.path.join(self.state, "aiod.log")])
        for path, mode in ((self.state, 0o700), (os.path.join(self.state, "aiod.log"), 0o600)):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)

    def test_twenty_at_once(self):
        clients = [self.popen(AIOCTL, "submit", "true") for _ in range(20)]
        ends = []
        for client in clients:
            with client:
                ends.append((*client.communicate(timeout=TIMEOUT), client.returncode))
        self.assertEqual({status for *_, status in ends}, {0}, ends)
        self.assertEqual(sorted(int(out) for out, *_ in ends), list(range(1, 21)))
        said = [err for _, err, _ in ends if err]
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], STARTED)
        self.assertEqual(self.log().count(" serving "), 1, self.log())

    def test_after_a_kill(self):
        """The socket is there, nobody listens: started again, with what was known."""
        self.aioctl("submit", "true")
        self.stop(signal.SIGKILL)
        self.assertTrue(os.path.exists(self.socket))
        self.refused("status", says=f"no running event loop at {self.socket}: `aioctl submit` "
                     "starts it")
        out, err = self.aioctl("submit", "true")
        self.assertEqual(out, "2\n")
        self.assertRegex(err, STARTED)

    def test_while_another_stops(self):
        """Its socket is closed already, and the state is still its own."""
        self.aioctl("submit", "true")
        self.stop()
        with open(os.path.join(self.state, "lock"), encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            client = self.popen(AIOCTL, "submit", "true")
            until("it is about to start one", self.starting)
            before = self.log()
        with client:
            out, err = client.communicate(timeout=TIMEOUT)
        self.assertEqual((client.returncode, out), (0, "2\n"), err)
        self.assertEqual(self.log().count(" serving "), before.count(" serving ") + 1)
        self.assertNotIn("another aiod", self.log())

    def starting(self):
        with open(os.path.join(self.state, "start.lock"), encoding="ascii") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def test_places(self):
        """Where aioctl looks, aiod --user listens, whatever the environment says."""
        for n, env in enumerate(({"XDG_STATE_HOME": os.path.join(self.home, "s")},
                                 {"XDG_STATE_HOME": "relative"}, {"XDG_STATE_HOME": ""})):
            state = os.path.join(self.home, "s/aiod") if n == 0 else self.state
            self.aioctl("submit", "true", env=env)
            self.assertIsNotNone(self.pid(state), env)
            with Rpc(self.socket) as rpc:
                self.assertEqual(rpc.call("hello")["socket"], self.socket)
            self.end(state)

    @unittest.skipUnless(os.getuid() == 0 and not os.path.exists(f"/run/user/{UID}"), "needs root")
    def test_without_a_runtime_directory(self):
        for env in ({"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "relative"}):
            self.refused("status", env=env,
                         says=f"no running event loop at /run/user/{UID}/aiod/control.sock: ")
            said = self.refused("submit", "true", env=env, says="your event loop cannot be started: ")
            self.assertIn(f"/run/user/{UID}/aiod cannot be made: set XDG_RUNTIME_DIR", said)
            code, _, err = self.run_as(AIOD, "--user", env=env)
            self.assertNotEqual(code, 0)
            self.assertIn(f"/run/user/{UID}/aiod cannot be made", err)

    def test_log_is_set_aside(self):
        os.makedirs(self.state)
        for path in (self.state, os.path.dirname(self.state), os.path.join(self.home, ".local")):
            os.chown(path, UID, -1)
        path = os.path.join(self.state, "aiod.log")
        with open(path, "wb") as f:
            f.write(b"old\n" * 300000)
        os.chown(path, UID, -1)
        self.aioctl("submit", "true")
        self.assertNotIn("old", self.log())
        self.assertEqual(os.stat(path + ".old").st_size, 1200000)

    def test_interrupt_while_it_starts(self):
        """Nothing was submitted, and nothing is left behind."""
        self.aioctl("submit", "true")
        self.stop()
        with open(os.path.join(self.state, "lock"), encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            client = self.popen(AIOCTL, "run", "true")
            until("it is about to start one", self.starting)
            client.send_signal(signal.SIGINT)
            with client:
                out, err = client.communicate(timeout=TIMEOUT)
        self.assertEqual((client.returncode, out, err),
                         (128 + signal.SIGINT, "", "aioctl: run: nothing was submitted\n"))
        self.assertIsNone(self.pid())


class Refused(FirstUseTest):
    @unittest.skipIf(os.getuid(), "needs root")
    def test_somebody_elses_listener(self):
        """It would get the command and the environment."""
        os.mkdir(os.path.join(self.runtime, "aiod"), 0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            os.chown(os.path.dirname(self.socket), UID + 1, -1)
            os.chmod(self.runtime, 0o755)
            child = os.fork()
            if child == 0:
                os.setresuid(UID + 1, UID + 1, UID + 1)
                listener.bind(self.socket)
                os.chmod(self.socket, 0o666)
                listener.listen()
                os._exit(0)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.refused("--user", "submit", "true", says="somebody else's")
            connection = listener.accept()[0]
            with connection:
                self.assertEqual(connection.recv(1), b"")

    def test_others_start_nothing(self):
        for verb in (("status",), ("wait",), ("await", "1"), ("logs",), ("cancel", "1"), ("health",)):
            self.refused(*verb, says=f"no running event loop at {self.socket}: `aioctl submit` "
                         "starts it")
        self.refused("--user", "status", says="`aioctl --user submit` starts it")
        self.assertNothingStarted()

    def test_forbidden(self):
        for verb, status in (("submit", 4), ("run", 125)):
            self.refused(verb, "true", env={"AIOD_NO_START": "1"}, status=status,
                         says=f"no running event loop at {self.socket}, and AIOD_NO_START forbids "
                         "to start it: `aiod --user`")
        self.assertNothingStarted()
        self.aioctl("submit", "true", env={"AIOD_NO_START": "0"})

    def test_another_was_asked_for(self):
        there = os.path.join(self.root, "there/control.sock")
        says = f"no running event loop at {there}: start it with `aiod --runtime-dir {self.root}/there`"
        self.refused("submit", "--socket", there, "true", says=says)
        self.refused("submit", "true", env={"AIOD_SOCKET": there}, says=says)
        self.refused("run", "true", env={"AIOD_SOCKET": there}, says=says, status=125)
        self.refused("submit", "--user", "true", env={"AIOD_SOCKET": there},
                     says=f"no running event loop at {self.socket}")
        if not os.path.exists("/run/aiod"):
            self.refused("submit", "--system", "true", says="no running event loop at "
                         "/run/aiod/control.sock: start it with `systemctl start aiod.socket`")
        self.assertNothingStarted()

    def test_usage_errors_start_nothing(self):
        self.refused("submit", "--at", "never", "true", status=2, says="never")
        self.refused("submit", status=2, says="which command?")
        self.assertNothingStarted()

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_state_directory_of_somebody_else(self):
        os.chown(self.home, 0, 0)
        os.chmod(self.home, 0o755)
        self.refused("submit", "true", says="your event loop cannot be started: its state directory "
                     f"{self.state}: Permission denied")
        self.refused("run", "true", status=125, says="Permission denied")

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_runtime_directory_of_somebody_else(self):
        """As after su: nothing of ours is put there."""
        os.chown(self.runtime, 4712, 4712)
        os.chmod(self.runtime, 0o777)
        self.refused("submit", "true", says=f"{self.runtime} belongs to uid 4712: unset "
                     "XDG_RUNTIME_DIR, or set it to a directory of yours")
        self.assertNothingStarted()

    def test_no_home(self):
        self.refused("submit", "true", env={"HOME": ""},
                     says="neither $XDG_STATE_HOME nor $HOME says where its state can be kept")

    def test_no_aiod(self):
        self.refused("submit", "true", env={"PATH": "/usr/bin:relative"},
                     says="there is no executable aiod beside aioctl or in PATH")

    def test_its_reason(self):
        """What aiod says before it ends is what aioctl says."""
        config = os.path.join(self.home, "aiod/aiod.conf")
        os.mkdir(os.path.dirname(config))
        with open(config, "w", encoding="ascii") as f:
            f.write("[daemon]\nnonsense = 1\n")
        env = {"XDG_CONFIG_HOME": self.home}
        code, _, err = self.run_as(AIOD, "--user", env=env)
        self.assertNotEqual(code, 0)
        reason = err.strip().rpartition("aiod: ")[2]
        self.assertIn("nonsense", reason)
        said = self.refused("submit", "true", env=env, says="your event loop cannot be started: ")
        self.assertEqual(said, "aioctl: submit: your event loop cannot be started: "
                         f"{reason} ({self.state}/aiod.log)\n")

    def test_what_is_no_aiod(self):
        """Found in PATH, and not what it should be."""
        for text, says in (("#!/bin/sh\nexit 7\n", "aiod ended with exit status 7 ("),
                           ("#!/bin/sh\nkill -9 $$\n", "aiod was killed by signal 9 ("),
                           ("#!/nowhere\n", "No such file or directory (")):
            path = os.path.join(self.root, "aiod")
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(path, 0o755)
            self.refused("submit", "true", env={"PATH": f"{self.root}:/usr/bin:/bin"}, says=says)


def can_unshare():
    return os.getuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False,
                                               stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(can_unshare(), "needs root and mount namespaces")
class BesideTheSystems(FirstUseTest):
    """/run/aiod is there for these users, in a mount namespace of theirs."""

    def setUp(self):
        super().setUp()
        self.run = os.path.join(self.root, "system/run")
        os.makedirs(os.path.join(self.run, "aiod"))
        self.system = Instance(root=os.path.join(self.root, "system"))
        self.system.runtime = os.path.join(self.run, "aiod")
        self.system.socket = os.path.join(self.system.runtime, "control.sock")
        self.addCleanup(self.system.close)

    def popen(self, *args, env=None, **kwargs):
        script = f'mount --bind {self.run} /run && exec setpriv --reuid {UID} --regid {UID} ' \
                 '--clear-groups "$@"'
        return subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", *args], text=True,
                                env=dict(self.env, **(env or {})), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.root,
                                **kwargs)

    def test_the_systems_if_it_answers(self):
        self.system.configure("[control]\nsocket-mode = 0666\n")
        self.system.start()
        self.assertEqual(self.aioctl("submit", "true"), ("1\n", ""))
        self.assertEqual(self.aioctl("wait")[1], "")
        self.assertEqual(self.system.call("status")["tasks"][0]["uid"], UID)
        self.refused("--user", "status", says=f"no running event loop at {self.socket}: ")
        self.assertNothingStarted()

    def test_own_before_the_systems(self):
        self.system.configure("[control]\nsocket-mode = 0666\n")
        self.assertRegex(self.aioctl("submit", "true")[1], STARTED)
        self.system.start()
        self.assertEqual(self.aioctl("submit", "true"), ("2\n", ""))
        self.assertEqual(self.aioctl("--system", "submit", "true"), ("1\n", ""))
        self.stop(signal.SIGKILL)
        out, err = self.aioctl("submit", "true")
        self.assertEqual(out, "2\n")
        self.assertEqual(err, f"aioctl: submit: your own event loop at {self.socket} does not answer: "
                         "this goes to the system's\n")
        out, err = self.aioctl("--user", "submit", "true")
        self.assertEqual(out, "3\n")
        self.assertRegex(err, STARTED)

    def test_the_systems_is_for_others(self):
        self.system.start()
        os.chmod(self.system.socket, 0o660)
        says = "the system's event loop at /run/aiod/control.sock is for members of group aiod (ask " \
               "root: adduser NAME aiod, then log in again)"
        said = self.refused("status", says=says + "; `aioctl submit` starts one of your own\n")
        self.assertTrue(said.startswith("aioctl: status: the system's"))
        for verb in ("status", "wait", "health"):
            self.refused("--system", verb, status=5, says=says + "\n")
        self.refused("--system", "submit", "true", status=5, says=says + "\n")
        self.assertNothingStarted()
        self.assertRegex(self.aioctl("submit", "true")[1], STARTED)

    def test_the_systems_is_not_running(self):
        self.system.configure("[control]\nsocket-mode = 0666\n")
        self.system.start()
        self.system.kill()
        self.refused("status", says=f"no running event loop at {self.socket}: `aioctl submit` starts it")
        self.refused("--system", "submit", "true", says="no running event loop at "
                     "/run/aiod/control.sock: start it with `systemctl start aiod.socket`")
        self.assertNothingStarted()
        self.assertRegex(self.aioctl("submit", "true")[1], STARTED)


# Does what systemd would: `start` makes an aiod listen, or tells why not.
SYSTEMCTL = """#!/bin/sh
echo "$XDG_RUNTIME_DIR $*" >> "$HOME/asked"
{0}
"""


class Systemd(FirstUseTest):
    """The user's systemd can be reached (its private socket is there); systemctl is ours."""

    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.runtime, "systemd"))
        self.private = socket.socket(socket.AF_UNIX)
        self.private.bind(os.path.join(self.runtime, "systemd/private"))
        self.private.listen()
        os.chmod(os.path.join(self.runtime, "systemd/private"), 0o777)
        os.chmod(os.path.join(self.runtime, "systemd"), 0o755)
        self.addCleanup(self.private.close)
        self.bin = self.directory("bin")
        self.env["PATH"] = f"{self.bin}:{self.env['PATH']}"

    def systemctl(self, script):
        path = os.path.join(self.bin, "systemctl")
        with open(path, "w", encoding="ascii") as f:
            f.write(SYSTEMCTL.format(script))
        os.chmod(path, 0o755)

    def asked(self):
        try:
            with open(os.path.join(self.home, "asked"), encoding="ascii") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def test_started_by_it(self):
        self.systemctl("setsid aiod --user </dev/null >/dev/null 2>&1 &")
        out, err = self.aioctl("submit", "true")
        self.assertEqual(out, "1\n")
        self.assertEqual(err, "aioctl: submit: started your event loop (aiod.socket of your systemd); "
                         "its tasks end when you log out: `loginctl enable-linger` keeps them\n")
        self.assertEqual(self.asked(), f"{self.runtime} --user --quiet --no-ask-password start "
                         "aiod.socket\n")
        self.assertEqual(self.aioctl("submit", "true"), ("2\n", ""))

    def test_without_the_unit(self):
        self.systemctl("echo 'Unit aiod.socket not found.' >&2; exit 5")
        out, err = self.aioctl("submit", "true")
        self.assertEqual(out, "1\n")
        self.assertRegex(err, STARTED)
        self.assertIn("start aiod.socket", self.asked())

    def test_a_unit_that_fails(self):
        self.systemctl("echo 'Job failed. See \"journalctl -xe\".' >&2; echo more >&2; exit 1")
        self.refused("submit", "true", says="your event loop cannot be started: systemctl --user "
                     "start aiod.socket: Job failed. See \"journalctl -xe\".")
        self.assertNotIn(".local", os.listdir(self.home))

    def test_a_service_that_fails(self):
        """Its socket takes the connection, and closes it when the service has failed."""
        os.mkdir(os.path.dirname(self.socket))
        os.chmod(os.path.dirname(self.socket), 0o755)
        self.systemctl("mv $XDG_RUNTIME_DIR/listening $XDG_RUNTIME_DIR/aiod/control.sock")
        os.chown(os.path.dirname(self.socket), UID, -1)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.runtime, "listening"))
            os.chmod(os.path.join(self.runtime, "listening"), 0o777)
            listener.listen()
            client = self.popen(AIOCTL, "submit", "true")
            connection, _ = listener.accept()
            connection.close()
            with client:
                out, err = client.communicate(timeout=TIMEOUT)
        self.assertEqual((client.returncode, out), (4, ""))
        self.assertEqual(err, "aioctl: submit: your event loop cannot be started: aiod.service of "
                         "your systemd does not answer: `journalctl --user -u aiod` says why\n")

    def test_one_that_cannot_be_reached(self):
        self.private.close()
        self.systemctl("exit 1")
        self.assertRegex(self.aioctl("submit", "true")[1], STARTED)
        self.assertEqual(self.asked(), "")

    def test_without_systemctl(self):
        self.env["PATH"] = f"{os.path.dirname(AIOD)}:{self.bin}"
        self.assertRegex(self.aioctl("submit", "--call", "sleep", "0")[1], STARTED)


if __name__ == "__main__":
    unittest.main()

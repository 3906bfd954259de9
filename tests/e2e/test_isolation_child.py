# SPDX-License-Identifier: MIT
"""What a command gets, compared with a list of what it may get, with aiod and the spawner started
with all kinds of junk; and users with the most unusual numbers."""
import errno
import os
import subprocess
import unittest

from harness import SANITIZED, Instance, InstanceTest
from others import ALICE, AIOD_UID, BOB, MARK, TIMEOUT, AsRoot, AsUnits, Peer, UsersTest, both, until

IGNORED = "HUP,INT,QUIT,USR1,PIPE,CHLD,TSTP,TTIN,TTOU,XFSZ,RTMIN+3"
BLOCKED = "USR2,ALRM,WINCH,TERM"
LIMITS = ["--core=12345", "--nproc=20000:30000", "--stack=7000000", "--nofile=700:5000",
          "--memlock=65536"]
# Ignored and blocked signals, an odd umask, niceness, limits, a terminal-less session.
JUNK = ["nice", "-n", "3", "prlimit", *LIMITS, "env", f"--ignore-signal={IGNORED}",
        f"--block-signal={BLOCKED}", "sh", "-c", 'umask 0; cd /tmp; exec "$@"', "sh"]
ENVIRONMENT = {"SECRET": MARK, "LISTEN_FDS": "2", "LISTEN_PID": "1", "LISTEN_FDNAMES": "control:x",
               "MAINPID": "1", "CREDENTIALS_DIRECTORY": "/run/credentials/x", "MONITOR_PID": "1",
               "LD_LIBRARY_PATH": "/nonexistent", "TZ": "Mars/Phobos", "LANG": "C",
               "WATCHDOG_PID": "1", "INVOCATION_ID": "0" * 32, "IFS": "x", "ENV": "/nonexistent"}
ENV = ["PATH=/usr/bin:/bin", "A=1", "A=2", "EMPTY=", "odd=\x01\n=", "_=x"]

# Nothing but the shell and cat, so that what is seen is what the command got. The shell reads its
# own status itself: while it starts a child, it blocks signals.
PROBE = r"""
show() { echo "== $1"; while IFS= read -r line; do printf '%s\n' "$line"; done < /proc/$$/$1; }
for name in status limits stat personality timerslack_ns coredump_filter; do
    show $name 2>/dev/null
done
echo "== fds"; ls -l /proc/$$/fd
echo "== keys"; cat /proc/keys
echo "== umask"; umask
echo "== cwd"; pwd -P
echo "== nice"; nice
echo "== oom"; cat /proc/$$/oom_score_adj
echo "== tty"; (exec 3<>/dev/tty) 2>&1
echo "== cgroup"; cat /proc/$$/cgroup
echo "== environ"; cat /proc/$$/environ
"""


def sections(output):
    """The probe's output: {name: text}."""
    return {part.partition(b"\n")[0].decode(): part.partition(b"\n")[2]
            for part in output.split(b"== ")[1:]}


def fields(text):
    """/proc/PID/status: {name: value}."""
    return dict(line.split(":\t", 1) for line in text.decode().splitlines() if ":\t" in line)


class ChildTest(UsersTest):
    def make_instance(self):
        """Everything about it is junk, where it has a spawner of its own that too."""
        aiod = super().make_instance()
        secret = self.write(os.path.join(aiod.root, "secret"), MARK)
        self.files = [open(secret, encoding="ascii"), *map(os.fdopen, os.pipe(), ("r", "w"))]
        for file in self.files:
            self.addCleanup(file.close)
        aiod.pass_fds = [file.fileno() for file in self.files]
        aiod.env.update(ENVIRONMENT)
        aiod.wrapper = JUNK + aiod.wrapper
        if isinstance(aiod, AsUnits):
            aiod.spawner_wrapper = list(JUNK)
            aiod.spawner_env = dict(ENVIRONMENT)
            aiod.spawner_pass_fds = list(aiod.pass_fds)
        return aiod

    def probe(self, peer, **args):
        end, output = peer.run("sh", "-c", PROBE, args=args)
        self.assertEqual(end["outcome"], "ok", output)
        return sections(output)


class Child(ChildTest):
    def setUp(self):
        super().setUp()
        self.bob = self.peer(BOB, gid=4200, groups=[4201, 4202])

    def expected_limits(self):
        """Those of whatever started the spawner, untouched."""
        return subprocess.run([*JUNK, "cat", "/proc/self/limits"], stdout=subprocess.PIPE,
                              check=True).stdout.splitlines()

    def test_user(self):
        status = fields(self.probe(self.bob)["status"])
        self.assertEqual(status["Uid"].split(), [str(BOB)] * 4)
        self.assertEqual(status["Gid"].split(), ["4200"] * 4)
        self.assertEqual(status["Groups"].split(), ["4201", "4202"])
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        with open("/proc/self/status", encoding="ascii") as f:
            ours = fields(f.read().encode())
        for name in ("CapBnd", "NoNewPrivs", "Seccomp"):  # setuid programs work as in a login
            self.assertEqual(status[name], ours[name], name)

    def test_user_without_groups(self):
        status = fields(self.probe(self.peer(ALICE))["status"])
        self.assertEqual(status["Groups"].split(), [])

    def test_signals(self):
        status = fields(self.probe(self.bob)["status"])
        for name in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"):
            self.assertEqual(int(status[name], 16), 0, name)

    def test_descriptors(self):
        for args, second in (({}, "log"), ({"split": True}, "err")):
            listing = self.probe(self.bob, **args)["fds"].decode().splitlines()[1:]
            seen = {int(left.split()[-1]): right for left, _, right in
                    (line.partition(" -> ") for line in listing)}
            self.assertEqual(sorted(seen), [0, 1, 2], seen)
            self.assertEqual(seen[0], "/dev/null")
            output = os.path.join(self.aiod.state, "output/000/")
            first = "out" if args else "log"
            self.assertTrue(seen[1].startswith(output) and seen[1].endswith(first), seen)
            self.assertTrue(seen[2].startswith(output) and seen[2].endswith(second), seen)

    def test_environment(self):
        end, output = self.bob.run("sh", "-c", PROBE, args={"env": ENV})
        seen = sections(output)["environ"].split(b"\0")
        expected = [*(text.encode() for text in ENV), b"AIOD_TASK_ID=%d" % end["id"],
                    b"AIOD_ATTEMPT=1", b""]
        self.assertEqual(seen, expected)
        self.assertNotIn(MARK.encode(), self.bob.received)

    def test_environment_by_default(self):
        seen = self.probe(self.bob)["environ"].split(b"\0")
        names = sorted(entry.partition(b"=")[0] for entry in seen if entry)
        self.assertEqual(names, [b"AIOD_ATTEMPT", b"AIOD_TASK_ID", b"LANG", b"PATH"])

    def test_ones_own_task_id_is_not_ones_to_choose(self):
        end, output = self.bob.run("sh", "-c", PROBE, args={
            "env": ["AIOD_TASK_ID=1", "AIOD_ATTEMPT=77", "AIOD_TASK_ID=2", "PATH=/usr/bin:/bin"]})
        seen = sections(output)["environ"].split(b"\0")
        self.assertEqual(seen, [b"PATH=/usr/bin:/bin", b"AIOD_TASK_ID=%d" % end["id"],
                                b"AIOD_ATTEMPT=1", b""])

    def test_umask_and_directory(self):
        seen = self.probe(self.bob)
        self.assertEqual((seen["umask"], seen["cwd"]), (b"0022\n", b"/\n"))
        home = self.home("bob", BOB)
        seen = self.probe(self.bob, umask=0o077, cwd=home)
        self.assertEqual((seen["umask"], seen["cwd"]), (b"0077\n", home.encode() + b"\n"))

    def test_limits_and_niceness(self):
        """As whoever started the spawner had them: aiod and the spawner raise their own alone."""
        seen = self.probe(self.bob)
        for seen_limit, limit in zip(seen["limits"].splitlines(), self.expected_limits(), strict=True):
            if not (SANITIZED and b"core" in limit):  # a sanitizer dumps no core of its own
                self.assertEqual(seen_limit, limit)
        self.assertEqual((seen["nice"], seen["oom"]), (b"3\n", b"0\n"))

    def test_session(self):
        """A session and a group of its own, no terminal, a child of the spawner's."""
        seen = self.probe(self.bob)
        stat = seen["stat"].rpartition(b")")[2].split()
        pid, ppid = int(seen["stat"].split()[0]), int(stat[1])
        self.assertEqual(ppid, self.aiod.spawner_pid())
        self.assertEqual((int(stat[2]), int(stat[3]), int(stat[4]), int(stat[5])),
                         (pid, pid, 0, -1))
        self.assertIn(b"No such device or address", seen["tty"])

    def test_what_else_there_is(self):
        seen = self.probe(self.bob)
        with open("/proc/self/personality", "rb") as f:
            self.assertEqual(seen["personality"], f.read())
        with open("/proc/self/coredump_filter", "rb") as f:
            self.assertEqual(seen["coredump_filter"], f.read())
        with open("/proc/self/timerslack_ns", "rb") as f:
            self.assertIn(seen["timerslack_ns"], (f.read(), b""))

    def test_keys(self):
        """No keyring of root's: the session's is the command's own."""
        for line in self.probe(self.bob)["keys"].decode().splitlines():
            uid = int(line.split()[5])
            self.assertEqual(uid, BOB, line)

    def test_daemon_and_spawner_keep_nothing(self):
        """What was left open for aiod is open nowhere but in what it was meant for."""
        paths = {os.readlink(f"/proc/self/fd/{file.fileno()}") for file in self.files}
        spawner = until("the spawner answers", self.aiod.spawner_pid)
        if self.kind is AsRoot:  # it was started by aiod
            fds = [os.readlink(f"/proc/{spawner}/fd/{fd}") for fd in os.listdir(f"/proc/{spawner}/fd")]
            self.assertEqual(paths & set(fds), set())
            with open(f"/proc/{spawner}/environ", "rb") as f:
                names = {entry.partition(b"=")[0] for entry in f.read().split(b"\0")}
            self.assertEqual(names & {b"NOTIFY_SOCKET", b"LISTEN_FDS", b"LISTEN_PID", b"WATCHDOG_PID",
                                      b"LISTEN_FDNAMES"}, set())

    def test_a_retry_gets_the_same(self):
        end, output = self.bob.run("sh", "-c", PROBE, args={"env": ENV, "umask": 0o27})
        new = self.bob.call("retry", ids=[end["id"]])[0]["new"]
        self.bob.call("await", id=new)
        before, after = sections(output), sections(self.bob.logs(new))
        for name in ("limits", "umask", "cwd", "nice", "oom"):
            self.assertEqual(after[name], before[name], name)
        for name in ("Uid", "Gid", "Groups", "CapEff", "SigIgn", "SigBlk"):
            self.assertEqual(fields(after["status"])[name], fields(before["status"])[name])
        self.assertEqual(after["environ"].replace(b"TASK_ID=%d\0" % new, b"TASK_ID=X\0"),
                         before["environ"].replace(b"TASK_ID=%d\0" % end["id"], b"TASK_ID=X\0"))


UIDS = [1, 65534, (1 << 31) - 1, 1 << 31, (1 << 32) - 2]


class Numbers(UsersTest):
    """Users and groups with numbers at the borders of their types. (-1 means "leave it as it is" to
    the kernel: no process can have it, and in a record to the spawner it is refused: tests/spawner.)"""

    def test_users(self):
        tasks = {}
        peers = {uid: self.peer(uid) for uid in UIDS}
        for uid, peer in peers.items():
            self.assertEqual(peer.call("hello")["uid"], uid)
            end, output = peer.run("sh", "-c", "id -ru; id -u; id -g; id -G; "
                                   "grep -E 'Cap(Prm|Eff)' /proc/self/status")
            tasks[uid] = end["id"]
            self.assertEqual(output.split(), [str(uid).encode()] * 4
                             + [b"CapPrm:", b"0" * 16, b"CapEff:", b"0" * 16])
            self.assertEqual(end["uid"], uid)
        self.check_own(peers, tasks)
        self.aiod.stop()
        self.aiod.start()
        self.check_own({uid: self.peer(uid) for uid in UIDS}, tasks)
        self.assertEqual({t["id"]: t["uid"] for t in self.aiod.call("status")["tasks"]},
                         {task: uid for uid, task in tasks.items()})

    def check_own(self, peers, tasks):
        """Each sees their own task alone, and may do with it what they want."""
        for uid, peer in peers.items():
            self.assertEqual([t["id"] for t in peer.call("status")["tasks"]], [tasks[uid]])
            self.assertEqual(peer.call("status")["counts"]["ok"], 1)
            for other in UIDS:
                if other != uid:
                    self.assertEqual(self.refused(peer, "task", id=tasks[other])[0], "not-found")

    def test_groups(self):
        for gid in UIDS:
            peer = self.peer(BOB, gid=gid, groups=[g for g in UIDS if g != gid])
            _, output = peer.run("sh", "-c", "id -u; id -g; id -G")
            user, group, *groups = map(int, output.split())
            self.assertEqual((user, group, sorted(groups)), (BOB, gid, UIDS))

    def test_root_of_a_namespace_of_ones_own(self):
        """Bob, who is root in a namespace of users that he has made, is bob here."""
        wrapper = ["setpriv", f"--reuid={BOB}", f"--regid={BOB}", "--clear-groups", "unshare",
                   "--user", "--map-root-user"]
        if subprocess.run([*wrapper, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no namespaces of users here")
        path = os.path.dirname(os.path.abspath(__file__))
        code = ("import sys; sys.path.insert(0, sys.argv[2])\n"
                "import os; from harness import Rpc\n"
                "rpc = Rpc(sys.argv[1])\n"
                "task = rpc.call('submit', args={'argv': ['id', '-u']})['id']\n"
                "rpc.call('await', id=task); rpc.call('logs', id=task)\n"
                "print(os.getuid(), rpc.call('hello')['uid'], rpc.notifications[0][2][0]['data'].decode())")
        done = subprocess.run([*wrapper, "/usr/bin/python3", "-B", "-c", code, self.aiod.socket, path],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT)
        self.assertEqual(done.stdout.split(), ["0", str(BOB), str(BOB)])


class Owner(UsersTest):
    def test_no_command_runs_as_the_owner_of_the_tasks(self):
        """Who runs as aiod's own user could read and write everybody's tasks."""
        if self.kind is AsRoot:
            self.skipTest("root is root")
        aiod = self.peer(AIOD_UID)
        word, message = self.refused(aiod, "submit", args={"argv": ["true"]})
        self.assertEqual(word, "denied")
        self.assertIn(f"uid {AIOD_UID} owns the tasks of all users", message)

    def test_who_may_not_connect(self):
        """The socket's mode decides, before aiod hears anything."""
        os.chmod(self.aiod.socket, 0o660)
        with self.assertRaisesRegex(ConnectionError, f"ended with {errno.EACCES}"):
            peer = Peer(self.aiod.socket, BOB)
            try:
                peer.call("hello")
            finally:
                peer.close()
        os.chown(self.aiod.socket, -1, 4300)
        self.assertEqual(self.peer(BOB, groups=[4300]).call("hello")["uid"], BOB)


both(Child, Numbers, Owner)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class OwnInstance(InstanceTest):
    """A user's own instance, started with junk: their commands get what they have, and no junk."""

    def make_instance(self):
        aiod = Instance(config="")
        os.chmod(aiod.root, 0o755)
        os.mkdir(aiod.state, 0o700)
        os.mkdir(aiod.runtime, 0o700)
        for path in (aiod.state, aiod.runtime):
            os.chown(path, BOB, BOB)
        aiod.env.update(ENVIRONMENT)
        aiod.wrapper = [*JUNK, "setpriv", f"--reuid={BOB}", f"--regid={BOB}", "--groups=4201"]
        return aiod

    def test_child(self):
        peer = Peer(self.aiod.socket, BOB, groups=[4201])
        self.addCleanup(peer.close)
        end, output = peer.run("sh", "-c", PROBE, args={"env": ENV})
        seen = sections(output)
        self.assertEqual(end["outcome"], "ok", output)
        status = fields(seen["status"])
        self.assertEqual((status["Uid"].split(), status["Groups"].split()), ([str(BOB)] * 4, ["4201"]))
        for name in ("SigBlk", "SigIgn", "CapEff"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(len(seen["fds"].splitlines()), 4, seen["fds"])
        self.assertEqual((seen["umask"], seen["cwd"], seen["nice"]), (b"0022\n", b"/\n", b"3\n"))
        self.assertEqual(seen["environ"].split(b"\0")[:len(ENV)], [e.encode() for e in ENV])
        self.assertNotIn(MARK.encode(), seen["environ"])

    def test_it_serves_bob_alone(self):
        os.chmod(self.aiod.runtime, 0o711)
        os.chmod(self.aiod.socket, 0o666)
        alice = Peer(self.aiod.socket, ALICE)
        self.addCleanup(alice.close)
        for method in ("hello", "status", "groups", "events", "health"):
            with self.assertRaisesRegex(Exception, f"uid {BOB} alone"):
                alice.call(method)


if __name__ == "__main__":
    unittest.main()

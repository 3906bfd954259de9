# SPDX-License-Identifier: MIT
"""Another user of the same instance: runs as themselves, sees and touches nothing of others; an
instance of one user refuses everybody else. Needs root."""
import json
import os
import subprocess
import sys
import unittest

from harness import Instance, InstanceTest, RpcError, until

NOBODY = 65534
GROUPS = [4, 24, 100]

# Becomes another user, connects, reads calls as JSON lines from stdin and answers each.
CLIENT = r"""
import json, os, sys
sys.path.insert(0, sys.argv[2])
from harness import Rpc, RpcError
uid, groups = json.loads(sys.argv[3])
os.setgroups(groups)
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
rpc = Rpc(sys.argv[1])
for line in sys.stdin:
    method, params = json.loads(line)
    rpc.notifications.clear()
    try:
        answer = {"result": rpc.call(method, params)}
    except RpcError as error:
        answer = {"word": error.word, "message": error.message}
    answer["output"] = "".join(n[2][0]["data"].decode() for n in rpc.notifications)
    print(json.dumps(answer), flush=True)
"""


class Other:
    """A connection of another user, in a process of theirs."""

    def __init__(self, aiod, uid=NOBODY, groups=()):
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, aiod.socket, here, json.dumps([uid, list(groups)])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.output = ""

    def call(self, method, **params):
        self.process.stdin.write(json.dumps([method, params]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.output = answer["output"]
        if "result" in answer:
            return answer["result"]
        raise RpcError([0, answer["message"]])

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@unittest.skipUnless(os.getuid() == 0, "needs root")
class UsersTest(InstanceTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.aiod.root, 0o711)
        os.chmod(self.aiod.runtime, 0o711)

    def other(self, **kwargs):
        other = Other(self.aiod, **kwargs)
        self.addCleanup(other.close)
        return other

    def refused(self, word, other, method, **params):
        with self.assertRaises(RpcError) as caught:
            other.call(method, **params)
        self.assertEqual(caught.exception.word, word, caught.exception.message)
        return caught.exception.message


class System(UsersTest):
    config = "[control]\nsocket-mode = 0666\n[limits]\nqueued = 5\n[commands]\ngrace = 1h\n"

    def test_who_is_who(self):
        hello = self.other().call("hello")
        self.assertEqual((hello["uid"], hello["owner"], hello["system"]), (NOBODY, 0, True))

    def test_runs_as_themselves(self):
        other = self.other(groups=GROUPS)
        line = "id -u; id -g; id -G; id -ru; cat /proc/self/loginuid >/dev/null 2>&1; pwd"
        task = other.call("submit", args={"argv": ["sh", "-c", line]})["id"]
        done = other.call("await", id=task)
        self.assertEqual((done["outcome"], done["uid"]), ("ok", NOBODY))
        other.call("logs", id=task)
        lines = other.output.splitlines()
        self.assertEqual(lines[:2], [str(NOBODY)] * 2)
        self.assertEqual(sorted(map(int, lines[2].split())), sorted([NOBODY, *GROUPS]))
        self.assertEqual(lines[3:], [str(NOBODY), "/"])
        path = os.path.join(self.aiod.state, "output", "000", f"{task}.1.log")
        self.assertEqual(os.stat(path).st_uid, NOBODY)

    def test_no_groups_of_root_and_no_privileges(self):
        other = self.other()
        line = "id -G; grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status"
        task = other.call("submit", args={"argv": ["sh", "-c", line]})["id"]
        other.call("await", id=task)
        other.call("logs", id=task)
        lines = other.output.splitlines()
        self.assertEqual(lines[0], str(NOBODY))
        self.assertEqual({entry.split()[1] for entry in lines[1:]}, {"0" * 16})

    def test_cannot_read_or_write_what_is_roots(self):
        secret = os.path.join(self.aiod.root, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write("hidden\n")
        os.chmod(secret, 0o600)
        other = self.other()
        for args in ({"argv": ["cat", secret]}, {"argv": ["cat"], "stdin": secret},
                     {"argv": ["ls"], "cwd": self.aiod.state + "/output"},
                     {"argv": ["sh", "-c", f"echo x > {self.aiod.root}/new"]}):
            task = other.call("submit", args=args)["id"]
            self.assertEqual(other.call("await", id=task)["outcome"], "failed", args)
            other.call("logs", id=task)
            self.assertNotIn("hidden", other.output)
        self.assertFalse(os.path.exists(f"{self.aiod.root}/new"))

    def test_sees_nothing_of_others(self):
        done = self.aiod.submit("echo", "roots", name="roots")
        self.aiod.wait_for(done)
        live = self.aiod.submit("sleep", "1000", name="live")
        self.aiod.until_state(live, "RUNNING")
        other = self.other()
        for task in (done, live, "roots", "live"):
            for method in ("task", "await", "result", "logs"):
                self.refused("not-found", other, method, id=task)
            for method in ("cancel", "remove", "wait", "status"):
                self.refused("not-found", other, method, ids=[task])
        message = self.refused("not-found", other, "task", id=live)
        self.assertEqual(message, f"not-found: there is no task {live}")
        self.assertEqual(self.refused("not-found", other, "task", id=99),
                         "not-found: there is no task 99")
        self.refused("not-found", other, "task", id="last")
        for selector in ("all", f"{done}-{live}"):
            self.assertEqual(other.call("cancel", ids=[selector]), [])
            self.assertEqual(other.call("remove", ids=[selector]), [])
            self.assertEqual(other.call("status", ids=[selector])["tasks"], [])
            self.assertEqual(other.call("wait", ids=[selector])["done"], [])
        status = other.call("status")
        self.assertEqual((status["tasks"], set(status["counts"].values())), ([], {0}))
        self.assertEqual(set(other.call("health")["tasks"].values()), {0})
        self.assertEqual(self.aiod.call("status", ids=[live])["tasks"][0]["state"], "RUNNING")
        self.aiod.call("cancel", ids=[live], kill=True)

    def test_root_sees_all(self):
        other = self.other()
        task = other.call("submit", args={"argv": ["sleep", "1000"]}, name="theirs")["id"]
        own = self.aiod.submit("true")
        self.aiod.wait_for(own)
        tasks = {t["id"]: t["uid"] for t in self.aiod.call("status")["tasks"]}
        self.assertEqual(tasks, {task: NOBODY, own: 0})
        self.assertEqual([t["id"] for t in other.call("status")["tasks"]], [task])
        self.aiod.call("cancel", ids=[task])
        done = other.call("await", id=task)
        self.assertEqual((done["outcome"], done["cancel"]["uid"]), ("cancelled", 0))
        self.assertEqual(other.call("status")["counts"]["cancelled"], 1)
        self.assertEqual(self.aiod.call("status")["counts"]["cancelled"], 1)
        self.assertEqual(self.aiod.call("remove", ids=[task])[0]["removed"], True)
        self.assertEqual(other.call("status")["tasks"], [])

    def test_names_are_ones_own(self):
        other = self.other()
        mine = self.aiod.submit("true", name="build")
        theirs = other.call("submit", args={"argv": ["true"]}, name="build")["id"]
        self.assertEqual(other.call("await", id="build")["id"], theirs)
        self.assertEqual(self.aiod.wait_for("build")["id"], mine)
        self.assertEqual(self.aiod.call("task", id="last")["id"], mine)

    def test_limit_of_queued_tasks(self):
        other = self.other()
        for _ in range(5):
            other.call("submit", args={"argv": ["true"]}, **{"in": 1000})
        self.refused("limit", other, "submit", args={"argv": ["true"]})
        for _ in range(10):  # the owner is not bound
            self.aiod.submit("true", **{"in": 1000})
        other.call("cancel", ids=[1])
        other.call("await", id=1)
        task = other.call("submit", args={"argv": ["true"]})["id"]
        self.assertEqual(other.call("await", id=task)["outcome"], "ok")

    def test_leaves_nothing_behind(self):
        other = self.other()
        task = other.call("submit", args={"argv": ["sleep", "1000"]})["id"]
        pid = until("it runs", lambda: other.call("status", ids=[task])["tasks"][0].get("pid"))
        until("it is theirs", lambda: os.stat(f"/proc/{pid}").st_uid == NOBODY)
        other.call("cancel", ids=[task])
        self.assertEqual(other.call("await", id=task)["outcome"], "cancelled")
        until("it is reaped", lambda: not os.path.exists(f"/proc/{pid}"))
        self.assertEqual(other.call("remove", ids=[task])[0]["removed"], True)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class User(unittest.TestCase):
    def test_serves_its_owner_alone(self):
        aiod = Instance(config="[control]\nsocket-mode = 0666\n", extra=["--user"])
        os.chmod(aiod.root, 0o711)
        with aiod:
            os.chmod(aiod.runtime, 0o711)
            other = Other(aiod)
            try:
                for method, params in (("hello", {}), ("status", {}), ("health", {}),
                                       ("submit", {"args": {"argv": ["true"]}})):
                    with self.assertRaises(RpcError) as caught:
                        other.call(method, **params)
                    self.assertEqual(caught.exception.word, "denied")
                    self.assertIn("uid 0 alone", caught.exception.message)
            finally:
                other.close()
            self.assertEqual(aiod.wait_for(aiod.submit("true"))["outcome"], "ok")
            self.assertFalse(aiod.call("hello")["system"])

    def test_socket_is_closed_to_others_by_default(self):
        with Instance() as aiod:
            self.assertEqual(os.stat(aiod.socket).st_mode & 0o777, 0o600)

    def test_socket_mode_lets_them_in(self):
        aiod = Instance(config="[control]\nsocket-mode = 0666\n")
        os.chmod(aiod.root, 0o711)
        with aiod:
            self.assertEqual(os.stat(aiod.socket).st_mode & 0o777, 0o666)
            self.assertEqual(os.stat(aiod.runtime).st_mode & 0o011, 0o011)


if __name__ == "__main__":
    unittest.main()

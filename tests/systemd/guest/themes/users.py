# SPDX-License-Identifier: MIT
"""Two users who share the system's loop and see nothing of each other's, and a third who may
not use it."""
import json

from lib import aiod, system
from lib.check import Theme, contains, equal, true
from lib.system import alive, run

check = Theme()
SECRET = "anas-secret-word"
gate = {}
task = {}


def refused(*argv, user="ben"):
    """aioctl as somebody else: exit 3, nothing of the task in what it prints."""
    done = aiod.aioctl(*argv, user=user, status=None)
    equal(done.status, 3, f"{user}: aioctl {' '.join(argv)}: exit status ({done.err.strip()})")
    told = done.out + done.err
    true(SECRET in argv or SECRET not in told, f"aioctl {' '.join(argv)} tells what it must not")
    contains(done.err, "no task", f"aioctl {' '.join(argv)}")


@check("ana and ben submit: each command runs as its user, in the user's directory")
def _():
    for user, uid in (("ana", 1001), ("ben", 1002)):
        out = aiod.aioctl("run", "sh", "-c", "id -u; pwd; echo $HOME; touch mine", user=user).out
        equal(out.split(), [str(uid), f"/home/{user}", f"/home/{user}"], f"of {user}")
    equal(aiod.aioctl("run", "stat", "-c%U", "/home/ben/mine").out, "ben\n", "owner of a file")


@check("a user of a command cannot write where another may")
def _():
    done = aiod.aioctl("run", "touch", "/home/ana/from-ben", user="ben", status=None)
    true(done.status not in (0, 125), f"ben wrote into ana's home: {done}")


@check("each sees their own tasks alone; root sees all")
def _():
    gate["ana"] = aiod.Gate("ana")
    task["live"] = gate["ana"].running("--name", SECRET)["id"]
    task["done"] = aiod.submit("sh", "-c", f"echo {SECRET}", user="ana")
    equal(aiod.result(task["done"]), "ok", "ana's task")
    task["ben"] = aiod.submit("true", user="ben")
    equal({row["uid"] for row in aiod.listed(user="ana")}, {1001}, "what ana sees")
    equal({row["uid"] for row in aiod.listed(user="ben")}, {1002}, "what ben sees")
    true({1001, 1002} <= {row["uid"] for row in aiod.listed(user="root")}, "root sees not all")
    true(SECRET not in aiod.aioctl("status", user="ben").out, "ben sees ana's task")


@check("counts and groups of one user tell nothing of another's")
def _():
    with_ben = json.dumps(aiod.health(user="ben"))
    true(SECRET not in with_ben, "health")
    text = aiod.aioctl("status", user="ben").out
    true("1 RUNNING" not in text, f"ben's counts have ana's command: {text}")


@check("status, logs, await, wait, result of somebody else's task: there is no such task")
def _():
    for which in ("live", "done"):
        for verb in ("status", "logs", "await", "wait", "result"):
            refused(verb, str(task[which]))


@check("nor by name, and a foreign name is free for one's own")
def _():
    refused("status", SECRET)
    own = aiod.submit("true", user="ben", given=("--name", SECRET))
    equal(aiod.result(own, user="ben"), "ok", "ben's task of the same name")


@check("cancel and rm of somebody else's task: there is no such task, and it stays")
def _():
    refused("cancel", str(task["live"]))
    refused("cancel", "--kill", str(task["live"]))
    refused("rm", str(task["done"]))
    equal(aiod.look(task["live"])["state"], "RUNNING", "ana's command")
    equal(aiod.look(task["done"])["state"], "DONE", "ana's finished task")


@check("retry of somebody else's task: there is no such task")
def _():
    refused("retry", str(task["done"]))
    equal([row["id"] for row in aiod.listed(user="ben") if row["id"] == task["done"]], [],
          "ben has ana's task")


@check("`all` and ranges are one's own")
def _():
    aiod.aioctl("cancel", "all", user="ben", status=None)
    aiod.aioctl("rm", f"1-{task['ben']}", user="ben", status=None)
    equal(aiod.look(task["live"])["state"], "RUNNING", "ana's command")
    aiod.look(task["done"])


@check("a command cannot touch another user's, nor the daemon, by kill or /proc")
def _():
    pid = aiod.look(task["live"])["pid"]
    for victim in (pid, system.main_pid("aiod.service"), system.main_pid("aiod-spawner.service")):
        done = aiod.aioctl("run", "kill", "-9", str(victim), user="ben", status=None)
        true(done.status not in (0, 125) and alive(victim), f"ben killed process {victim}")
        for name in ("mem", "environ"):
            done = run("cat", f"/proc/{victim}/{name}", user="ben")
            true(done.status != 0, f"ben reads /proc/{victim}/{name}")


@check("the output files and the database are out of reach")
def _():
    for path in ("/var/lib/aiod/tasks.db", f"/var/lib/aiod/output/000/{task['done']}.1.log",
                 "/var/lib/aiod-spawner", "/run/aiod-spawner/spawner.sock.lock"):
        done = run("cat", path, user="ben")
        contains(done.err, "Permission denied", f"ben: cat {path}")


@check("nobody but aiod may talk to the spawner")
def _():
    script = ("import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
              "s.connect('/run/aiod-spawner/spawner.sock')")
    done = run("python3", "-c", script, user="ben")
    true(done.status != 0 and "PermissionError" in done.err, f"ben connects to it: {done}")


@check("root sees and cancels the tasks of users")
def _():
    aiod.aioctl("cancel", str(task["live"]), user="root")
    equal(aiod.result(task["live"]), "cancelled", "ana's command")
    gate["ana"].close()


@check("who is not in the group gets told so, and what to do: exit 5")
def _():
    for status, argv in ((5, ("--system", "status")), (5, ("--system", "submit", "true")),
                         (5, ("--system", "cancel", "all")), (4, ("status",))):
        done = aiod.aioctl(*argv, user="carl", status=None)
        told = done.err.replace("\n", " ")
        for words in (aiod.SOCKET, "members of group aiod", "adduser carl aiod"):
            contains(told, words, f"carl: aioctl {' '.join(argv)}")
        equal((done.status, done.out), (status, ""), f"carl: aioctl {' '.join(argv)}")


@check("a user who joins the group is let in")
def _():
    run("usermod", "-a", "-G", "aiod", "carl", status=0)
    out = aiod.aioctl("run", "id", "-u", user="carl").out
    equal(out, "1003\n", "carl's command")
    run("gpasswd", "-d", "carl", "aiod", status=0)
    equal(aiod.aioctl("--system", "status", user="carl", status=None).status, 5,
          "exit status after leaving it")

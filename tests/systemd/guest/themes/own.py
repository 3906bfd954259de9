# SPDX-License-Identifier: MIT
"""A user's own loop as units of the user's manager: with linger it outlives sessions and
reboots; without, it ends with the last session, and the next login is told the truth."""
import os

from lib import aiod, lines, system
from lib.check import Theme, contains, equal, remember, remembered, true, until
from lib.system import Session, alive, run, state, systemctl

check = Theme()
ORDERLY = (1,)
UNITS = ("aiod.socket", "aiod.service", "aiod-spawner.service")
session = {}
gate = {}
ANA = "/run/user/1001/aiod/control.sock"
BEN = "/run/user/1002/aiod/control.sock"


def mine(user, *argv, **options):
    """aioctl with the user's own loop."""
    return aiod.aioctl("--user", *argv, user=user, **options)


def own(user):
    """Arguments by which the helpers talk to a user's own loop."""
    return {"user": user, "env": {"AIOD_SOCKET": f"/run/user/{system.uid(user)}/aiod/control.sock"}}


def sessions(user):
    out = run("loginctl", "--no-legend", "list-sessions", status=0).out
    return [line for line in out.splitlines() if line.split()[2] == user]


def fail_free(user):
    out = run("systemctl", "--user", "--failed", "--plain", "--no-legend", user=user).out
    equal(out, "", f"failed units of {user}")


@check("with linger a user's manager runs without a session, and the units start in it", boot=1)
def _():
    run("loginctl", "enable-linger", "ana", status=0)
    system.until_state("user@1001.service", "active/running")
    systemctl("enable", "--now", "aiod.socket", user="ana")
    equal(state("aiod.socket", "ana")[:6], "active", "aiod.socket")
    equal(oct(os.stat(ANA).st_mode & 0o777), "0o600", "mode of the socket")
    equal(mine("ana", "run", "id", "-un").out, "ana\n", "a first command")
    for unit in ("aiod.service", "aiod-spawner.service"):
        equal(state(unit, "ana"), "active/running", unit)


@check("aioctl takes one's own loop before the system's, which --system still reaches", boot=1)
def _():
    equal(aiod.health(user="ana")["socket"], ANA, "the loop of aioctl")
    told = aiod.aioctl("--system", "health", "-o", "json").out
    contains(told, aiod.SOCKET, "the loop of aioctl --system")
    equal(aiod.health(user="ben")["socket"], aiod.SOCKET, "the loop of ben, who has none")


@check("nobody else gets near it", boot=1)
def _():
    done = aiod.aioctl("--socket", ANA, "status", user="ben", status=None)
    true(done.status in (4, 5), f"ben: exit status {done.status}: {done.err}")


@check("its commands run as the user, below the user's manager", boot=1)
def _():
    text = mine("ana", "run", "cat", "/proc/self/cgroup").out
    line = [line for line in text.splitlines() if line.startswith("0::")][0]
    contains(line, "/user@1001.service/", "cgroup")
    contains(line, "aiod-spawner.service", "cgroup")
    text = mine("ana", "run", "cat", "/proc/self/limits").out
    wanted = run("systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect", "cat",
                 "/proc/self/limits", user="ana", status=0).out
    equal(text, wanted, "limits, beside those of another unit of the user's")
    names = mine("ana", "run", "ls", "/proc/self/fd").out.split()
    equal(names, ["0", "1", "2", "3"], "descriptors (3 is the directory that ls reads)")


@check("a restart, a reload and a kill -9: commands go on and their statuses arrive", boot=1)
def _():
    for how in ("restart", "kill", "reload"):
        one = aiod.Gate("ana")
        task = one.running(**own("ana"))
        old = system.main_pid("aiod.service", "ana")
        if how == "kill":
            os.kill(old, 9)
        else:
            systemctl(how, "aiod.service", user="ana")
        if how != "reload":
            system.until_restarted("aiod.service", old, "ana")
        true(alive(task["pid"]), f"the command ended at the {how}")
        one.open(41)
        equal(aiod.result(task["id"], **own("ana")), "exit 41", f"over a {how}")
    fail_free("ana")


@check("its journal makes sense, and is the user's to read", boot=1)
def _():
    cursor = system.cursor()
    systemctl("restart", "aiod.service", user="ana")
    until("aiod has its spawner",
          lambda: aiod.health(**own("ana"))["spawner"]["connected"])
    system.golden(system.journal(cursor, "aiod.service", "aiod"), lines.STOP + lines.START,
                  "a restart of ana's")


@check("tasks run and wait there when the machine is shut down", boot=1)
def _():
    one = aiod.Gate("ana")
    running = one.running(**own("ana"))
    later = aiod.submit("touch", "/var/tmp/later", given=("--in", "1s"), **own("ana"))
    hour = aiod.submit("true", given=("--in", "1h"), **own("ana"))
    remember(running=running["id"], later=later, hour=hour)


@check("after the boot it runs before ana logs in, and goes on with what waited", boot=2)
def _():
    system.until_state("user@1001.service", "active/running")
    told = remembered()
    until("the delayed command ran", lambda: os.path.exists("/var/tmp/later"))
    equal(aiod.result(told["later"], **own("ana")), "ok", "the delayed one")
    equal(aiod.result(told["running"], **own("ana")), "signal 15", "the one that ran")
    equal(aiod.look(told["hour"], **own("ana"))["state"], "PENDING", "the one for later")
    fail_free("ana")


@check("without a loop of one's own a submit starts it by systemd, and says so in a line", boot=2)
def _():
    session["carl"] = Session("carl")
    done = aiod.aioctl("submit", "sh", "-c", "echo hello; exit 3", user="carl",
                       env={"AIOD_NO_START": ""})
    equal(done.out, "1\n", "what submit prints")
    equal(len(done.err.splitlines()), 1, f"lines on stderr: {done.err!r}")
    for words in ("started your event loop", "systemd", "end when you log out", "enable-linger"):
        contains(done.err, words, "what submit says")
    equal(state("aiod.socket", "carl"), "active/running", "carl's aiod.socket")
    equal(aiod.result(1, user="carl"), "exit 3", "the task")
    again = aiod.aioctl("submit", "true", user="carl", env={"AIOD_NO_START": ""})
    equal(again.err, "", "what a second submit says")


@check("where its user lingers, no logout is spoken of; AIOD_NO_START forbids it all", boot=2)
def _():
    systemctl("stop", "aiod.socket", "aiod.service", user="carl")
    done = aiod.aioctl("--user", "submit", "true", user="carl", status=4)
    contains(done.err, "AIOD_NO_START", "what submit says")
    run("loginctl", "enable-linger", "carl", status=0)
    done = aiod.aioctl("--user", "submit", "true", user="carl", env={"AIOD_NO_START": ""})
    contains(done.err, "started your event loop", "what submit says")
    true("log out" not in done.err, f"it warns of a logout: {done.err}")
    run("loginctl", "disable-linger", "carl", status=0)


@check("it ends with the session, as submit warned; the next submit finds how", boot=2)
def _():
    one = aiod.Gate("carl")
    running = one.running(**own("carl"))
    session["carl"].end()
    true(not alive(running["pid"]), "the command still runs")
    session["carl"] = Session("carl")
    done = aiod.aioctl("--user", "status", user="carl", status=4)
    contains(done.err, "no running event loop", "status at the next login")
    aiod.aioctl("--user", "submit", "true", user="carl", env={"AIOD_NO_START": ""})
    equal(aiod.result(running["id"], **own("carl")), "signal 15", "the one that ran")
    session["carl"].end()


@check("a login session without linger: the units run in it", boot=2)
def _():
    session["ben"] = Session("ben")
    systemctl("enable", "--now", "aiod.socket", user="ben")
    equal(mine("ben", "run", "id", "-un").out, "ben\n", "a first command")
    gate["ben"] = aiod.Gate("ben")
    running = gate["ben"].running(**own("ben"))
    hour = aiod.submit("true", given=("--in", "1h"), **own("ben"))
    done = aiod.submit("sh", "-c", "echo kept; exit 6", **own("ben"))
    equal(aiod.result(done, **own("ben")), "exit 6", "one that ends")
    remember(ben={"running": running, "hour": hour, "done": done})


@check("a second session of the same user that ends takes nothing along", boot=2)
def _():
    second = Session("ben", "second")
    systemctl("stop", second.unit)
    until("the second session is over", lambda: len(sessions("ben")) == 1)
    running = remembered()["ben"]["running"]
    true(alive(running["pid"]), "the command ended")
    equal(state("user@1002.service"), "active/running", "ben's manager")


@check("the last session ends: units and commands end, nothing is left behind", boot=2)
def _():
    session["ben"].end()
    running = remembered()["ben"]["running"]
    true(not alive(running["pid"]), "the command still runs")
    pids = [pid for pid in system.processes_named("aiod", "aiod-spawner")
            if os.stat(f"/proc/{pid}").st_uid == 1002]
    equal(pids, [], "ben's aiod and spawner")
    true(not os.path.exists(BEN), "the socket is still there")


@check("the next login is told the truth: how it ended, and what waited still waits", boot=2)
def _():
    session["ben"] = Session("ben")
    told = remembered()["ben"]
    until("the socket is back", lambda: os.path.exists(BEN))
    equal(aiod.result(told["running"]["id"], **own("ben")), "signal 15", "the one that ran")
    equal(aiod.look(told["running"]["id"], **own("ben"))["outcome"], "failed", "its outcome")
    equal(aiod.result(told["done"], **own("ben")), "exit 6", "the one that had ended")
    equal(aiod.aioctl("logs", str(told["done"]), **own("ben")).out, "kept\n", "its output")
    equal(aiod.look(told["hour"], **own("ben"))["state"], "PENDING", "the one for later")
    fail_free("ben")
    session["ben"].end()

# SPDX-License-Identifier: MIT
"""The service from its first start to a stop: the socket, READY and STATUS, reload, the journal."""
import json
import os
import re
import socket

from lib import aiod, lines, system
from lib.check import Theme, contains, equal, true, until
from lib.system import show, state, systemctl

check = Theme()
was = {}
CONFIG = "/etc/aiod/aiod.conf"


def since(unit, source):
    """What a unit has logged since the last time that this was asked."""
    told = system.journal(was["cursor"], unit, source)
    was["cursor"] = system.cursor()
    return told


def slots(name):
    """The slots of a group, None where there is no such group."""
    out = aiod.aioctl("status", "-o", "json", user="root").out  # it has to answer at all
    true(json.loads(out) is not None, "aioctl status")
    with aiod.Rpc() as rpc:
        return {g["name"]: g["slots"] for g in rpc.call("groups")}.get(name)


@check("after a boot the loop runs, and its socket belongs to group aiod")
def _():
    for unit in ("aiod.socket", "aiod.service", "aiod-spawner.service"):
        wanted = "active/running"
        equal(state(unit), wanted, unit)
    found = os.stat(aiod.SOCKET)
    equal((oct(found.st_mode & 0o7777), found.st_gid), ("0o660", system.gid("aiod")),
          "mode and group of the socket")
    with open(CONFIG, encoding="utf-8") as f:
        was["config"] = f.read()
    equal(oct(os.stat("/var/lib/aiod").st_mode & 0o7777), "0o700", "mode of /var/lib/aiod")


@check("a stop ends the loop, and the socket goes on listening")
def _():
    systemctl("stop", "aiod.service", "aiod-spawner.service")
    equal(state("aiod.socket"), "active/listening", "aiod.socket")
    equal(state("aiod.service"), "inactive/dead", "aiod.service")
    equal(show("aiod.service", "Result")["Result"], "success", "Result of aiod.service")
    was["cursor"] = system.cursor()


@check("a first aioctl starts the service through the socket, and the spawner with it")
def _():
    contains(aiod.aioctl("health").out, "aiod", "aioctl health")
    equal(state("aiod.service"), "active/running", "aiod.service")
    equal(state("aiod-spawner.service"), "active/running", "aiod-spawner.service")
    was["pid"] = system.main_pid("aiod.service")


@check("many clients at once start it once")
def _():
    systemctl("stop", "aiod.service")
    starts = int(system.run("sh", "-c", "journalctl -b -u aiod -o cat | grep -c ^Started").out)
    clients = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.connect(aiod.SOCKET)
        clients.append(client)
    aiod.aioctl("health")
    for client in clients:
        client.close()
    system.run("journalctl", "--sync")
    after = int(system.run("sh", "-c", "journalctl -b -u aiod -o cat | grep -c ^Started").out)
    equal(after - starts, 1, "starts")


@check("systemd saw READY=1: the unit is of type notify and was started once")
def _():
    found = show("aiod.service", "Type", "NotifyAccess", "NRestarts", "SubState")
    equal(found, {"Type": "notify", "NotifyAccess": "main", "NRestarts": "0",
                  "SubState": "running"}, "aiod.service")
    true(show("aiod.service", "WatchdogUSec")["WatchdogUSec"] not in ("0", "infinity"),
         "aiod.service has no watchdog")


@check("the journal of a start is as it should be")
def _():
    systemctl("stop", "aiod.service", "aiod-spawner.service")
    was["cursor"] = system.cursor()
    aiod.aioctl("health")
    until("aiod has its spawner", lambda: aiod.health()["spawner"]["connected"])
    system.golden(since("aiod.service", "aiod"), lines.START, "a start")


@check("STATUS= tells the counts: systemctl status shows what runs and what waits")
def _():
    gate = aiod.Gate()
    gate.running()
    sleeper = aiod.submit("--in", "1h", "true", status=0)
    def text():
        return show("aiod.service", "StatusText")["StatusText"]
    until("STATUS shows 1 RUNNING, 1 PENDING",
          lambda: "1 PENDING, 1 RUNNING, 0 SUSPENDED" in text(), detail=text)
    aiod.aioctl("cancel", str(sleeper))
    gate.open()
    until("STATUS shows nothing live",
          lambda: "0 PENDING, 0 RUNNING, 0 SUSPENDED" in text(), detail=text)
    contains(systemctl("status", "aiod.service").out, text(), "systemctl status aiod")


@check("a task's name never becomes part of what systemd is told")
def _():
    aiod.aioctl("run", "echo", "\nSTATUS=owned\nREADY=1")
    aiod.aioctl("submit", "--name", "evil\nSTATUS=owned", "true", status=2)
    true("owned" not in show("aiod.service", "StatusText")["StatusText"], "STATUS was forged")


@check("systemctl reload applies the slots of a group, when it returns")
def _():
    systemctl("reload", "aiod.service")
    since("aiod.service", "aiod")
    system.write(CONFIG, "[group night]\nslots = 3\n")
    systemctl("reload", "aiod.service")
    equal(slots("night"), 3, "slots of night")
    system.write(CONFIG, "[group night]\nslots = 1\n")
    systemctl("reload", "aiod.service")
    equal(slots("night"), 1, "slots of night")
    equal(system.main_pid("aiod.service"), aiod.health()["pid"], "the process")


@check("the journal of a reload is as it should be")
def _():
    system.golden(since("aiod.service", "aiod"), [lines.READ_AGAIN] * 2, "two reloads")


@check("changed slots take effect: with one slot the second command waits for the first")
def _():
    gates = [aiod.Gate(), aiod.Gate()]
    first = gates[0].running("--group", "night")
    second = gates[1].submit("--group", "night")
    equal(aiod.look(second)["awaits"]["kind"], "slot", "what the second awaits")
    system.write(CONFIG, "[group night]\nslots = 2\n")
    systemctl("reload", "aiod.service")
    aiod.until_state(second, "RUNNING")
    for gate, task in zip(gates, (first["id"], second)):
        gate.open()
        equal(aiod.result(task), "ok", f"task {task}")
    since("aiod.service", "aiod")


@check("a broken configuration fails the reload, keeps the old one and is named in the journal, as an error")
def _():
    pid = system.main_pid("aiod.service")
    system.write(CONFIG, "[group night]\nslots = many\n")
    systemctl("reload", "aiod.service", status=1)
    equal(slots("night"), 2, "slots of night")
    equal((state("aiod.service"), system.main_pid("aiod.service")), ("active/running", pid),
          "aiod.service")
    system.golden(since("aiod.service", "aiod"), [lines.BROKEN], "a reload of a broken file")


@check("with a broken configuration it does not start; once mended it does by itself")
def _():
    systemctl("restart", "aiod.service", status=1)
    until("it is tried again", lambda: show("aiod.service", "NRestarts")["NRestarts"] != "0")
    system.write(CONFIG, was["config"])
    aiod.aioctl("health")
    wanted = lines.STOP + [lines.BROKEN]
    system.golden(since("aiod.service", "aiod")[:len(wanted)], wanted, "a start that failed")
    until("aiod has its spawner", lambda: aiod.health()["spawner"]["connected"])
    since("aiod.service", "aiod")


@check("the journal of a restart is as it should be")
def _():
    systemctl("restart", "aiod.service")
    until("aiod has its spawner", lambda: aiod.health()["spawner"]["connected"])
    system.golden(since("aiod.service", "aiod"), lines.STOP + lines.START, "a restart")


@check("the journal of a stop is as it should be, and the spawner has nothing to say")
def _():
    systemctl("stop", "aiod.service", "aiod-spawner.service")
    system.golden(since("aiod.service", "aiod"), lines.STOP, "a stop")


@check("no line of the journal has control characters, and none stands there twice in a row")
def _():
    aiod.aioctl("health")
    with aiod.Rpc() as rpc:
        rpc.call("hello", client="evil\n<0>fake\x1b[31m red", errors="map")
        rpc.call("hello", client="\x07bell", errors="map")
    for unit in ("aiod.service", "aiod-spawner.service"):
        told = system.journal(None, unit)
        odd = [line for line in told if not isinstance(line.text, str) or
               any(ord(c) < 32 or ord(c) == 127 for c in line.text)]
        equal(odd, [], f"lines of {unit} with control characters")
        twice = [a for a, b in zip(told, told[1:]) if a == b and a.source != "systemd" and
                 not re.fullmatch(lines.READ_AGAIN[1], a.text)]
        equal(twice, [], f"lines of {unit} that stand there twice")


@check("systemctl stop of socket and service leaves neither process nor socket that answers")
def _():
    systemctl("stop", "aiod.socket", "aiod.service", "aiod-spawner.service")
    equal(system.processes_named("aiod", "aiod-spawner"), [], "processes")
    done = aiod.aioctl("status", status=None)
    equal(done.status, 4, "aioctl status")
    contains(done.err, "no running event loop", "aioctl status")

# SPDX-License-Identifier: MIT
"""The machine is shut down with tasks running and queued, then loses its power: what became of
each is stated, and what was queued goes on by itself."""
import os
import re
import time

from lib import aiod, system
from lib.check import Theme, equal, remember, remembered, true, until
from lib.system import state

check = Theme()
ORDERLY = (1,)
CONFIG = "[group one]\nslots = 1\n[group many]\nslots = 20\n"


def short_grace():
    """The spawner kills 300 ms after SIGTERM, not ten seconds."""
    command = system.show("aiod-spawner.service", "ExecStart")["ExecStart"]
    argv = re.search(r"argv\[\]=(.*?) ;", command).group(1)
    system.drop_in("aiod-spawner.service",
                   f"[Service]\nExecStart=\nExecStart={argv} --grace 300\n")


def at(seconds):
    """A time so many seconds from now, as --at takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds + 1))


def ran(name):
    return os.path.exists(f"/var/tmp/{name}")


def mark(name):
    """A command that leaves a mark that it ran."""
    return ("sh", "-c", f"echo ran >> /var/tmp/{name}")


def queue(prefix):
    """A queue of group one behind what runs there."""
    return [aiod.submit(*mark(f"{prefix}{n}"), given=("--group", "one")) for n in range(12)]


@check("commands run, others wait: for a slot, their time, a timer", boot=1)
def _():
    system.write("/etc/aiod/aiod.conf", CONFIG)
    short_grace()
    system.systemctl("restart", "aiod-spawner.service", "aiod.service")
    gate = aiod.Gate()
    tasks = {
        "plain": gate.running("--group", "one")["id"],
        "trap": aiod.submit("sh", "-c", "trap 'exit 7' TERM; echo set; read x <> " + gate.path,
                            given=("--group", "many")),
        "deaf": aiod.submit("sh", "-c", "trap '' TERM; echo set; while :; do read x <> " +
                            gate.path + "; done", given=("--group", "many")),
        "later": aiod.submit(*mark("later"), given=("--in", "1h")),
        "due": aiod.submit(*mark("due"), given=("--at", at(3600))),
        "sleep": int(aiod.aioctl("submit", "--call", "sleep", "2h").out),
        "done": aiod.submit("sh", "-c", "echo kept; exit 5"),
    }
    for name in ("trap", "deaf"):
        until(f"{name} has set its trap", lambda name=name: "set" in aiod.aioctl(
            "logs", str(tasks[name])).out)
    equal(aiod.result(tasks["done"]), "exit 5", "the one that ends before")
    remember(first=tasks, queued=queue("first"), seen=aiod.look(tasks["later"]),
             sleeper=aiod.look(tasks["sleep"]))
    equal(aiod.look(tasks["later"])["state"], "PENDING", "the one for later")


@check("after the boot the loop runs before anybody asks", boot=2)
def _():
    for unit in ("aiod.socket", "aiod.service", "aiod-spawner.service"):
        equal(state(unit), "active/running", unit)


@check("what was queued goes on by itself, each once, in its order", boot=2)
def _():
    until("the last of the queue ran", lambda: ran("first11"))
    tasks = [aiod.ended(task) for task in remembered()["queued"]]
    equal([task["outcome"] for task in tasks], ["ok"] * 12, "outcomes")
    equal(sorted(task["started"] for task in tasks), [task["started"] for task in tasks],
          "the order of the starts")
    for n in range(12):
        with open(f"/var/tmp/first{n}", encoding="utf-8") as f:
            equal(f.read(), "ran\n", f"first{n}")


@check("an orderly stop keeps how the running ones ended: TERM, their own status, KILL", boot=2)
def _():
    first = remembered()["first"]
    equal({name: aiod.result(first[name]) for name in ("plain", "trap", "deaf")},
          {"plain": "signal 15", "trap": "exit 7", "deaf": "signal 9"}, "results")
    for name in ("plain", "trap", "deaf"):
        task = aiod.look(first[name])
        equal((task["outcome"], task["attempt"]), ("failed", 1), name)


@check("what was over stays as it was, with its output", boot=2)
def _():
    done = remembered()["first"]["done"]
    equal(aiod.result(done), "exit 5", "the one that ended before")
    equal(aiod.aioctl("logs", str(done)).out, "kept\n", "its output")


@check("timers go on: the time of a delayed task and the end of a sleep are the same", boot=2)
def _():
    first, told = remembered()["first"], remembered()
    for name, old in (("later", told["seen"]), ("sleep", told["sleeper"])):
        task = aiod.look(first[name])
        equal(task["state"], old["state"], f"state of {name}")
        equal(round_time(task["awaits"]["until"]), round_time(old["awaits"]["until"]),
              f"when {name} is due")
    true(not ran("later") and not ran("due"), "a delayed task ran before its time")


def round_time(text):
    """Seconds since 1970, to within what the boot clock and the wall clock may differ by."""
    whole = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return round(time.mktime(whole) / 10)


@check("commands run and others wait when the power goes", boot=2)
def _():
    gate = aiod.Gate()
    tasks = {"plain": gate.running("--group", "one")["id"],
             "other": gate.running("--group", "many")["id"],
             "due": aiod.submit(*mark("soon"), given=("--at", at(0)))}
    remember(second=tasks, queued=queue("second"), last=tasks["due"] + 12)


@check("after the power cut the running ones are LostError: nobody knows", boot=3)
def _():
    second = remembered()["second"]
    for name in ("plain", "other"):
        equal(aiod.result(second[name]), "LostError", name)
        message = aiod.look(second[name])["error"]["message"]
        true(len(message) > 10, f"what it says: {message}")


@check("what was queued goes on, except what may have been started", boot=3)
def _():
    results = [aiod.result(task) for task in remembered()["queued"]]
    lost = results.count("LostError")
    equal(results, ["LostError"] * lost + ["ok"] * (12 - lost), "the queue")
    # slots + 8 at most have their attempt recorded ahead
    true(lost <= 8, f"{lost} of those that never ran are lost")
    for n, result in enumerate(results):
        equal(ran(f"second{n}"), result == "ok", f"second{n} ran")


@check("a task that came due while the machine was off runs at once", boot=3)
def _():
    equal(aiod.result(remembered()["second"]["due"]), "ok", "the one that was due")
    true(ran("soon"), "it left no mark")


@check("ids go on where they were", boot=3)
def _():
    task = aiod.submit("true")
    equal(task, remembered()["last"] + 1, "the next id")


@check("nothing failed on the way up", boot=3)
def _():
    equal(system.run("systemctl", "--failed", "--plain", "--no-legend").out, "", "failed units")
    for unit in ("aiod.service", "aiod-spawner.service"):
        errors = [line for line in system.journal(None, unit) if line.priority <= 3]
        equal(errors, [], f"errors of {unit}")

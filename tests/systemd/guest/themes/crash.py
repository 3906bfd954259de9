# SPDX-License-Identifier: MIT
"""The daemon is restarted, killed or hangs, the spawner is killed: what becomes of commands."""
import os
import signal

from lib import aiod, lines, system
from lib.check import Theme, equal, true, until
from lib.system import alive, show, systemctl

check = Theme()
was = {}


def until_connected():
    """Waits until aiod has the spawner that runs now."""
    pid = system.main_pid("aiod-spawner.service")

    def look():
        spawner = aiod.health()["spawner"]
        return spawner["connected"] and spawner["pid"] == pid
    until("aiod has its spawner", look)


def settled(old):
    """The pid of an aiod that runs since after `old`, with its spawner."""
    pid = system.until_restarted("aiod.service", old)
    until_connected()
    return pid


def golden(told, wanted, what):
    """The journal of aiod, in which it may say once that it waits for the spawner."""
    waits = [line for line in told if line.text.startswith(lines.WAITING)]
    true(len(waits) <= 1, f"it says that it waits once: {[line.text for line in told]}")
    system.golden([line for line in told if line not in waits], wanted, what)


class Survivors:
    """Commands that are there before something happens to aiod: one ends before it, one while
    aiod is away, one after it; and one waits for a slot."""

    def __init__(self, group):
        self.away, self.after, self.queued = (aiod.Gate() for _ in range(3))
        self.tasks = {name: getattr(self, name).running("--group", group)
                      for name in ("away", "after")}
        self.waits = self.queued.submit("--group", group)
        self.pids = {name: task["pid"] for name, task in self.tasks.items()}
        self.ticks = {name: system.start_ticks(pid) for name, pid in self.pids.items()}

    def while_away(self):
        """To call while there is no aiod."""
        self.away.open(11)
        until("the command has exited", lambda: not alive(self.pids["away"]))

    def verify(self):
        """After it: the same process runs, each exit status arrives, the queue goes on."""
        equal(aiod.result(self.tasks["away"]["id"]), "exit 11", "the one that ended meanwhile")
        task = aiod.look(self.tasks["after"]["id"])
        equal((task["state"], task["pid"]), ("RUNNING", self.pids["after"]), "the running one")
        equal(system.start_ticks(task["pid"]), self.ticks["after"], "its start")
        aiod.until_state(self.waits, "RUNNING")
        self.after.open(12)
        self.queued.open(13)
        equal(aiod.result(task["id"]), "exit 12", "the one that ran on")
        equal(aiod.result(self.waits), "exit 13", "the one that was queued")
        equal(aiod.look(task["id"])["attempt"], 1, "its attempts")


@check("there is a group with two slots")
def _():
    system.write("/etc/aiod/aiod.conf", "[group pair]\nslots = 2\n")
    systemctl("restart", "aiod.service")
    was["spawner"] = system.main_pid("aiod-spawner.service")


@check("commands survive systemctl restart, and their exit statuses are reported afterwards")
def _():
    old = system.main_pid("aiod.service")
    commands = Survivors("pair")
    systemctl("stop", "aiod.service")
    commands.while_away()
    systemctl("restart", "aiod.service")
    settled(old)
    commands.verify()


@check("clients that wait outlive a restart and a kill -9: they say so and go on")
def _():
    system.drop_in("aiod.service", "[Service]\nRestartSec=100ms\n")
    for how in ("restart", "kill"):
        gate = aiod.Gate()
        task = gate.running()["id"]
        clients = {argv[0]: system.start("aioctl", *argv, user="ana") for argv in
                   (("wait", str(task)), ("await", str(task)), ("logs", "-f", str(task)))}
        until("they are connected", lambda: aiod.health()["connections"] >= 3 + 1)
        old = system.main_pid("aiod.service")
        if how == "kill":
            os.kill(old, signal.SIGKILL)
        else:
            systemctl("restart", "aiod.service")
        settled(old)
        gate.open(7)
        equal(aiod.result(task), "exit 7", f"task {task}")
        for verb, client in clients.items():
            out, err = client.communicate(timeout=60)
            true("went away" in err and "is back" in err, f"aioctl {verb} over a {how}: {err!r}")
            equal(client.returncode, 0 if verb == "logs" else 1,
                  f"exit status of aioctl {verb} over a {how} ({out}{err})")


@check("a kill -9 of aiod: systemd starts it again and nothing is lost")
def _():
    system.drop_in("aiod.service", "[Service]\nRestartSec=500ms\n")
    was["cursor"] = system.cursor()
    old = system.main_pid("aiod.service")
    commands = Survivors("pair")
    restarts = int(show("aiod.service", "NRestarts")["NRestarts"])
    os.kill(old, signal.SIGKILL)
    until("aiod is gone", lambda: not alive(old))
    commands.while_away()
    settled(old)
    equal(int(show("aiod.service", "NRestarts")["NRestarts"]), restarts + 1, "NRestarts")
    commands.verify()


@check("the journal of a crash names the signal, and what starts again says what it found")
def _():
    journal = system.journal(was["cursor"], "aiod.service")
    told = [line for line in journal if line.source == "systemd"]
    true(any("status=9/KILL" in line.text and line.priority <= 5 for line in told),
         f"systemd says how it ended: {[line.text for line in told]}")
    system.golden([line for line in journal if line.source == "aiod"], lines.START, "a crash")


@check("an aiod that hangs (SIGSTOP) is ended by the watchdog, commands go on")
def _():
    system.drop_in("aiod.service", "[Service]\nWatchdogSec=1\nRestartSec=100ms\n")
    old = system.main_pid("aiod.service")
    systemctl("restart", "aiod.service")
    old = settled(old)
    commands = Survivors("pair")
    was["cursor"] = system.cursor()
    os.kill(old, signal.SIGSTOP)
    commands.while_away()
    settled(old)
    commands.verify()
    told = [line.text for line in system.journal(was["cursor"], "aiod.service", "systemd")]
    true(any("Watchdog timeout" in line for line in told), f"systemd names the watchdog: {told}")
    system.drop_in("aiod.service", "[Service]\nRestartSec=100ms\n")
    systemctl("restart", "aiod.service")


@check("what an administrator does meanwhile ends no command")
def _():
    gate = aiod.Gate()
    task = gate.running()
    for argv in (("systemctl", "daemon-reload"), ("systemctl", "daemon-reexec"),
                 ("systemctl", "restart", "aiod.socket"),
                 ("systemd-tmpfiles", "--create", "--remove", "--clean"),
                 ("systemctl", "restart", "systemd-journald.service", "dbus.service")):
        system.run(*argv, status=0)
        until(f"aioctl works after {' '.join(argv)}",
              lambda: aiod.aioctl("health", status=None).status == 0)
        true(alive(task["pid"]), f"the command ended at {' '.join(argv)}")
    gate.open(25)
    equal(aiod.result(task["id"]), "exit 25", f"task {task['id']}")


@check("none of this touched the spawner")
def _():
    found = show("aiod-spawner.service", "MainPID", "NRestarts")
    equal(found, {"MainPID": str(was["spawner"]), "NRestarts": "0"}, "aiod-spawner.service")


@check("a kill -9 of the spawner: its commands end with its cgroup, as LostError; new ones work")
def _():
    system.drop_in("aiod-spawner.service", "[Service]\nRestartSec=100ms\n")
    gates = [aiod.Gate() for _ in range(3)]
    running = [gate.running("--group", "pair") for gate in gates[:2]]
    waiting = gates[2].submit("--group", "pair")
    until_connected()
    was["cursor"] = system.cursor()
    aiod_pid = system.main_pid("aiod.service")
    os.kill(was["spawner"], signal.SIGKILL)
    new = system.until_restarted("aiod-spawner.service", was["spawner"])
    for task in running:
        equal(aiod.result(task["id"]), "LostError", f"task {task['id']}")
        true(not alive(task["pid"]), f"process {task['pid']} is still there")
    equal(system.main_pid("aiod.service"), aiod_pid, "aiod itself")
    fresh = aiod.Gate()
    task = fresh.submit("--group", "pair")
    fresh.open(21)
    equal(aiod.result(task), "exit 21", "a new one")
    gates[2].open(22)
    was["waited"] = (waiting, aiod.result(waiting))
    equal(aiod.health()["spawner"]["pid"], new, "the spawner that aiod has")


@check("a command that only waited for a slot when the spawner died runs afterwards")
def _():
    task, found = was["waited"]
    equal(found, "exit 22", f"task {task}")


@check("the journal of the spawner's crash is as it should be")
def _():
    golden(system.journal(was["cursor"], "aiod.service", "aiod"),
           [lines.LOST, lines.SPAWNER], "the spawner's crash")


@check("systemctl restart of the spawner: its commands end, and how they ended is known")
def _():
    gate = aiod.Gate()
    task = gate.running()
    old = system.main_pid("aiod-spawner.service")
    systemctl("restart", "aiod-spawner.service")
    system.until_restarted("aiod-spawner.service", old)
    equal(aiod.result(task["id"]), "signal 15", f"task {task['id']}")
    equal(aiod.look(task["id"])["outcome"], "failed", "its outcome: nobody cancelled it")


@check("without a spawner aiod waits and says so, once; what is submitted waits too")
def _():
    until_connected()
    was["cursor"] = system.cursor()
    systemctl("stop", "aiod-spawner.service")
    until("aiod knows it", lambda: not aiod.health()["spawner"]["connected"])
    gate = aiod.Gate()
    task = gate.submit()
    awaits = until("it waits for the spawner",
                   lambda: aiod.look(task).get("awaits", {}).get("kind") == "spawner",
                   detail=lambda: str(aiod.look(task)))
    true(awaits, "it waits")
    aiod.aioctl("submit", "--in", "1h", "--name", "hour", "true")
    equal(system.state("aiod.service"), "active/running", "aiod.service")
    systemctl("start", "aiod-spawner.service")
    gate.open(24)
    equal(aiod.result(task), "exit 24", f"task {task}")
    aiod.aioctl("cancel", "hour")
    golden(system.journal(was["cursor"], "aiod.service", "aiod"),
           [lines.LOST, lines.SPAWNER], "a time without spawner")


@check("aiod is stopped, then the spawner: the exits file keeps the statuses")
def _():
    gate = aiod.Gate()
    task = gate.running()
    systemctl("stop", "aiod.service")
    gate.open(23)
    until("the command has exited", lambda: not alive(task["pid"]))
    systemctl("stop", "aiod-spawner.service")
    true(os.path.exists("/var/lib/aiod-spawner/exits"), "there is an exits file")
    systemctl("start", "aiod.service")
    equal(aiod.result(task["id"]), "exit 23", f"task {task['id']}")
    until("the exits file is gone once it is recorded",
          lambda: not os.path.exists("/var/lib/aiod-spawner/exits"))


@check("units are whole again: nothing failed, no restart loop")
def _():
    equal(system.run("systemctl", "--failed", "--plain", "--no-legend").out, "", "failed units")

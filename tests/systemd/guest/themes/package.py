# SPDX-License-Identifier: MIT
"""The Debian package where systemd runs: installed, upgraded under running commands, removed,
purged. Its machine begins without it."""
import os
import subprocess

from lib import aiod, system
from lib.check import Theme, contains, equal, true, until
from lib.system import alive, run, state, systemctl

check = Theme()
was = {}
UNITS = ("aiod.socket", "aiod.service", "aiod-spawner.service")
APT = {"DEBIAN_FRONTEND": "noninteractive"}
# what dpkg, apt, systemd and the checks themselves write whatever is installed
NOT_OURS = ("/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp", "/result", "/guest", "/deb",
            "/gates", "/var/log", "/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/home",
            "/var/lib/systemd/linger")


def apt(*argv):
    return run("apt-get", "-y", "-o", "APT::Sandbox::User=root", *argv, env=APT, status=0).out


def snapshot():
    """Every file there is, and who the users are."""
    found = set()
    for top, names, files in os.walk("/"):
        names[:] = [n for n in names if os.path.join(top, n) not in NOT_OURS]
        found.update(os.path.join(top, n) for n in names + files)
    return found


def in_run():
    """What is below /run and could be ours; a user's empty directory, in memory, may stay."""
    out = run("find", "/run", "-name", "*aiod*", "-not", "-name", "*aiod-test*", "-not", "(",
              "-path", "/run/user/*", "-empty", ")").out
    return sorted(out.split())


def rebuilt(version):
    """The same package with another version; its path."""
    where = "/var/tmp/rebuilt"
    subprocess.run(["rm", "-rf", where], check=True)
    run("dpkg-deb", "-R", "/deb/aiod.deb", where, status=0)
    with open(f"{where}/DEBIAN/control", encoding="utf-8") as f:
        lines = f.read().splitlines()
    lines = [f"Version: {version}" if line.startswith("Version:") else line for line in lines]
    with open(f"{where}/DEBIAN/control", "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    run("dpkg-deb", "-b", where, f"/var/tmp/aiod-{version}.deb", status=0)
    return f"/var/tmp/aiod-{version}.deb"


class Upgrade:
    """Commands that run while a package is installed over the one they were started by."""

    def __init__(self):
        self.gates = [aiod.Gate(), aiod.Gate()]
        self.tasks = [gate.running() for gate in self.gates]
        self.aiod = system.main_pid("aiod.service")
        self.spawner = system.main_pid("aiod-spawner.service")

    def verify(self):
        """The loop is the new one, the commands and their parent are as they were."""
        system.until_restarted("aiod.service", self.aiod)
        equal(system.main_pid("aiod-spawner.service"), self.spawner, "the spawner's pid")
        for gate, task, status in zip(self.gates, self.tasks, (31, 32)):
            true(alive(task["pid"]), f"the command of task {task['id']} is gone")
            equal(aiod.look(task["id"])["pid"], task["pid"], "its pid")
            gate.open(status)
            equal(aiod.result(task["id"]), f"exit {status}", f"task {task['id']}")
        equal(aiod.result(aiod.submit("true")), "ok", "a new one")


@check("apt installs it, offline, with nothing but what it depends on")
def _():
    was["files"] = snapshot()
    out = apt("install", "--no-install-recommends", "/deb/aiod.deb")
    contains(out, "Setting up aiod", "apt-get")
    contains(out, "0 upgraded, 1 newly installed, 0 to remove", "apt-get")
    was["version"] = run("dpkg-query", "-W", "-f${Version}", "aiod", status=0).out


@check("the units are enabled and run")
def _():
    for unit in UNITS:
        equal(systemctl("is-enabled", unit).out.strip(), "enabled", f"is-enabled {unit}")
        equal(state(unit), "active/running", unit)


@check("every file of it is as packed, and no other")
def _():
    equal(run("dpkg", "-V", "aiod").out, "", "dpkg -V")
    listed = {os.path.realpath(path) for path in run("dpkg", "-L", "aiod").out.split("\n")}
    new = snapshot() - was["files"]
    wanted = {path for path in new if not path.startswith(
        ("/var/lib/aiod", "/etc/systemd/system/", "/var/lib/systemd/deb-systemd-helper"))}
    # sysusers and useradd keep a copy of what they changed
    backups = {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow")}
    equal(sorted(wanted - listed - backups - {"/etc/.pwd.lock"}), [], "files that are not its own")


@check("there is a user and a group aiod, whose shell is no shell")
def _():
    entry = run("getent", "passwd", "aiod", status=0).out.strip().split(":")
    true(0 < int(entry[2]) < 1000, f"uid of aiod: {entry}")
    contains(entry[6], "nologin", "shell of aiod")
    run("usermod", "-a", "-G", "aiod", "ana", status=0)
    equal(aiod.aioctl("run", "id", "-un").out, "ana\n", "a first command")


@check("the manual pages and the completion are there")
def _():
    listed = run("dpkg", "-L", "aiod", status=0).out
    for path in ("/man1/aioctl.1.gz", "/man8/aiod.8.gz", "/man8/aiod-spawner.8.gz",
                 "bash-completion/completions/aioctl", "/etc/aiod/aiod.conf"):
        true(path in listed, f"the package has no {path}")


@check("the same version again: aiod is restarted, running commands are not touched")
def _():
    upgrade = Upgrade()
    apt("install", "--reinstall", "--no-install-recommends", "/deb/aiod.deb")
    upgrade.verify()


@check("a newer version: likewise, and a changed configuration is kept")
def _():
    with open("/etc/aiod/aiod.conf", "a", encoding="utf-8") as f:
        f.write("[group mine]\nslots = 7\n")
    upgrade = Upgrade()
    deb = rebuilt("9.0-1")
    apt("install", "--no-install-recommends", deb)
    equal(run("dpkg-query", "-W", "-f${Version}", "aiod").out, "9.0-1", "version")
    upgrade.verify()
    with aiod.Rpc() as rpc:
        equal({g["name"]: g["slots"] for g in rpc.call("groups")}.get("mine"), 7, "its group")


@check("loops of users are restarted by an upgrade, their commands are not touched")
def _():
    run("loginctl", "enable-linger", "ana", status=0)
    until("ana's manager runs", lambda: state("user@1001.service") == "active/running")
    systemctl("start", "aiod.socket", "aiod.service", user="ana")
    gate = aiod.Gate()
    own = {"env": {"AIOD_SOCKET": "/run/user/1001/aiod/control.sock"}}
    task = gate.running(**own)
    pids = [system.main_pid(unit, "ana") for unit in ("aiod.service", "aiod-spawner.service")]
    apt("install", "--reinstall", "--no-install-recommends", rebuilt("9.0-1"))
    system.until_restarted("aiod.service", pids[0], "ana")
    equal(system.main_pid("aiod-spawner.service", "ana"), pids[1], "the spawner's pid")
    gate.open(33)
    equal(aiod.result(task["id"], **own), "exit 33", "the command")
    systemctl("stop", "aiod.socket", "aiod.service", "aiod-spawner.service", user="ana")


@check("back to the older version: likewise")
def _():
    upgrade = Upgrade()
    apt("install", "--allow-downgrades", "--no-install-recommends", "/deb/aiod.deb")
    equal(run("dpkg-query", "-W", "-f${Version}", "aiod").out, was["version"], "version")
    upgrade.verify()


@check("an upgrade leaves a stopped and disabled service stopped and disabled")
def _():
    systemctl("disable", "--now", *UNITS)
    apt("install", "--reinstall", "--no-install-recommends", "/deb/aiod.deb")
    for unit in UNITS:
        equal(systemctl("is-enabled", unit, status=None).out.strip(), "disabled", unit)
        equal(state(unit), "inactive/dead", unit)
    systemctl("enable", "--now", *UNITS)
    aiod.aioctl("health")


@check("remove stops everything, and keeps tasks and configuration")
def _():
    gate = aiod.Gate()
    was["task"] = gate.running()
    apt("remove", "aiod")
    true(not alive(was["task"]["pid"]), "a command still runs")
    equal(system.processes_named("aiod", "aiod-spawner", "aioctl"), [], "processes")
    for unit in UNITS:
        equal(system.show(unit, "LoadState", "ActiveState"),
              {"LoadState": "not-found", "ActiveState": "inactive"}, unit)
    for path in ("/var/lib/aiod/tasks.db", "/etc/aiod/aiod.conf"):
        true(os.path.exists(path), f"{path} is gone")
    true(not os.path.exists("/usr/bin/aioctl"), "aioctl is still there")


@check("installed again it has its tasks, and knows how the last one ended")
def _():
    apt("install", "--no-install-recommends", "/deb/aiod.deb")
    equal(aiod.result(was["task"]["id"]), "signal 15", "the command that the removal ended")


@check("purge leaves no file, no unit, no process; users' own instances end with it")
def _():
    systemctl("start", "aiod.socket", "aiod.service", user="ana")
    equal(aiod.aioctl("--user", "run", "id", "-un").out, "ana\n", "a command of ana's instance")
    apt("purge", "aiod")
    equal(sorted(snapshot() - was["files"] - {f"/etc/{name}-" for name in
          ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")} - {"/etc/.pwd.lock"}),
          [], "files that are left")
    equal(in_run(), [], "files in /run")
    equal(system.processes_named("aiod", "aiod-spawner", "aioctl"), [], "processes")
    left = systemctl("list-units", "--all", "--plain", "--no-legend", "aiod*").out
    equal([line for line in left.splitlines() if "aiod-test" not in line], [], "units")
    equal(run("dpkg-query", "-W", "-f${Status}", "aiod").status, 1, "dpkg knows it")


@check("installed once more it begins anew")
def _():
    apt("install", "--no-install-recommends", "/deb/aiod.deb")
    equal(aiod.submit("true"), 1, "the first id")
    equal(aiod.result(1), "ok", "its result")
    for unit in UNITS:
        equal(state(unit), "active/running", unit)

# SPDX-License-Identifier: MIT
"""The spawner without its sandbox, by the drop-in among the documentation: commands, root's and
sudo's too, may do what they may in a login."""
import os
import shutil

from lib import aiod, system
from lib.check import Theme, equal
from lib.system import run, systemctl

check = Theme()
EXAMPLE = "/usr/share/doc/aiod/examples/aiod-spawner-unrestricted.conf"
DROP_IN = "/etc/systemd/system/aiod-spawner.service.d/unrestricted.conf"


def command(*argv, user="ana"):
    """What a command prints."""
    return aiod.aioctl("run", *argv, user=user).out


def login(*argv, user="ana"):
    """What the same command prints in a login."""
    return run("systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"-pUser={user}",
               "-pPAMName=login", "-pIgnoreSIGPIPE=no", "--", *argv, status=0).out


@check("the spawner starts with it")
def _():
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    shutil.copy(EXAMPLE, DROP_IN)
    systemctl("daemon-reload")
    systemctl("restart", "aiod-spawner.service", "aiod.service")
    equal(system.state("aiod-spawner.service"), "active/running", "aiod-spawner.service")


@check("bounding set, seccomp filters, no_new_privs are a login's, for users and for root")
def _():
    for user in ("ana", "root"):
        mine, theirs = (system.fields(f("cat", "/proc/self/status", user=user))
                        for f in (command, login))
        for name in ("CapBnd", "CapEff", "CapPrm", "Seccomp", "Seccomp_filters", "NoNewPrivs"):
            equal(mine[name], theirs[name], f"{name} of a command of {user}'s")


@check("namespaces are the machine's: root mounts, and everybody sees it")
def _():
    for name in ("mnt", "net", "ipc", "uts", "user", "pid", "cgroup", "time"):
        argv = ("readlink", f"/proc/self/ns/{name}")
        equal(command(*argv), run(*argv).out, f"namespace {name}")
    os.makedirs("/mnt/there", exist_ok=True)
    command("mount", "-t", "tmpfs", "none", "/mnt/there", user="root")
    equal(os.path.ismount("/mnt/there"), True, "what a command of root's mounted is there")


@check("commands go on over a restart of aiod as ever")
def _():
    gate = aiod.Gate()
    task = gate.running()
    systemctl("restart", "aiod.service")
    gate.open(9)
    equal(aiod.result(task["id"]), "exit 9", "the task")

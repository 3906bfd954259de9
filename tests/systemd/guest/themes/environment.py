# SPDX-License-Identifier: MIT
"""What reaches a command, compared with what a login of the same user has: nothing of the
daemon's, nothing of the spawner's."""
import os
import re
import shutil

from lib import aiod, system
from lib.check import Theme, contains, equal, true
from lib.system import fields, run, systemctl

check = Theme()

# what systemd gives a service, or a submitter inherits: none of it may come through
POISON = {"NOTIFY_SOCKET": "/run/systemd/notify", "LISTEN_FDS": "1", "LISTEN_PID": "1",
          "LISTEN_FDNAMES": "control", "INVOCATION_ID": "0" * 32, "JOURNAL_STREAM": "8:1",
          "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1", "MANAGERPID": "1",
          "XDG_SESSION_ID": "7", "SHLVL": "3"}
# of the bounding set: what setuid programs, and root, may at most (capabilities(7), as in the unit)
CAPABILITIES = {0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 4: "fsetid",
                5: "kill", 6: "setgid", 7: "setuid", 10: "net_bind_service", 13: "net_raw",
                18: "sys_chroot", 29: "audit_write", 31: "setfcap"}
OWN = {"HOME": "/home/ana", "PATH": system.PATH, "LANG": "C.UTF-8", "FLAVOUR": "vanilla & more",
       "USER": "ana", "LOGNAME": "ana", "SHELL": "/bin/bash", "TZ": "UTC", "EMPTY": "",
       "LINES2": "a\nb"}


def command(*argv, **options):
    """What a command of ana's prints."""
    return aiod.aioctl("run", *argv, **options).out


def login(*argv):
    """What the same command prints in a login of ana's."""
    return run("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "-pUser=ana",
               "-pPAMName=login", "-pIgnoreSIGPIPE=no", "--", *argv, status=0).out


@check("its descriptors are 0, 1 and 2: /dev/null and its output")
def _():
    lines = command("ls", "-l", "/proc/self/fd").splitlines()[1:]
    found = {line.split()[8]: line.split(" -> ")[1] for line in lines}
    own = re.compile(r"/proc/\d+/fd")  # the directory that ls itself reads
    extra = {fd: to for fd, to in found.items() if fd not in "012" and not own.fullmatch(to)}
    equal(extra, {}, "descriptors beyond 0, 1, 2")
    equal(found["0"], "/dev/null", "standard input")
    for fd in "12":
        contains(found[fd], "/var/lib/aiod/output/", f"descriptor {fd}")


@check("its ids and groups are the user's, by login and by supplementary groups")
def _():
    equal(command("id"), login("id"), "id")
    contains(command("id", "-Gn"), "band choir", "id -Gn")


@check("it has no capabilities, and no_new_privs is off")
def _():
    found = fields(command("cat", "/proc/self/status"))
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(found[name], 16), 0, name)
    equal(found["NoNewPrivs"], "0", "NoNewPrivs")


@check("the sandbox that it inherits is the one that the unit documents, and no more")
def _():
    mine, theirs = (fields(f("cat", "/proc/self/status")) for f in (command, login))
    bounding = {CAPABILITIES.get(bit, bit) for bit in range(64)
                if int(mine["CapBnd"], 16) >> bit & 1}
    equal(bounding, set(CAPABILITIES.values()), "bounding set")
    equal(int(mine["CapBnd"], 16) & ~int(theirs["CapBnd"], 16), 0, "what a login has not")
    equal(mine["Seccomp"], "2", "Seccomp")


@check("it sees the machine's files: nothing is hidden, read only or its own")
def _():
    for path in ("/", "/tmp", "/var/tmp", "/dev/shm", "/dev/null", "/dev/pts", "/home", "/run",
                 "/run/user", "/sys", "/usr", "/etc"):
        found = os.stat(path)
        equal(command("stat", "-c%d %i", path), f"{found.st_dev} {found.st_ino}\n", path)
    for path in ("/tmp", "/var/tmp", "/dev/shm"):
        command("sh", "-c", f"echo mine > {path}/of-ana && cat {path}/of-ana")
        true(os.path.exists(f"{path}/of-ana"), f"{path}/of-ana is not where it was written")
    equal(command("sh", "-c", "head -c 8 /dev/urandom | tee /dev/full | wc -c"), "8\n",
          "bytes that went through devices")


@check("what is mounted afterwards, it sees too")
def _():
    gate = aiod.Gate()
    running = gate.running()["pid"]
    os.makedirs("/mnt/later", exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/mnt/later", status=0)
    system.write("/mnt/later/file", "there")
    equal(command("cat", "/mnt/later/file"), "there", "a new command")
    with open(f"/proc/{running}/root/mnt/later/file", encoding="ascii") as f:
        equal(f.read(), "there", "one that ran already")
    run("umount", "/mnt/later", status=0)
    true(not os.path.exists("/mnt/later/file"), "it can be unmounted")
    equal(command("ls", "/mnt/later"), "", "a new command after the umount")
    gate.open()


@check("a setuid program works, as sudo has to")
def _():
    shutil.copy("/usr/bin/id", "/usr/local/bin/suid-id")
    os.chmod("/usr/local/bin/suid-id", 0o4755)
    equal(command("/usr/local/bin/suid-id", "-u").strip(), "0", "effective uid of a setuid program")
    equal(command("/usr/local/bin/suid-id", "-ru").strip(), "1001", "its real uid")


@check("its umask is the submitter's")
def _():
    for umask in (0o022, 0o077, 0o002):
        found = fields(command("cat", "/proc/self/status", umask=umask))
        equal(int(found["Umask"], 8), umask, "umask")


@check("its environment is the submitted one and AIOD_TASK_ID, AIOD_ATTEMPT, nothing else")
def _():
    argv = ["env", "-i", *(f"{name}={value}" for name, value in {**OWN, **POISON}.items()),
            "aioctl", "run", "cat", "/proc/self/environ"]
    out = run(*argv, user="ana", status=0).out
    found = dict(item.split("=", 1) for item in out.split("\0") if item)
    task = aiod.look("last")["id"]
    equal(found, {**OWN, "AIOD_TASK_ID": str(task), "AIOD_ATTEMPT": "1"}, "environment")


@check("it works with an empty environment and without a home directory")
def _():
    run("useradd", "-M", "-d", "/nonexistent", "-G", "aiod", "dora", status=0)
    argv = ("env", "-i", "/usr/bin/aioctl", "run", "/usr/bin/pwd")
    equal(run(*argv, user="dora", cwd="/tmp", status=0).out, "/tmp\n", "cwd")
    argv = ("env", "-i", "/usr/bin/aioctl", "run", "/usr/bin/env")
    out = run(*argv, user="dora", cwd="/", status=0).out
    names = {line.split("=")[0] for line in out.splitlines()}
    equal(names, {"AIOD_TASK_ID", "AIOD_ATTEMPT"}, "environment")


@check("a working directory that its user may not enter is an error that says so")
def _():
    os.makedirs("/srv/closed", exist_ok=True)
    os.chmod("/srv/closed", 0o700)
    done = run("sh", "-c", 'cd /srv/closed && exec setpriv --reuid=1001 --regid=1001 '
               '--init-groups aioctl run true', env={"TZ": "UTC"})
    contains(done.err, "/srv/closed", f"aioctl run ({done.status})")
    true(done.status == 126 or done.status == 125, f"exit status {done.status}")


@check("its signals are clean: none blocked, none ignored")
def _():
    found = fields(command("cat", "/proc/self/status"))
    for name in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
        equal(int(found[name], 16), 0, name)


@check("nice, oom_score_adj, scheduling are those of a fresh login")
def _():
    equal(command("cat", "/proc/self/oom_score_adj").strip(), "0", "oom_score_adj")
    stat = command("cat", "/proc/self/stat").rpartition(")")[2].split()
    equal((stat[16], stat[37], stat[38]), ("0", "0", "0"), "nice, rt_priority, policy")
    for path in ("timerslack_ns", "coredump_filter"):
        equal(command("cat", f"/proc/self/{path}"), login("cat", f"/proc/self/{path}"), path)


@check("its resource limits are a login's")
def _():
    equal(command("cat", "/proc/self/limits"), login("cat", "/proc/self/limits"), "limits")


@check("its namespaces are the machine's, but that what root mounts in it stays in it")
def _():
    for name in ("net", "ipc", "uts", "user", "pid", "cgroup", "time"):
        argv = ("readlink", f"/proc/self/ns/{name}")
        equal(command(*argv), run(*argv).out, f"namespace {name}")


@check("it is leader of a session of its own, without a terminal")
def _():
    out = command("sh", "-c", "echo $$; cat /proc/$$/stat")
    pid, stat = out.splitlines()
    after = stat.rpartition(")")[2].split()
    equal((after[2], after[3], after[4]), (pid, pid, "0"), "process group, session, terminal")


@check("its cgroup is the spawner's, so that it ends when the spawner's unit is stopped")
def _():
    line = [line for line in command("cat", "/proc/self/cgroup").splitlines()
            if line.startswith("0::")]
    true(line[0].startswith("0::/system.slice/aiod-spawner.service"), f"cgroup: {line}")


@check("its session keyring is its own: users share none, nor is it the spawner's")
def _():
    # each prints "SERIAL keyring;UID;GID;RIGHTS;NAME"
    found = {user: aiod.aioctl("run", "python3", "/guest/keyring.py", user=user).out.split(" ", 1)
             for user in ("ana", "ben")}
    true(found["ana"][0] != found["ben"][0], f"two users have one keyring: {found}")
    contains(found["ana"][1], "keyring;1001;", "ana's keyring")


@check("its output belongs to the user, others cannot come near it")
def _():
    task = aiod.submit("echo", "mine")
    equal(aiod.result(task), "ok", "echo")
    path = f"/var/lib/aiod/output/000/{task}.1.log"
    found = os.stat(path)
    equal((found.st_uid, found.st_gid), (1001, system.gid("aiod")), "owner of the output")
    done = run("cat", path, user="ana")
    true(done.status != 0, "a user reads the state directory")


@check("root's commands run as root, pass over permissions, and administer nothing")
def _():
    out = aiod.aioctl("run", "id", "-u", user="root").out
    equal(out.strip(), "0", "uid")
    system.write("/home/ben/secret", "of ben's")
    os.chmod("/home/ben/secret", 0o600)
    os.chown("/home/ben/secret", system.uid("ben"), system.uid("ben"))
    equal(aiod.aioctl("run", "cat", "/home/ben/secret", user="root").out, "of ben's", "root's cat")
    for argv in (("mount", "-t", "tmpfs", "none", "/mnt"), ("hostname", "other"),
                 ("date", "-s", "2001-01-01")):
        done = aiod.aioctl("run", *argv, user="root", status=None)
        true(done.status not in (0, 125, 127), f"root's {argv[0]}: {done}")


@check("the daemon itself has no capabilities and no new privileges")
def _():
    with open(f"/proc/{system.main_pid('aiod.service')}/status", encoding="ascii") as f:
        found = fields(f.read())
    equal((int(found["CapEff"], 16), int(found["CapBnd"], 16), found["NoNewPrivs"]), (0, 0, "1"),
          "CapEff, CapBnd, NoNewPrivs of aiod")
    equal(found["Uid"].split()[0] == "0", False, "aiod runs as root")
    systemctl("is-active", "aiod.service")

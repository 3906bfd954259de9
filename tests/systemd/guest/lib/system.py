# SPDX-License-Identifier: MIT
"""Commands, units and the journal of the booted machine."""
import collections
import contextlib
import grp
import json
import os
import pwd
import re
import subprocess

from lib.check import Failed, until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Done = collections.namedtuple("Done", "status out err")


def environment(user):
    """What a login of this user would have in its environment."""
    entry = pwd.getpwnam(user)
    env = {"HOME": entry.pw_dir, "USER": user, "LOGNAME": user, "SHELL": entry.pw_shell,
           "PATH": PATH, "LANG": "C.UTF-8"}
    runtime = f"/run/user/{entry.pw_uid}"
    if user != "root" and os.path.isdir(runtime):
        env["XDG_RUNTIME_DIR"] = runtime
        env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={runtime}/bus"
    return env


def identity(user):
    """The arguments by which subprocess becomes a user, as a login would."""
    if user == "root":
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid,
            "extra_groups": os.getgrouplist(user, entry.pw_gid)}


def run(*argv, user="root", status=None, env=None, cwd=None, umask=0o022, stdin=None, timeout=60):
    """Runs a command as a user to its end; status: the exit status that it must have."""
    done = subprocess.run(argv, env={**environment(user), **(env or {})}, umask=umask,
                          cwd=cwd or pwd.getpwnam(user).pw_dir, input=stdin, text=True,
                          stdin=subprocess.DEVNULL if stdin is None else None,
                          capture_output=True, timeout=timeout, check=False, **identity(user))
    if status is not None and done.returncode != status:
        raise Failed(f"{user}: {' '.join(argv)}: exit {done.returncode}, not {status}\n"
                     f"{done.stdout}{done.stderr}")
    return Done(done.returncode, done.stdout, done.stderr)


def start(*argv, user, env=None):
    """Starts a command as a user; the Popen, whose output is for communicate()."""
    return subprocess.Popen(argv, env={**environment(user), "TZ": "UTC", **(env or {})},
                            cwd=pwd.getpwnam(user).pw_dir, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **identity(user))


def systemctl(*argv, user=None, status=0):
    """systemctl for the system, or for the manager of a user."""
    more = ["--user"] if user else []
    return run("systemctl", *more, *argv, user=user or "root", status=status)


def show(unit, *properties, user=None):
    """Properties of a unit, as texts."""
    out = systemctl("show", unit, *(f"-p{name}" for name in properties), user=user).out
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def main_pid(unit, user=None):
    return int(show(unit, "MainPID", user=user)["MainPID"])


def state(unit, user=None):
    found = show(unit, "ActiveState", "SubState", user=user)
    return f"{found['ActiveState']}/{found['SubState']}"


def until_state(unit, wanted, user=None):
    until(f"{unit} is {wanted}", lambda: state(unit, user) == wanted,
          detail=lambda: f"it is {state(unit, user)}")


def until_restarted(unit, old_pid, user=None):
    """Waits until a unit runs as another process, which has said READY=1; its pid."""
    def look():
        found = show(unit, "MainPID", "ActiveState", "SubState", user=user)
        running = (found["ActiveState"], found["SubState"]) == ("active", "running")
        return int(found["MainPID"]) if running and int(found["MainPID"]) not in (0, old_pid) \
            else 0
    return until(f"{unit} runs as another process than {old_pid}", look,
                 detail=lambda: str(show(unit, "MainPID", "ActiveState", "SubState", "Result")))


def alive(pid):
    """Whether a process is there that is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def start_ticks(pid):
    """With the pid, the identity of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return int(f.read().rpartition(")")[2].split()[19])


def processes_named(*names):
    """The pids of all processes that run an executable with one of these names."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
                if f.read().strip() in names and alive(pid):
                    found.append(int(pid))
        except FileNotFoundError:
            pass
    return found


def children(pid):
    """The pids whose parent this process is, zombies too."""
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{other}/stat", encoding="utf-8", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(other))
    return found


def uid(user):
    return pwd.getpwnam(user).pw_uid


def gid(group):
    return grp.getgrnam(group).gr_gid


def fields(text):
    """/proc/PID/status as a dictionary."""
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def drop_in(unit, text):
    """A drop-in of the tests for a unit, in effect for what starts from now on."""
    write(f"/etc/systemd/system/{unit}.d/test.conf", text)
    systemctl("daemon-reload")


# ---- users ----

class Session:
    """A login of a user: a PAM session around a process that holds it open."""

    def __init__(self, user, name="login"):
        self.user = user
        self.unit = f"{name}-{user}.service"
        run("systemd-run", "--quiet", "--collect", f"--unit={self.unit}", "-pUser=" + user,
            "-pPAMName=login", "--", "/bin/sleep", "infinity", status=0)
        self.uid = pwd.getpwnam(user).pw_uid
        until(f"{user} has a session", self.there)
        until_state(f"user@{self.uid}.service", "active/running")

    def there(self):
        """Whether its process is in a session."""
        try:
            with open(f"/proc/{main_pid(self.unit)}/cgroup", encoding="utf-8") as f:
                return "/session-" in f.read()
        except FileNotFoundError:
            return False

    def end(self):
        """The user logs out; waits until the user's manager has ended."""
        systemctl("stop", self.unit)
        until_state(f"user@{self.uid}.service", "inactive/dead")


@contextlib.contextmanager
def acting_as(user):
    """Within it this process is a user, for whom it talks to."""
    entry = pwd.getpwnam(user)
    groups = os.getgroups()
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


# ---- the journal ----

Line = collections.namedtuple("Line", "text priority pid source")


def cursor():
    """Where the journal ends now."""
    run("journalctl", "--sync", status=0)
    out = run("journalctl", "-n1", "-ocat", "--show-cursor", status=0).out
    return out.rpartition("-- cursor: ")[2].strip()


def journal(after, unit, source=None):
    """The lines of a unit after a cursor (None: of this boot). source: only of this program
    (aiod, systemd, …)."""
    run("journalctl", "--sync", status=0)
    # no -u: with it --after-cursor leaves out a line too many where another unit's is the last
    since = f"--after-cursor={after}" if after else "-b"
    out = run("journalctl", since, "-ojson", "--all", "--no-pager", status=0).out
    lines = []
    for entry in map(json.loads, out.splitlines()):
        if unit in (entry.get("UNIT"), entry.get("_SYSTEMD_UNIT"), entry.get("USER_UNIT"),
                    entry.get("_SYSTEMD_USER_UNIT")):
            lines.append(Line(entry["MESSAGE"], int(entry.get("PRIORITY", -1)),
                              int(entry.get("_PID", 0)), entry.get("SYSLOG_IDENTIFIER")))
    return [line for line in lines if source is None or line.source == source]


def golden(lines, wanted, what):
    """Compares lines with a list of (priority, pattern), one by one."""
    found = [f"<{line.priority}>{line.text}" for line in lines]
    fits = len(lines) == len(wanted) and all(
        line.priority == priority and isinstance(line.text, str) and
        re.fullmatch(pattern, line.text)
        for line, (priority, pattern) in zip(lines, wanted))
    if not fits:
        patterns = [f"<{priority}>{pattern}" for priority, pattern in wanted]
        raise Failed(f"the journal of {what} is\n  " + "\n  ".join(found) + "\nand not\n  " +
                     "\n  ".join(patterns))

# SPDX-License-Identifier: MIT
"""A machine: a root directory made of layers, and systemd booted in it as a container.

The layers are an overlay in a mount namespace of the machine's own, so that nothing stays
mounted; where the kernel refuses that, the root is a copy. Each machine has a cgroup of its own:
two that share one would take each other's processes for theirs.
"""
import contextlib
import os
import re
import select
import shutil
import subprocess

NSPAWN = ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network",
          "--hostname=guest", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
          "--system-call-filter=@keyring"]
LAUNCH = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
OVERLAY = ('mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" '
           '"$1/root" && shift && exec "$@"')


def cgroup_home():
    """Where this process is in the cgroup2 hierarchy: (mount point, path)."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split(" - ") for line in f]
    found = [left.split()[4] for left, right in mounts if right.split()[0] == "cgroup2"]
    if not found:
        raise RuntimeError("no cgroup2 hierarchy is mounted")
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        path = next(line.strip()[3:] for line in f if line.startswith("0::"))
    return os.path.normpath(found[0] + path)


class Machine:
    """name: also the directory's below `where`; layers: root directories, the topmost first."""

    def __init__(self, where, name, layers):
        self.name = f"aiod-{name}-{os.getpid()}"
        self.dir = os.path.join(where, name)
        self.layers = layers
        self.root = os.path.join(self.dir, "root")
        self.upper = os.path.join(self.dir, "upper")
        self.result = os.path.join(self.dir, "result")
        self.console = os.path.join(self.dir, "console.log")
        self.cgroup = os.path.join(cgroup_home(), self.name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.copied = not overlay_works(where)
        for path in [self.root, self.result] + ([] if self.copied else [
                self.upper, os.path.join(self.dir, "work")]):
            os.makedirs(path)
        os.chmod(self.result, 0o1777)
        if self.copied:
            for layer in reversed(layers):
                subprocess.run(["cp", "-a", "--reflink=auto", f"{layer}/.", self.root], check=True)

    def seen(self, path):
        """Where the host sees a file of this machine's that was made while it ran."""
        return os.path.join(self.root if self.copied else self.upper, path.lstrip("/"))

    def command(self, *args, binds=()):
        """The whole command line of systemd-nspawn with these arguments."""
        line = NSPAWN + ["-D", self.root, f"--machine={self.name}", f"--bind={self.result}:/result"]
        line += [f"--bind-ro={outside}:{inside}" for outside, inside in binds] + list(args)
        if not self.copied:
            layers = ":".join(self.layers)
            line = ["unshare", "-m", "--propagation", "slave", "sh", "-ec", OVERLAY, layers,
                    self.dir, *line]
        return ["sh", "-ec", LAUNCH, self.cgroup, *line]

    def run(self, *args, binds=(), timeout, interactive=False):
        """Runs it to its end, at most so many seconds; its exit status, or None."""
        env = dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1")
        os.makedirs(self.cgroup, exist_ok=True)
        with open(self.console, "ab") as console:
            out = {} if interactive else {"stdin": subprocess.DEVNULL, "stdout": console,
                                          "stderr": console}
            process = subprocess.Popen(self.command(*args, binds=binds), env=env, **out)
            try:
                return process.wait(timeout)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self.end()
                process.wait()

    def boot(self, binds=(), timeout=120):
        """Boots systemd until it powers off."""
        return self.run("-b", binds=binds, timeout=timeout)

    def end(self):
        """Whatever still runs is killed, and what nspawn leaves behind removed."""
        with contextlib.suppress(OSError):
            with open(os.path.join(self.cgroup, "cgroup.kill"), "w", encoding="ascii") as f:
                f.write("1")
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            empty = remove_when_empty(path)
            if not empty:
                break
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join("/run/systemd/nspawn/propagate", self.name))

    def console_text(self):
        """What it said on its console, without the colours."""
        with open(self.console, encoding="utf-8", errors="replace") as f:
            return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", f.read())


def remove_when_empty(cgroup):
    """Removes a cgroup once its last process is gone."""
    with contextlib.suppress(OSError):
        with open(os.path.join(cgroup, "cgroup.events"), encoding="ascii") as events:
            wait_unpopulated(events)
    try:
        os.rmdir(cgroup)
    except OSError:
        return False
    return True


def wait_unpopulated(events):
    """cgroup.events signals each change by POLLPRI."""
    poll = select.poll()
    poll.register(events, select.POLLPRI)
    while "populated 1" in events.read():
        if not poll.poll(10000):
            return
        events.seek(0)


_overlay = {}


def overlay_works(where):
    """Whether an overlay can be mounted with its upper directory here."""
    if where not in _overlay:
        probe = os.path.join(where, f"probe-{os.getpid()}")
        for name in ("root", "upper", "work", "lower"):
            os.makedirs(os.path.join(probe, name))
        line = ["unshare", "-m", "--propagation", "slave", "sh", "-ec", OVERLAY,
                os.path.join(probe, "lower"), probe, "true"]
        done = subprocess.run(line, capture_output=True, check=False)
        _overlay[where] = done.returncode == 0
        shutil.rmtree(probe)
    return _overlay[where]

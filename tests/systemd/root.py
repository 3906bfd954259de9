# SPDX-License-Identifier: MIT
"""What the machines are made of: the .deb, a Debian with what it depends on, and the layer in
which it is installed and configured for the tests.
"""
import glob
import hashlib
import os
import shutil
import subprocess

from machine import Machine

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
RELEASE = os.path.join(SOURCE, "build/release")
# what the tests use themselves; the .deb brings its own
PACKAGES = ["systemd", "systemd-sysv", "dbus", "libpam-systemd", "dbus-user-session", "python3",
            "python3-msgpack", "sqlite3"]


class RootError(Exception):
    """A root that cannot be made, with what the command for it said."""


def run(*argv, **options):
    """Runs a command; its output is only seen when it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise RootError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def package():
    """Builds the .deb from the release build; its path."""
    os.makedirs(RELEASE, exist_ok=True)
    run("cmake", "--preset", "release", "-DBUILD_TESTING=OFF", cwd=SOURCE)
    run("cmake", "--build", "--preset", "release", cwd=SOURCE)
    for old in glob.glob(os.path.join(RELEASE, "*.deb")):
        os.unlink(old)
    run("cpack", "-G", "DEB", cwd=RELEASE)
    found = glob.glob(os.path.join(RELEASE, "*.deb"))
    if len(found) != 1:
        raise RootError(f"cpack made {len(found)} packages in {RELEASE}, not one: {found}")
    return found[0]


def dependencies(deb):
    """The names of what a package depends on, the first of alternatives."""
    text = run("dpkg-deb", "-f", deb, "Pre-Depends", "Depends")
    fields = [line.partition(":")[2] if line[:1].isalpha() else line for line in text.splitlines()]
    alternatives = [item.split("|")[0] for field in fields for item in field.split(",")]
    return sorted({item.split("(")[0].strip() for item in alternatives} - {""})


def archives():
    """The Debian archives of this machine, as lines of sources.list; none: mmdebstrap's own."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages", "Origin: Debian"], capture_output=True, text=True, check=False)
    return sorted(set(done.stdout.splitlines()))


def apt_options():
    """Proxies and the like that apt uses here."""
    text = run("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire::http",
               "Acquire::https", "Acquire::Retries")
    return [f"--aptopt={line}" for line in text.splitlines() if line.startswith("Acquire::http")]


def codename():
    with open("/etc/os-release", encoding="utf-8") as f:
        fields = dict(line.rstrip().split("=", 1) for line in f if "=" in line)
    return fields.get("VERSION_CODENAME", "bookworm").strip('"')


def base(where, deb):
    """A Debian without aiod, made once for each set of packages."""
    packages = sorted(set(PACKAGES + dependencies(deb)))
    made_by = [codename(), *packages, *CONFIGURATION.values(), *MASKED]
    key = hashlib.sha256(" ".join(made_by).encode()).hexdigest()[:12]
    root = os.path.join(where, f"base-{key}")
    if os.path.isdir(root):
        return root
    for old in glob.glob(os.path.join(where, "base-*")):
        shutil.rmtree(old)
    making = os.path.join(where, f"making-{os.getpid()}")
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--include={','.join(packages)}",
        *apt_options(), codename(), making, *archives())
    settle(making)
    os.rename(making, root)
    return root


CONFIGURATION = {
    "etc/hostname": "guest\n",
    "etc/machine-id": "00000000000040008000000000000a10\n",
    "etc/systemd/journald.conf.d/test.conf": "[Journal]\nStorage=persistent\n",
    # the last session of a user ends the user's manager at once, not after ten seconds
    "etc/systemd/logind.conf.d/test.conf": "[Login]\nUserStopDelaySec=0\n",
    "etc/systemd/system/aiod-test.service": """\
[Unit]
Description=Checks of aiod
After=multi-user.target systemd-user-sessions.service
FailureAction=poweroff-immediate
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /guest/main.py
StandardOutput=append:/result/log
StandardError=append:/result/log
TimeoutStartSec=infinity
KillMode=process
SuccessExitStatus=SIGTERM
[Install]
WantedBy=multi-user.target
""",
}
MASKED = ["console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "systemd-update-utmp-runlevel.service"]


def settle(root):
    """The files by which a root is a machine of these tests."""
    for path, text in CONFIGURATION.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    units = os.path.join(root, "etc/systemd/system")
    for unit in MASKED:
        os.symlink("/dev/null", os.path.join(units, unit))
    os.makedirs(os.path.join(units, "multi-user.target.wants"), exist_ok=True)
    os.symlink("/etc/systemd/system/aiod-test.service",
               os.path.join(units, "multi-user.target.wants/aiod-test.service"))
    users = "groupadd -g 2000 band && groupadd -g 2001 choir && "
    users += " && ".join(f"useradd -m -u {uid} -s /bin/bash {name}"
                         for uid, name in ((1001, "ana"), (1002, "ben"), (1003, "carl")))
    run("chroot", root, "sh", "-ec", users)


INSTALL = """\
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq -y --no-install-recommends /deb/aiod.deb
usermod -a -G aiod,band,choir ana
usermod -a -G aiod ben
"""


def installed(where, below, deb):
    """The layers of a machine with the package and its users, made once for each package. It is
    installed without systemd, as in an image; the theme `package` does so where systemd runs."""
    with open(deb, "rb") as f:
        key = hashlib.sha256(f.read() + INSTALL.encode() + below.encode()).hexdigest()[:12]
    done = os.path.join(where, f"installed-{key}")
    if not os.path.isdir(done):
        for old in glob.glob(os.path.join(where, "installed-*")):
            shutil.rmtree(old)
        machine = Machine(where, "installing", [below])
        status = machine.run("sh", "-ec", INSTALL, binds=[(deb, "/deb/aiod.deb")], timeout=120)
        if status != 0:
            raise RootError(f"installing {deb} failed ({status}):\n{machine.console_text()}")
        os.rename(machine.dir, done)
    copied = not os.path.exists(os.path.join(done, "work"))
    return [os.path.join(done, "root")] if copied else [os.path.join(done, "upper"), below]

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a real systemd in containers, with the .deb installed, and runs the themes in them.

Exit status: 0 all checks passed, 1 some failed, 77 skipped (it needs root and namespaces); with
AIOD_REQUIRE_SYSTEMD=1 a skip is a failure.
"""
import argparse
import concurrent.futures
import fcntl
import glob
import importlib
import json
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, "guest")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, GUEST]

import root  # noqa: E402
from lib import check  # noqa: E402
from machine import Machine  # noqa: E402

WORK = os.path.join(root.SOURCE, "build/systemd")
SKIPPED = 77
TIMEOUT = 150  # seconds a boot; only ever reached by a failure


def themes():
    """Their names, the slowest first."""
    names = [os.path.basename(path)[:-3] for path in glob.glob(f"{GUEST}/themes/*.py")]
    return sorted((name for name in names if name != "__init__"),
                  key=lambda name: name != "package")


class Theme:
    """A theme, the machine it has, and what its checks said."""

    def __init__(self, name, layers, deb, options):
        self.name = name
        self.deb = deb
        self.options = options
        self.plan = check.plan(importlib.import_module(f"themes.{name}"))
        self.machine = Machine(WORK, f"theme-{name}", layers)
        self.results = {}
        self.seconds = 0.0

    def run(self):
        begin = time.monotonic()
        for boot in sorted({c.boot for c in self.plan}):
            with open(os.path.join(self.machine.result, "run.json"), "w", encoding="utf-8") as f:
                json.dump({"theme": self.name, "boot": boot, **self.options}, f)
            status = self.machine.boot(binds=[(GUEST, "/guest"), (self.deb, "/deb/aiod.deb")],
                                       timeout=self.options["timeout"])
            if not self.collect(boot, status):
                break
        self.seconds = time.monotonic() - begin
        return self

    def collect(self, boot, status):
        """Reads what a boot's checks said; whether it ran to its end."""
        path = os.path.join(self.machine.result, f"checks.{boot}.jsonl")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    told = json.loads(line)
                    self.results[told["name"]] = told.get("failure")
        rest = [c for c in self.plan if c.boot == boot and c.name not in self.results]
        if status is None or rest:
            why = "the machine did not power off in time" if status is None else \
                f"the machine ended ({status}) before this check"
            for left in rest or [self.plan[-1]]:
                self.results[left.name] = f"{why}; its log is {self.machine.result}/log"
            return False
        return True

    def failures(self):
        return {c.name: self.results.get(c.name, "not run: a boot before it failed")
                for c in self.plan
                if self.results.get(c.name, "not run: a boot before it failed") is not None}

    def report(self):
        failures = self.failures()
        print(f"\n{self.name}: {len(self.plan) - len(failures)} of {len(self.plan)} checks, "
              f"{self.seconds:.1f} s")
        for one in self.plan:
            failure = failures.get(one.name)
            print(f"  {'FAIL' if failure else 'ok  '} {one.name}")
            if failure:
                print("       " + failure.rstrip().replace("\n", "\n       "))
        note = os.path.join(self.machine.result, "note")
        if os.path.exists(note):
            with open(note, encoding="utf-8") as f:
                print("  " + f.read().rstrip().replace("\n", "\n  "))
        sys.stdout.flush()
        if failures:
            print(f"       kept: {self.machine.dir} (log and journal in result/); look into it "
                  f"with {os.path.relpath(__file__)} --shell {self.name}")
        elif not self.options["keep"]:
            shutil.rmtree(self.machine.dir)


def missing():
    """Why it can't run here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    for tool in ("systemd-nspawn", "mmdebstrap", "unshare", "cpack", "dpkg-deb"):
        if not shutil.which(tool):
            return f"there is no {tool}: tests/packages.sh test"
    with open("/proc/self/status", encoding="ascii") as f:
        capabilities = next(int(line.split()[1], 16) for line in f if line.startswith("CapEff"))
    return None if capabilities >> 21 & 1 else "it needs CAP_SYS_ADMIN"


def lock():
    """One run at a time has build/systemd; the lock is held until the process ends."""
    os.makedirs(WORK, exist_ok=True)
    fd = os.open(os.path.join(WORK, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise root.RootError(f"another run.py is at work in {WORK}") from None


def prepare(options):
    """The .deb and the root with it: (deb, base, layers)."""
    begin = time.monotonic()
    lock()
    deb = os.path.abspath(options.deb) if options.deb else root.package()
    built = time.monotonic()
    base = root.base(WORK, deb)
    layers = root.installed(WORK, base, deb)
    print(f"{os.path.basename(deb)} in {built - begin:.1f} s, its root in "
          f"{time.monotonic() - built:.1f} s", flush=True)
    return deb, base, layers


def shell(name, layers):
    """A shell in a theme's root, as its last boot left it (its result/ is /was);
    nothing is started, what the shell changes is thrown away."""
    old = os.path.join(WORK, f"theme-{name}/upper")
    machine = Machine(WORK, "shell", [old, *layers] if os.path.isdir(old) else layers)
    was = [(os.path.join(WORK, f"theme-{name}/result"), "/was")] if os.path.isdir(old) else []
    status = machine.run("/bin/bash", timeout=None, interactive=True, binds=was)
    shutil.rmtree(machine.dir)
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("theme", nargs="*", help=f"one of: {', '.join(themes())}")
    parser.add_argument("--restarts", type=int, default=20, help="of the theme restarts (20)")
    parser.add_argument("--seed", type=int, help="of what is random in restarts, to repeat a run")
    parser.add_argument("--deb", help="install this package instead of building one")
    parser.add_argument("--jobs", type=int, default=min(3, (os.cpu_count() or 1) + 1))
    parser.add_argument("--keep", action="store_true", help="keep the machines also on success")
    parser.add_argument("--shell", metavar="THEME", help="a shell in the root of a theme")
    options = parser.parse_args()
    unknown = sorted(set(options.theme) - set(themes()))
    if unknown:
        parser.error(f"there is no theme {', '.join(unknown)}")
    why = missing()
    if why:
        required = os.environ.get("AIOD_REQUIRE_SYSTEMD") == "1"
        print(f"{'FAILED' if required else 'SKIPPED'}: systemd is not booted: {why}")
        return 1 if required else SKIPPED
    try:
        deb, base, layers = prepare(options)
    except root.RootError as error:
        print(f"FAILED: {error}")
        return 1
    if options.shell:
        return shell(options.shell, layers)

    told = {"restarts": options.restarts, "seed": options.seed, "keep": options.keep,
            "timeout": TIMEOUT + 2 * options.restarts}
    run = [Theme(name, [base] if name == "package" else layers, deb, told)
           for name in options.theme or themes()]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(theme.run) for theme in run]):
            done.result().report()
    failed = sum(len(theme.failures()) for theme in run)
    checks = sum(len(theme.plan) for theme in run)
    print(f"\nsystemd: {checks - failed} of {checks} checks passed" +
          (f", {failed} FAILED" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Checks: functions with a name for people, in the order in which they are written.

    @check("a first aioctl starts the service")
    def _():
        ...

A check passes when it returns and fails when it raises; the ones behind it run all the same. The
host reads the same modules for the list of checks, so that one that never ran is a failure.
"""
import collections
import json
import os
import time
import traceback

RESULT = "/result"
TIMEOUT = 30  # seconds; only ever reached by a failure
Check = collections.namedtuple("Check", "name boot run")


class Failed(Exception):
    """What a check found wrong, in a sentence."""


class Theme(list):
    """The checks of one theme: `check = Theme()` in its module."""

    def __call__(self, name, boot=1):
        def add(function):
            self.append(Check(name, boot, function))
            return function
        return add


def plan(module):
    """The checks of a theme's module, in their order."""
    names = [one.name for one in module.check]
    assert len(set(names)) == len(names), f"{module.__name__}: two checks have one name"
    return list(module.check)


def equal(found, wanted, what):
    if found != wanted:
        raise Failed(f"{what}: {found!r}, not {wanted!r}")


def contains(text, wanted, what):
    if wanted not in text:
        raise Failed(f"{what} has no {wanted!r}: {text!r}")


def true(condition, what):
    if not condition:
        raise Failed(what)


def until(what, condition, timeout=TIMEOUT, detail=None):
    """Waits for something that sends no event: looks at it every 10 ms, until it is true."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            more = f"; {detail()}" if detail else ""
            raise Failed(f"not so after {timeout} s: {what}{more}")
        time.sleep(0.01)


# ---- what the host tells, and one boot the next ----

def options():
    """What run.py was called with: theme, boot, restarts, …"""
    with open(f"{RESULT}/run.json", encoding="utf-8") as f:
        return json.load(f)


def remember(**values):
    values = {**remembered(), **values}
    with open(f"{RESULT}/state.json", "w", encoding="utf-8") as f:
        json.dump(values, f)


def remembered():
    try:
        with open(f"{RESULT}/state.json", encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def note(text):
    """A line for the report: figures."""
    with open(f"{RESULT}/note", "a", encoding="utf-8") as f:
        f.write(text + "\n")


def run(checks, boot):
    """Runs the checks of one boot; writes a line for each when it is over."""
    with open(f"{RESULT}/checks.{boot}.jsonl", "a", encoding="utf-8") as out:
        for one in (one for one in checks if one.boot == boot):
            told = {"name": one.name}
            begin = time.monotonic()
            try:
                one.run()
            except Failed as failed:
                at = [frame for frame in traceback.extract_tb(failed.__traceback__)
                      if "/themes/" in frame.filename]
                line = f" ({os.path.basename(at[-1].filename)}:{at[-1].lineno})" if at else ""
                told["failure"] = str(failed) + line
            except Exception:  # pylint: disable=broad-except
                told["failure"] = traceback.format_exc()
            told["seconds"] = round(time.monotonic() - begin, 2)
            out.write(json.dumps(told) + "\n")
            out.flush()
            os.fsync(out.fileno())
            print(json.dumps(told), flush=True)

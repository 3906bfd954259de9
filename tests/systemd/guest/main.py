# SPDX-License-Identifier: MIT
"""Runs in the booted machine: the checks of one theme that belong to this boot. Then the machine
goes off: at once, as if its power were cut, unless the theme wants an orderly stop here."""
import importlib
import subprocess
import sys

sys.dont_write_bytecode = True
from lib import check, system  # noqa: E402


def main():
    told = check.options()
    theme = importlib.import_module(f"themes.{told['theme']}")
    boot = told["boot"]
    check.run(theme.check, boot)
    subprocess.run(["journalctl", "--sync"], check=False)
    with open(f"/result/journal.{boot}", "wb") as out:
        subprocess.run(["journalctl", "-b", "-o", "short-precise", "--no-pager"], stdout=out,
                       check=False)
    orderly = boot in getattr(theme, "ORDERLY", ())
    system.run("systemctl", "poweroff", *(["--no-block"] if orderly else ["-ff"]))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Runs the comparisons and prints the table; see README.md."""
import argparse
import importlib.util
import sys
import time
import traceback

import compare
import rig as rigs

# Each is a module here with run(rig), which yields rows (compare.Row). A new one joins this list:
# rude.py (honest clients beside rude ones) does as soon as it is there.
NAMES = ["native", "memory", "submits", "submit_one", "aioctl", "commands", "slot", "idle", "scale"]
NAMES += ["rude"] if importlib.util.find_spec("rude") else []


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh", description="aiod against its peers")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=NAMES + [[]],
                        help="run these only: " + ", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small counts, two rounds")
    parser.add_argument("--million", action="store_true",
                        help="a million tasks where the table speaks of them")
    parser.add_argument("--markdown", metavar="FILE", help="also write the table there")
    return parser.parse_args()


def compared(rig, name):
    """The rows of one comparison; None if it broke, which the others do not mind."""
    began = time.monotonic()
    try:
        return list(importlib.import_module(name).run(rig))
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        return None
    finally:
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def main():
    options = arguments()
    rig = rigs.Rig(options.quick, options.million)
    try:
        results = [compared(rig, name) for name in options.names or NAMES]
    finally:
        rig.close()
    rows = [row for result in results if result for row in result]
    print(compare.as_text(rows))
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as f:
            f.write(compare.as_markdown(rows))
    return 1 if None in results else 0


sys.exit(main())

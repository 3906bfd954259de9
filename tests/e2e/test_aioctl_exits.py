# SPDX-License-Identifier: MIT
"""The exit statuses of every verb of aioctl, in one table."""
import re
import unittest

from harness import AIOCTL, InstanceTest

# What is there: 1 ok, 2 failed with exit 3, 3 cancelled before it started, 4 live and named nap,
# 5 failed and free to be removed, group one empty. Each row leaves that as it is, or says so.
OK, FAILED, USAGE, NOTHING, UNREACHABLE, REFUSED, TIMED_OUT, OWN = 0, 1, 2, 3, 4, 5, 124, 125
NOWHERE = "--socket /nowhere/s"
TABLE = [
    # no verb, and what needs no event loop
    ("", OK), ("--version", OK), ("--help", OK), ("help", OK), ("help asyncio", OK),
    ("help status", OK), ("status --help", OK), ("help nope", USAGE), ("help -o json", USAGE),
    ("help a b", USAGE), ("nope", USAGE), ("--nope", USAGE), (NOWHERE, UNREACHABLE),
    # submit, run
    ("submit true", OK), ("submit", USAGE), ("submit --nope true", USAGE),
    ("submit --in soon true", USAGE), ("submit -g nope true", NOTHING),
    ("submit --call nope", NOTHING), ("submit --call sleep", USAGE),
    (f"submit {NOWHERE} true", UNREACHABLE),
    ("run true", OK), ("run false", 1), ("run -c 'exit 7'", 7), ("run -c 'kill -9 $$'", 137),
    ("run /nowhere/x", 127), ("run /etc/passwd", 126), ("run --call sleep 0", OK),
    ("run", OWN), ("run --nope", OWN), ("run -g nope true", OWN), (f"run {NOWHERE} true", OWN),
    # status
    ("status", OK), ("ps", OK), ("ls -a", OK), ("status 1", OK), ("status 1-3", OK),
    ("status --failed", OK), ("status --failed --name nobody", OK), ("status -g one", OK),
    ("status 99", NOTHING), ("status nobody", NOTHING), ("status 90-99", NOTHING),
    ("status -g nope", NOTHING), ("status --failed -g nope", NOTHING), ("status -o id 99", NOTHING),
    ("status --nope", USAGE), ("status -s nope", USAGE), ("status --since soon", USAGE),
    ("status -o xml", USAGE), ("status --watch -o json", USAGE), ("status 9-3", USAGE),
    (f"status {NOWHERE}", UNREACHABLE), (f"status --watch {NOWHERE}", UNREACHABLE),
    ("status --watch 99", NOTHING), ("status --watch -g nope", NOTHING),
    # await, wait, result
    ("await 1", OK), ("await 2", FAILED), ("await 3", FAILED), ("await --propagate 2", 3),
    ("await -t 0.01 4", TIMED_OUT), ("await 99", NOTHING), ("await", USAGE), ("await 1 2", USAGE),
    (f"await {NOWHERE} 1", UNREACHABLE), (f"await --propagate {NOWHERE} 1", OWN),
    ("wait 1", OK), ("wait 1 2", FAILED), ("wait -t 0.01", TIMED_OUT), ("wait 99", NOTHING),
    ("wait --first --all 1", USAGE), ("wait --propagate 2", 3), (f"wait {NOWHERE}", UNREACHABLE),
    ("result 1", OK), ("result 2", FAILED), ("result 4", REFUSED), ("result 99", NOTHING),
    ("result", USAGE), (f"result {NOWHERE} 1", UNREACHABLE),
    # is-…
    ("is-done 1", OK), ("is-done 4", 1), ("is-done 99", NOTHING), ("is-done", USAGE),
    (f"is-done {NOWHERE} 1", UNREACHABLE), ("is-failed 2", OK), ("is-failed 1", 1),
    ("is-failed nobody", NOTHING), ("is-cancelled 3", OK), ("is-cancelled 2", 1),
    ("is-cancelled 90-99", NOTHING), ("is-failed -v 1", USAGE),
    # logs, events
    ("logs 1", OK), ("logs 99", NOTHING), ("logs -n x", USAGE), (f"logs {NOWHERE}", UNREACHABLE),
    ("events", OK), ("events -n 1 1", OK), ("events 99", NOTHING), ("events -g nope", NOTHING),
    ("events -f 99", NOTHING), ("events -f -o json", USAGE), ("events --since soon", USAGE),
    (f"events {NOWHERE}", UNREACHABLE), (f"events -f {NOWHERE}", UNREACHABLE),
    # cancel, retry, rm
    ("cancel 1", REFUSED), ("cancel 1-2", REFUSED), ("cancel 99", NOTHING), ("cancel", USAGE),
    ("cancel 90-99", NOTHING), ("cancel -g one", NOTHING), ("cancel -g nope", NOTHING),
    ("cancel -s done", USAGE), ("cancel --nope 1", USAGE), (f"cancel {NOWHERE} 1", UNREACHABLE),
    ("retry 1", OK), ("retry 4", REFUSED), ("retry 99", NOTHING), ("retry", USAGE),
    ("retry -g one", USAGE), ("retry --failed -g one", NOTHING), (f"retry {NOWHERE} 1", UNREACHABLE),
    ("rm 4", REFUSED), ("rm 99", NOTHING), ("rm", USAGE), ("rm -g one", USAGE),
    ("rm --failed -g one", NOTHING), ("rm --done --older x", USAGE), (f"rm {NOWHERE} 1", UNREACHABLE),
    ("rm 5", OK), ("rm 5", NOTHING),
    # group
    ("group", OK), ("groups", OK), ("group list", OK), ("group new x --slots 1", OK),
    ("group new x --slots 1", REFUSED), ("group set x --slots 2", OK), ("group pause x", OK),
    ("group resume x", OK), ("group rm x", OK), ("group rm x", NOTHING),
    ("group pause x", NOTHING), ("group set x --slots 2", NOTHING), ("group new x", USAGE),
    ("group new x --slots 0", USAGE), ("group nope", USAGE), ("group rm", USAGE),
    (f"group {NOWHERE}", UNREACHABLE), (f"group pause --all {NOWHERE}", UNREACHABLE),
    # functions, health
    ("functions", OK), ("functions exec", OK), ("functions nope", NOTHING), ("functions a b", USAGE),
    (f"functions {NOWHERE}", UNREACHABLE), ("health", OK), ("health x", USAGE),
    (f"health {NOWHERE}", UNREACHABLE),
]


class Exits(InstanceTest):
    config = "[group default]\nslots = 4\n[group one]\nslots = 1\n"

    def setUp(self):
        super().setUp()
        for args in (["true"], ["-c", "exit 3"], ["--in", "1h", "true"],
                     ["--name", "nap", "--call", "sleep", "1000"], ["false"]):
            self.aiod.aioctl("submit", *args, check=0)
        self.aiod.aioctl("cancel", "3", check=0)
        self.aiod.aioctl("wait", "1-3", "5", check=1)
        self.aiod.until_state(4, "SUSPENDED")

    def test_table(self):
        wrong = []
        for line, status in TABLE:
            args = [part.strip("'") for part in re.findall(r"'[^']*'|\S+", line)]
            done = self.aiod.aioctl(*args)
            if done.returncode != status:
                wrong.append(f"aioctl {line}: {done.returncode}, not {status}: {done.stderr}")
            if status in (USAGE, UNREACHABLE, REFUSED) and not done.stderr:
                wrong.append(f"aioctl {line}: no word on stderr")
        self.assertEqual(wrong, [])

    def test_every_verb_is_in_the_table(self):
        verbs = re.findall(r"(?m)^  ([a-z-]+) +\S", self.aiod.aioctl("help", check=0).stdout)
        verbs = [v for v in verbs if v != "aioctl"]
        self.assertGreater(len(verbs), 15)
        self.assertEqual(set(verbs) - {line.split(" ")[0] for line, _ in TABLE}, set())


if __name__ == "__main__":
    unittest.main()

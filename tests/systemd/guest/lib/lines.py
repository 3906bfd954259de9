# SPDX-License-Identifier: MIT
"""What aiod writes to the journal: priority and pattern of each line. Here alone, so that a line
that is worded anew is changed in one place."""
SERVING = (6, r"serving /\S+/aiod/control\.sock, \d+ live tasks \(aiod \S+, state in /\S+\)")
SPAWNER = (6, r"the spawner \(pid \d+\) answers")
STOPPING = (6, r"Terminated: stopping; running commands go on")
STOPPED = (6, r"stopped")
READ_AGAIN = (6, r"read /etc/aiod/aiod\.conf again")
BROKEN = (3, r"/etc/aiod/aiod\.conf:2: \"many\" must be a number.*")
LOST = (4, r"lost the spawner: .*")
WAITING = "waiting for the spawner: "

START = [SERVING, SPAWNER]
STOP = [STOPPING, STOPPED]

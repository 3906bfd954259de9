# SPDX-License-Identifier: MIT
"""Cancelling many at once: none of those that wait is started by the slots that come free."""
import os
import unittest

from harness import InstanceTest


class Many(InstanceTest):
    config = "[group one]\nslots = 1\n[commands]\ngrace = 5s\n"

    def test_all_of_a_full_group(self):
        made = os.path.join(self.aiod.root, "made")
        os.mkdir(made)
        first = self.aiod.submit("sleep", "1000", group="one")
        self.aiod.until_state(first, "RUNNING")
        tasks = [self.aiod.submit("touch", os.path.join(made, str(n)), group="one")
                 for n in range(60)]
        answers = self.aiod.call("cancel", ids=["all"])
        self.assertEqual([a["id"] for a in answers], [first, *tasks])
        self.assertEqual({a["asked"] for a in answers}, {True})
        for task in (first, *tasks):
            self.assertEqual(self.aiod.wait_for(task)["outcome"], "cancelled")
        self.assertEqual(os.listdir(made), [])


if __name__ == "__main__":
    unittest.main()

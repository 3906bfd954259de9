# SPDX-License-Identifier: MIT
"""aioctl(1) has a section for every verb and names every option that the verb takes; and it is good
troff, as far as the tools to tell are installed."""
import os
import re
import shutil
import subprocess
import unittest

from harness import AIOCTL, TIMEOUT

PAGE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../docs/aioctl.1"))
OPTION = re.compile(r"(?m)^  (?:(-.), |    )(--[a-z-]+)")


def help_text(*args):
    env = dict(os.environ, AIOD_NO_START="1")
    return subprocess.run([AIOCTL, "help", *args], env=env, capture_output=True, text=True,
                          check=True, timeout=TIMEOUT).stdout


def plain(troff):
    """Without fonts and escapes: what a reader sees, more or less."""
    text = re.sub(r"\\f[A-Z]|\\c", "", troff).replace("\\-", "-").replace("\\ ", " ")
    return re.sub(r"(?m)^\.[A-Z]+ ?", "", text)


def options(text):
    """Options that a text names."""
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


class Man(unittest.TestCase):
    def setUp(self):
        with open(PAGE, encoding="utf-8") as f:
            self.page = f.read()

    def section(self, name):
        """From a heading to the next."""
        match = re.search(rf'(?ms)^\.S[HS] "?{re.escape(name)}"?$\n(.*?)(?=^\.S[HS] |\Z)', self.page)
        self.assertTrue(match, f"there is no section {name}")
        return plain(match.group(1))

    def verbs(self):
        verbs = re.findall(r"(?m)^  ([a-z-]+)  ", help_text())
        return [verb for verb in verbs if verb != "aioctl"]

    def test_every_verb_and_option(self):
        self.assertGreater(len(self.verbs()), 15)
        for verb in self.verbs():
            section, text = self.section(verb), help_text(verb)
            wanted = {name for pair in OPTION.findall(text) for name in pair if name}
            self.assertEqual(wanted - options(section), set(), verb)
            for formats in re.findall(r"--output ([a-z|]+)", text):
                for word in formats.split("|"):
                    self.assertRegex(section, rf"\b{word}\b", verb)
            for alias in re.findall(r"(?m)^Other names: (.*)", text):
                for word in alias.split():
                    self.assertRegex(section, rf"\b{word}\b", verb)

    def test_nothing_that_is_not_there(self):
        """No section of a verb names an option that no verb takes."""
        known = {name for verb in self.verbs() for pair in OPTION.findall(help_text(verb))
                 for name in pair if name}
        known |= {name for pair in OPTION.findall(help_text()) for name in pair if name}
        for verb in self.verbs():
            self.assertEqual(options(self.section(verb)) - known, set(), verb)

    def test_common_options(self):
        wanted = {name for pair in OPTION.findall(help_text()) for name in pair if name}
        self.assertEqual(wanted - options(self.section("OPTIONS")), set())

    def test_exit_statuses(self):
        section = self.section("EXIT STATUS")
        for status in (0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128):
            self.assertRegex(section, rf"\b{status}\b")

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "there is no man")
    def test_man(self):
        done = subprocess.run(["man", "--warnings", "-l", PAGE], capture_output=True, text=True,
                              env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80"), check=True)
        self.assertEqual(done.stderr, "")
        self.assertIn("is-cancelled", done.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_mandoc(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.stdout + done.stderr, "")


if __name__ == "__main__":
    unittest.main()

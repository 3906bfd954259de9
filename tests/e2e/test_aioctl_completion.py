# SPDX-License-Identifier: MIT
"""docs/aioctl.bash: what bash offers at every place of a command line, with the bash-completion
package where it is installed, and without it; and that it knows every verb and option."""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from harness import AIOCTL, TIMEOUT, InstanceTest

SCRIPT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../docs/aioctl.bash"))
PACKAGE = "/usr/share/bash-completion/bash_completion"
BASH = shutil.which("bash")


def split(line):
    """As readline does: at blanks, and around "=" and ":", which are words of their own."""
    return re.findall(r"[=:]+|(?:\\.|[^\s=:])+", line) + ([""] if line[-1:].isspace() else [])


@unittest.skipUnless(BASH, "there is no bash")
class CompletionTest(InstanceTest):
    config = "[group default]\nslots = 4\n[group convert]\nslots = 1\n"
    package = False

    def setUp(self):
        """Tasks 1 DONE, 2 SUSPENDED; groups default and convert."""
        super().setUp()
        self.aiod.wait_for(self.aiod.submit("true"))
        self.aiod.call("submit", function="sleep", args=[1000])
        self.aiod.until_state(2, "SUSPENDED")
        self.directory = os.path.join(self.aiod.root, "here")
        os.makedirs(os.path.join(self.directory, "sub dir"))
        open(os.path.join(self.directory, "some file"), "w", encoding="ascii").close()

    def complete(self, line, program=AIOCTL, **env):
        """What is offered behind a line that begins behind `aioctl `."""
        words = [program, *split(line)] if line else [program, ""]
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
        script = f"""
            {f". {PACKAGE}" if self.package else "shopt -s extglob"}
            . {SCRIPT}
            compopt() {{ :; }}  # readline is not there
            COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
            COMP_LINE={program}' {line}' COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9 COMP_KEY=9
            _aioctl {program} "${{COMP_WORDS[COMP_CWORD]}}" ""
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        env = {**self.aiod.env, "AIOD_SOCKET": self.aiod.socket, **env}
        done = subprocess.run([BASH, "--norc", "--noprofile", "-c", script], env=env, text=True,
                              capture_output=True, cwd=self.directory, timeout=TIMEOUT,
                              check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.stderr, "")
        return sorted(done.stdout.split("\n")[:-1] if done.stdout != "\n" else [])

    def offered(self, line, *wanted, **env):
        self.assertEqual(self.complete(line, **env), sorted(wanted), line)


class Completion(CompletionTest):
    def test_verbs(self):
        self.offered("is-", "is-cancelled", "is-done", "is-failed")
        self.offered("--color never st", "status")
        self.offered("help e", "events")
        self.offered("help asy", "asyncio")
        self.assertIn("group", self.complete(""))
        self.offered("nope")

    def test_options(self):
        self.offered("status --f", "--failed")
        self.offered("rm --o", "--ok", "--older")
        self.offered("--co", "--color")
        self.offered("retry 1 --fai", "--failed")
        self.assertIn("-n", self.complete("logs -"))
        self.offered("logs -- -")

    def test_arguments(self):
        self.offered("status --state r", "running")
        self.offered("status --state=running,su", "running,suspended")
        self.offered("ps -s do", "done")
        self.offered("status -o w", "wide")
        self.offered("submit -o ", "id", "json", "jsonl")
        self.offered("events -n 3 --output=jsonl", "jsonl")
        self.offered("--color ", "always", "auto", "never")
        self.offered("status --since to", "today")
        self.offered("status -n 1")

    def test_what_is_there(self):
        self.offered("await ", "2", "all", "last")
        self.offered("cancel 2 l", "last")
        self.offered("status ", "1", "2", "all", "last")
        self.offered("rm ", "1", "last")
        self.offered("is-done 1", "1")
        self.offered("logs -n 5 ", "1", "2", "all", "last")
        self.offered("status -g ", "convert", "default")
        self.offered("submit --group con", "convert")
        self.offered("submit --group=con", "convert")
        self.offered("run --call ", "exec", "sleep")
        self.offered("functions e", "exec")

    def test_groups(self):
        self.offered("group ", "list", "new", "pause", "resume", "rm", "set")
        self.offered("group pause ", "convert", "default")
        self.offered("groups rm de", "default")
        self.offered("group new ")
        self.offered("group set convert --sl", "--slots")

    def test_commands(self):
        self.assertIn("true", self.complete("submit tru"))
        self.assertIn("cat", self.complete("run -g convert ca"))
        self.assertIn("cat", self.complete("submit -- ca"))
        for line in ("submit cat so", "run --name x cat so", "submit -- cat so"):
            self.assertIn(self.complete(line), (["some file"], ["some\\ file"]), line)
        self.offered("submit -c cat so")
        self.offered("submit --command=cat so")
        self.offered("submit --call sleep so")
        self.assertNotIn("--name", self.complete("submit cat --na"))

    def test_files(self):
        self.assertIn(self.complete("submit --stdin so"), (["some file"], ["some\\ file"]))
        self.assertIn(self.complete("submit --cwd s"), (["sub dir"], ["sub dir/"]))

    def test_which_event_loop(self):
        for line in ("--socket {} await ", "await --socket {} ", "await --socket={} "):
            self.offered(line.format(self.aiod.socket), "2", "all", "last",
                         AIOD_SOCKET="/nowhere/s")
        self.offered("await --socket /nowhere/s ", "all", "last")
        self.offered("await ", "all", "last", AIOD_SOCKET="/nowhere/s")

    def test_nothing_is_expanded(self):
        """Names of groups may hold anything: none of it reaches a shell as more than text."""
        made = os.path.join(self.directory, "made")
        self.aiod.stop()
        self.aiod.configure("[group x$(touch made) `touch made` *'\"]\nslots = 1\n"
                            "[group colon:one]\nslots = 1\n")
        self.aiod.start()
        offered, = self.complete("status -g x")
        self.assertTrue(offered.startswith("x\\$\\(touch\\ "), offered)
        self.assertFalse(os.path.exists(made))
        self.offered("status -g colon:", "one")

    def test_every_verb_and_option(self):
        """What `aioctl help` lists is offered, and nothing else."""
        verbs = re.findall(r"(?m)^  ([a-z-]+)  ", self.aiod.aioctl("help", check=0).stdout)
        verbs = [verb for verb in verbs if verb != "aioctl"]
        self.assertEqual(self.complete(""), sorted(verbs))
        options = re.compile(r"(?m)^  (?:(-.), |    )(--[a-z-]+)")
        common = options.findall(self.aiod.aioctl("help", check=0).stdout)
        for verb in verbs:
            text = self.aiod.aioctl("help", verb, check=0).stdout
            wanted = {name for pair in options.findall(text) + common for name in pair if name}
            self.assertEqual(set(self.complete(verb + " -")), wanted, verb)
            formats = re.search(r"--output ([a-z|]+)", text)
            if formats:
                self.offered(verb + " -o ", *formats.group(1).split("|"))
            for line in re.findall(r"(?m)^  (?:-., |    )(--[a-z-]+ ?\S*)", text):
                if " " in line.strip() and "--output" not in line:  # it takes an argument
                    self.assertNotIn("last", self.complete(f"{verb} {line.split()[0]} "), line)


@unittest.skipUnless(os.path.exists(PACKAGE), "the bash-completion package is not installed")
class WithPackage(Completion):
    package = True


@unittest.skipUnless(BASH, "there is no bash")
class Interactive(CompletionTest):
    """A real readline: what stands in the line after TAB."""

    def read_until(self, master, text):
        seen = b""
        end = time.monotonic() + TIMEOUT
        while text not in seen:
            self.assertLess(time.monotonic(), end, seen)
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
        return seen

    def line_after(self, typed, expected):
        master, slave = pty.openpty()
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, TERM="dumb", PS1="> ",
                   PATH=os.path.dirname(AIOCTL) + ":" + os.environ["PATH"], INPUTRC="/dev/null")
        process = subprocess.Popen([BASH, "--norc", "--noprofile", "-i"], env=env, stdin=slave,
                                   stdout=slave, stderr=slave, start_new_session=True,
                                   cwd=self.directory)
        os.close(slave)
        try:
            os.write(master, f". {SCRIPT}; echo rea''dy\n".encode())
            self.read_until(master, b"ready\r\n")
            os.write(master, typed.encode() + b"\t")
            self.read_until(master, expected.encode())
        finally:
            process.kill()
            process.wait(TIMEOUT)
            os.close(master)

    def test_lines(self):
        self.line_after("aioctl status --fai", "aioctl status --failed ")
        self.line_after("aioctl status --state=sus", "aioctl status --state=suspended ")
        self.line_after("aioctl status -g con", "aioctl status -g convert ")
        self.line_after("aioctl submit cat som", "aioctl submit cat some\\ file ")


if __name__ == "__main__":
    unittest.main()

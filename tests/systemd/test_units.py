# SPDX-License-Identifier: MIT
"""The units and the package without booting: what an installation of the build directory
AIOD_BUILD puts where, what systemd-analyze says of it, and what lintian says of the package."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

BUILD = os.environ["AIOD_BUILD"]
UNITS = ["aiod.socket", "aiod.service", "aiod-spawner.service"]
CORE_EXPOSURE = 15  # tenths: what systemd-analyze security may find for aiod.service
SPAWNER_EXPOSURE = 56  # likewise for aiod-spawner.service, whose restrictions commands inherit


def run(*argv, status=0, **options):
    """Runs it and returns what it said, both streams."""
    env = dict(os.environ, LC_ALL="C.UTF-8", SYSTEMD_COLORS="0", **options.pop("env", {}))
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=env, check=False, **options)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{argv}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def install(prefix, destdir=""):
    run("cmake", "--install", BUILD, "--prefix", prefix, env={"DESTDIR": str(destdir)})


def pkg_config(variable):
    return run("pkg-config", f"--variable={variable}", "systemd").strip()


def unit_read(path):
    """Its settings: {name: [value, …]}."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(re.sub(r"\s+", " ", value.strip()))
    return found


class Tree(unittest.TestCase):
    """One installation below /usr in a directory, and one with a prefix of its own, whose
    executables are where its units say."""

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="aiod-")))
        cls.root = cls.dir / "root"
        cls.prefix = cls.dir / "opt"
        install("/usr", cls.root)
        install(cls.prefix)
        cls.units = {"system": cls.prefix / "lib/systemd/system",
                     "user": cls.prefix / "lib/systemd/user"}


class Places(Tree):
    def test_below_usr(self):
        """With the prefix /usr all is where Debian has it."""
        expected = [f"{pkg_config('systemdsystemunitdir')}/{unit}" for unit in UNITS]
        expected += [f"{pkg_config('systemduserunitdir')}/{unit}" for unit in UNITS]
        expected += [f"{pkg_config('sysusersdir')}/aiod.conf", f"{pkg_config('tmpfilesdir')}/aiod.conf"]
        expected += ["/etc/aiod/aiod.conf", "/usr/bin/aiod", "/usr/bin/aioctl",
                     "/usr/libexec/aiod/aiod-spawner", "/usr/share/man/man1/aioctl.1",
                     "/usr/share/man/man8/aiod.8", "/usr/share/man/man8/aiod-spawner.8"]
        missing = [path for path in expected if not (self.root / path[1:]).is_file()]
        self.assertEqual(missing, [])

    def test_completion(self):
        source = pathlib.Path(__file__).parents[2] / "docs/aioctl.bash"
        completion = self.root / "usr/share/bash-completion/completions/aioctl"
        self.assertEqual(completion.exists(), source.exists())

    def test_other_prefix(self):
        """With another prefix nothing is outside it, and the units name what is in it."""
        for directory in self.units.values():
            for unit in UNITS[1:]:
                found = unit_read(directory / unit)
                lines = " ".join(found["ExecStart"] + found.get("ExecReload", []))
                programs = re.findall(r"(/\S+/(?:bin|libexec/aiod)/a\S+)", lines)
                self.assertTrue(programs, unit)
                for program in programs:
                    self.assertTrue(program.startswith(f"{self.prefix}/"), program)
                    self.assertTrue(os.access(program, os.X_OK), program)

    def test_configuration_is_kept(self):
        """Installing again leaves an /etc/aiod/aiod.conf that was changed as it is."""
        conf = self.root / "etc/aiod/aiod.conf"
        conf.write_text("[log]\nlevel = debug\n", encoding="utf-8")
        install("/usr", self.root)
        self.assertEqual(conf.read_text(encoding="utf-8"), "[log]\nlevel = debug\n")

    def test_documented(self):
        """The man pages that the units name are there."""
        for directory in self.units.values():
            for unit in UNITS:
                for page in unit_read(directory / unit)["Documentation"][0].split():
                    name, section = re.fullmatch(r"man:([a-z-]+)\((\d)\)", page).groups()
                    self.assertTrue((self.prefix / f"share/man/man{section}/{name}.{section}").exists())


class Verify(Tree):
    def verify(self, manager):
        directory = self.units[manager]
        return run("systemd-analyze", f"--{manager}", "--man=no", "--recursive-errors=one", "verify",
                   *(directory / unit for unit in UNITS), status=None,
                   env={"SYSTEMD_UNIT_PATH": f"{directory}:", "XDG_RUNTIME_DIR": str(self.dir)})

    def test_verify(self):
        for manager in self.units:
            with self.subTest(manager):
                self.assertEqual(self.verify(manager), "")

    def test_verify_finds(self):
        """It would say something of a setting that systemd does not know."""
        unit = self.units["system"] / "aiod.service"
        text = unit.read_text(encoding="utf-8")
        self.addCleanup(unit.write_text, text, encoding="utf-8")
        unit.write_text(text.replace("[Service]\n", "[Service]\nNoSuchSetting=1\n"), encoding="utf-8")
        self.assertIn("NoSuchSetting", self.verify("system"))

    def exposure(self, name, threshold):
        """(what it said, whether the exposure is within the threshold)"""
        unit = self.units["system"] / name
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                               f"--threshold={threshold}", unit], capture_output=True, text=True,
                              check=False, env=dict(os.environ, SYSTEMD_COLORS="0"))
        overall = [line for line in done.stdout.splitlines() if "Overall exposure" in line]
        self.assertTrue(overall, done.stdout + done.stderr)
        return overall[0], done.returncode == 0

    def test_core(self):
        said, within = self.exposure("aiod.service", CORE_EXPOSURE)
        self.assertTrue(within, said)

    def test_spawner(self):
        """As it is it is within the limit; unrestricted on request it is not, so the limit can be
        failed and the drop-in lifts what it says."""
        said, within = self.exposure("aiod-spawner.service", SPAWNER_EXPOSURE)
        self.assertTrue(within, said)
        drop_in = self.units["system"] / "aiod-spawner.service.d"
        drop_in.mkdir()
        self.addCleanup(shutil.rmtree, drop_in)
        shutil.copy(self.prefix / "share/doc/aiod/examples/aiod-spawner-unrestricted.conf",
                    drop_in / "unrestricted.conf")
        said, within = self.exposure("aiod-spawner.service", SPAWNER_EXPOSURE)
        self.assertFalse(within, said)


class Settings(Tree):
    """What must not be lost in an edit; DESIGN of each is in the unit's comments."""

    def settings(self, manager, unit):
        return unit_read(self.units[manager] / unit)

    def test_daemon(self):
        for manager in self.units:
            with self.subTest(manager):
                found = self.settings(manager, "aiod.service")
                self.assertEqual(found["Wants"], ["aiod-spawner.service"])
                self.assertIn("aiod-spawner.service", found["After"][0].split())
                self.assertNotIn("RuntimeDirectory", found)
                self.assertEqual((found["Type"], found["Restart"]), (["notify"], ["always"]))
                self.assertEqual(found["StartLimitIntervalSec"], ["0"])
                self.assertIn("WatchdogSec", found)
                self.assertEqual(self.settings(manager, "aiod.socket")["TriggerLimitIntervalSec"], ["0"])

    def test_who_may_connect(self):
        found = self.settings("system", "aiod.socket")
        self.assertEqual((found["SocketMode"], found["SocketGroup"]), (["0660"], ["aiod"]))
        self.assertEqual(self.settings("user", "aiod.socket")["SocketMode"], ["0600"])

    def test_spawner(self):
        for manager in self.units:
            with self.subTest(manager):
                found = self.settings(manager, "aiod-spawner.service")
                for name, value in [("KillMode", "mixed"), ("OOMPolicy", "continue"), ("TasksMax", "infinity"),
                                    ("LimitNOFILE", "1024:524288"), ("Restart", "always")]:
                    self.assertEqual(found[name], [value], name)

    def test_spawner_hinders_no_command(self):
        """Commands inherit what the spawner's unit has. Nothing of it takes away what an ordinary user's
        command does; the system's has what the drop-in unrestricted.conf lifts."""
        harmless = {"Type", "ExecStart", "SyslogIdentifier", "Restart", "RestartSec", "KillMode",
                    "TimeoutStopSec", "RuntimeDirectory", "RuntimeDirectoryPreserve", "StateDirectory",
                    "StateDirectoryMode", "UMask", "OOMPolicy", "OOMScoreAdjust", "TasksMax", "LimitNOFILE", "After",
                    "Description", "Documentation", "StartLimitIntervalSec", "WantedBy"}
        drop_in = unit_read(self.prefix / "share/doc/aiod/examples/aiod-spawner-unrestricted.conf")
        chosen = set(drop_in) | {"SystemCallErrorNumber"}
        for manager, restricted in (("system", chosen), ("user", set())):
            found = self.settings(manager, "aiod-spawner.service")
            self.assertEqual(set(found) - harmless, restricted, manager)


@unittest.skipUnless(os.geteuid() == 0, "it needs root to make users in a root directory")
class Users(Tree):
    def test_sysusers_and_tmpfiles(self):
        """The user, its group, and the directory of the socket."""
        (self.root / "var/lib").mkdir(parents=True)
        run("systemd-sysusers", f"--root={self.root}", "aiod.conf")
        passwd = (self.root / "etc/passwd").read_text(encoding="utf-8")
        uid, gid, home, shell = re.search(
            r"^aiod:[^:]*:(\d+):(\d+):[^:]*:([^:]*):(.*)$", passwd, re.M).groups()
        self.assertEqual((home, shell), ("/var/lib/aiod", "/usr/sbin/nologin"))
        self.assertRegex((self.root / "etc/group").read_text(encoding="utf-8"), rf"(?m)^aiod:[^:]*:{gid}:$")
        run("systemd-tmpfiles", "--create", f"--root={self.root}", "aiod.conf")
        found = (self.root / "run/aiod").stat()
        self.assertEqual((found.st_uid, found.st_gid, found.st_mode & 0o7777),
                         (int(uid), int(gid), 0o755))


class UserSpawner(Tree):
    """A user's spawner listens where a user's aiod looks for it."""

    @contextlib.contextmanager
    def started(self, line, home, env):
        """Runs a service from READY=1 to SIGTERM."""
        path = f"{home}/notify.{os.path.basename(line[0])}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.settimeout(60)
            notify.bind(path)
            env = {"PATH": os.environ["PATH"], "HOME": str(home), "NOTIFY_SOCKET": path,
                   "XDG_RUNTIME_DIR": str(home), **env}
            with open(f"{path}.log", "wb") as log, \
                    subprocess.Popen(line, cwd="/", env=env, stdout=log, stderr=log) as process:
                try:
                    while b"READY=1" not in notify.recv(4096).split(b"\n"):
                        pass
                    yield process.pid
                finally:
                    process.send_signal(signal.SIGTERM)

    def exec_start(self):
        """/bin/sh -c LINE, with systemd's escapes taken back."""
        line = unit_read(self.units["user"] / "aiod-spawner.service")["ExecStart"][0]
        script = re.fullmatch(r"/bin/sh -c '(.*)'", line).group(1)
        return ["/bin/sh", "-c", script.replace("$$", "$").replace("%%", "%")]

    def test_places(self):
        for state in (None, "absolute", "not/absolute"):
            with self.subTest(state), contextlib.ExitStack() as stack:
                home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiod-")))
                env, expected = {"XDG_STATE_HOME": state} if state else {}, home / ".local/state/aiod"
                if state == "absolute":
                    env, expected = {"XDG_STATE_HOME": f"{home}/elsewhere"}, home / "elsewhere/aiod"
                spawner = stack.enter_context(self.started(self.exec_start(), home, env))
                self.assertEqual(expected.stat().st_mode & 0o777, 0o700)
                stack.enter_context(self.started([self.prefix / "bin/aiod", "--user"], home, env))
                aioctl = [self.prefix / "bin/aioctl", "--socket", home / "aiod/control.sock"]
                run(*aioctl, "run", "true")  # it has its spawner
                health = json.loads(run(*aioctl, "health", "-o", "json"))
                self.assertEqual((health["spawner"]["socket"], health["spawner"]["pid"]),
                                 (f"{expected}/spawner.sock", spawner))


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="aiod-")))
        cls.deb = cls.pack("first")

    @classmethod
    def pack(cls, name):
        run("cpack", "-G", "DEB", "-B", cls.dir / name, cwd=BUILD)
        found = list((cls.dir / name).glob("*.deb"))
        assert len(found) == 1, found
        return found[0]

    def test_lintian(self):
        said = run("lintian", "--profile=debian", "--fail-on=error,warning", "--tag-display-limit=0",
                   "--allow-root", self.deb, status=None)
        self.assertNotRegex(said, r"(?m)^[EW]: ")

    def test_reproducible(self):
        again = self.pack("second")
        self.assertEqual(self.deb.name, again.name)
        self.assertEqual(self.deb.read_bytes(), again.read_bytes())

    def test_conffiles(self):
        """Everything below /etc belongs to the administrator."""
        listed = run("dpkg-deb", "--info", self.deb, "conffiles").split()
        inside = [line.split()[-1][1:] for line in run("dpkg-deb", "--contents", self.deb).splitlines()]
        self.assertEqual(sorted(listed), sorted(
            path for path in inside if path.startswith("/etc/") and not path.endswith("/")))

    def test_upgrade_spares_the_spawner(self):
        """No script of the package stops or restarts the spawner but prerm, when it is removed."""
        control = self.dir / "control"
        run("dpkg-deb", "--control", self.deb, control)
        for script in ("postinst", "prerm", "postrm"):
            text = (control / script).read_text(encoding="utf-8")
            run("sh", "-n", control / script)
            for line in text.splitlines():
                if re.search(r"(stop|restart)\b.*aiod-spawner", line) and not line.startswith("#"):
                    self.assertEqual(script, "prerm", line)
        self.assertIn('[ "$1" = remove ]', (control / "prerm").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

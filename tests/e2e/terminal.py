# SPDX-License-Identifier: MIT
"""A program on a terminal of its own, and what a person would see there: a pseudo-terminal with
the few control sequences that aioctl uses."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import TIMEOUT

SEQUENCE = re.compile(rb"\x1b\[(\??[0-9;]*)([A-Za-z])")


class Screen:
    """Lines of one screen, a cursor, and whether anything was pushed out at the top."""

    wraps = True

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines = [""] * rows
        self.row = self.column = 0
        self.scrolled = 0

    def put(self, text):
        for char in text:
            if self.column == self.columns and self.wraps:
                self.newline()
                self.column = 0
            if self.column < self.columns:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + char + line[self.column + 1:]
                self.column += 1

    def newline(self):
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.lines = self.lines[1:] + [""]
        self.scrolled += 1

    def erase_line(self):
        self.lines[self.row] = self.lines[self.row][:self.column]

    def erase_below(self):
        self.erase_line()
        self.lines[self.row + 1:] = [""] * (self.rows - self.row - 1)


class Terminal:
    """Runs a program as the foreground job of a new session."""

    def __init__(self, argv, env, rows=24, columns=100):
        self.master, slave = pty.openpty()
        self.main = Screen(rows, columns)
        self.alternate = None  # a Screen while it is in use
        self.cursor = True
        self.raw = b""  # everything that was written
        self.left = b""
        self.resize(rows, columns)
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            argv, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        for screen in (self.main, self.alternate):
            if screen:
                screen.__init__(rows, columns)

    @property
    def screen(self):
        return self.alternate or self.main

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.lines).rstrip("\n")

    def control(self, parameter, letter):
        screen = self.screen
        if (parameter, letter) == ("?1049", "h"):
            self.alternate = Screen(screen.rows, screen.columns)
        elif (parameter, letter) == ("?1049", "l"):
            self.alternate = None
        elif parameter == "?25":
            self.cursor = letter == "h"
        elif letter == "H":
            screen.row = screen.column = 0
        elif letter == "K":
            screen.erase_line()
        elif letter == "J" and parameter == "2":
            screen.lines = [""] * screen.rows
        elif letter == "J":
            screen.erase_below()
        elif parameter == "?7":
            screen.wraps = letter == "h"
        elif letter != "m":
            raise AssertionError(f"a sequence that no test knows: {parameter!r} {letter!r}")

    def feed(self, data):
        self.raw += data
        data = self.left + data
        while data:
            match = SEQUENCE.match(data)
            if match:
                self.control(match.group(1).decode(), match.group(2).decode())
                data = data[match.end():]
            elif data[:1] == b"\n":
                self.screen.newline()
                data = data[1:]
            elif data[:1] == b"\r":
                self.screen.column = 0
                data = data[1:]
            elif data[:1] == b"\x1b":
                if len(data) > 32:
                    raise AssertionError(f"a sequence that no test knows: {data[:32]!r}")
                break  # the rest is still to come
            else:
                plain = re.match(rb"[^\x1b\r\n]+", data).group()
                try:
                    text = plain.decode()
                except UnicodeDecodeError as e:
                    if e.end < len(plain) or len(data) > len(plain):
                        raise
                    text = plain[:e.start].decode()  # a character that is not whole
                    self.screen.put(text)
                    data = plain[e.start:]
                    break
                self.screen.put(text)
                data = data[len(plain):]
        self.left = data

    def read(self, timeout):
        """Takes in what was written; False at the end of the program's output."""
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.feed(data)
        return bool(data)

    def until(self, what, condition, timeout=TIMEOUT):
        """Reads until the condition on the terminal holds; returns its value."""
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not so after {timeout} s: {what}\n{self.text()}")
            if not self.read(0.05) or self.process.poll() is not None and not self.waiting():
                self.drain()
                if not condition():
                    raise AssertionError(f"it ended with {self.process.poll()} before: {what}\n"
                                         f"{self.text()}")

    def waiting(self):
        """Whether something can be read."""
        return bool(select.select([self.master], [], [], 0)[0])

    def drain(self):
        while self.waiting() and self.read(0):
            pass

    def until_text(self, pattern):
        return self.until(pattern, lambda: re.search(pattern, self.text()))

    def type(self, text):
        os.write(self.master, text)

    def signal(self, signo):
        self.process.send_signal(signo)

    def state(self):
        """The letter of the process in /proc: T is stopped."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]

    def wait(self):
        """The exit status, once all that was written is read."""
        os.close(self.slave)
        self.slave = -1
        end = time.monotonic() + TIMEOUT
        while self.read(0.05) and time.monotonic() < end:
            pass
        return self.process.wait(TIMEOUT)

    def attributes(self):
        return termios.tcgetattr(self.master)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(TIMEOUT)
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

# SPDX-License-Identifier: MIT
"""What a comparison is made of: figures taken in turn, their ratio, a target, a row of the table.

Sides are measured one after the other in every round, so that whatever else the machine does
meets all of them; a ratio is made of figures of the same round, and of these ratios the median
counts. The spread beside it is the least and the greatest of them.
"""
import dataclasses
import statistics


@dataclasses.dataclass
class Target:
    sign: str     # "<=" or ">="
    value: float
    text: str     # as people say it

    def reached(self, value):
        return value <= self.value if self.sign == "<=" else value >= self.value


def at_most(value, text):
    return Target("<=", value, "≤ " + text)


def at_least(value, text):
    return Target(">=", value, "≥ " + text)


class Figures:
    """One side's figures, one a round."""

    def __init__(self, values, unit):
        self.values = [float(value) for value in values]
        self.unit = unit

    @property
    def median(self):
        return statistics.median(self.values)

    def __str__(self):
        return figure(self.median, self.unit)

    def over(self, other):
        """The ratios to another side's, round by round; no unit."""
        return Figures([a / b for a, b in zip(self.values, other.values)], "")


def figure(value, unit):
    """A number as people read it: three digits that count."""
    if unit == "/s" and value >= 10000:
        return f"{value / 1000:.0f} k/s"
    if unit == "B" and value >= 4096:
        return f"{value / 1024:.0f} KiB" if value < 1 << 20 else f"{value / (1 << 20):.1f} MiB"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}{'' if unit in ('', '/s') else ' '}{unit}"


@dataclasses.dataclass
class Row:
    what: str
    ours: Figures
    target: Target = None      # None: a figure beside the others
    peer: str = ""
    theirs: Figures = None     # None: the target is a figure of our own
    note: str = ""             # where the time goes

    @property
    def ratio(self):
        return self.ours.over(self.theirs) if self.theirs else None

    def judged(self):
        return self.ratio if self.theirs else self.ours

    def reached(self):
        if self.target is None:
            return ""
        return "yes" if self.target.reached(self.judged().median) else "NO"

    def cells(self):
        ratio = ""
        if self.theirs:
            low, high = min(self.ratio.values), max(self.ratio.values)
            ratio = f"{figure(self.ratio.median, '')} ({figure(low, '')} to {figure(high, '')})"
        peer = f"{self.peer} {self.theirs}" if self.theirs else self.peer
        return [self.what, peer, str(self.ours), ratio,
                self.target.text if self.target else "", self.reached()]


HEAD = ["what", "peer", "ours", "ratio (spread)", "target", "reached"]


def in_turn(rounds, **sides):
    """Calls each side once a round; returns what each gave, in lists."""
    given = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            given[name].append(measure())
    return given


def as_text(rows):
    table = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    lines = []
    for i, cells in enumerate(table):
        lines.append("  ".join(c.ljust(w) for c, w in zip(cells, widths)).rstrip())
        if i > 0 and rows[i - 1].note:
            lines.append("    " + rows[i - 1].note)
    return "\n".join(lines)


def as_markdown(rows):
    lines = ["| " + " | ".join(HEAD) + " |", "| " + " | ".join("---" for _ in HEAD) + " |"]
    for row in rows:
        cells = row.cells()
        if row.note:
            cells[0] += f" <br> {row.note}"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"

# SPDX-License-Identifier: MIT
"""Coroutines of daemon/aio in one process, against uvloop and Go: no disk, no socket."""
import os
import sys

from compare import Figures, Row, at_most, in_turn

HERE = os.path.dirname(os.path.abspath(__file__))


def ours(rig, *args):
    return lambda: float(rig.run("native", *args))


def uvloop(rig, *args):
    peer = os.path.join(HERE, "native_peer.py")
    return lambda: float(rig.run(sys.executable, peer, *map(str, args)))


def go(rig, *args):
    return lambda: float(rig.run("peer", *args))


def both(rig, what, targets, word, alive, each):
    """Two rows. uvloop gets a tenth of them, because it takes longer: it is nanoseconds for one."""
    counts = {"create": (each // alive, alive), "switch": (alive, each // alive)}[word]
    fewer = {"create": (each // alive // 10, alive), "switch": (alive, each // alive // 10)}[word]
    got = in_turn(rig.rounds(), ours=ours(rig, word, *counts), uvloop=uvloop(rig, word, *fewer),
                  go=go(rig, word, *counts))
    mine = Figures(got["ours"], "ns")
    for peer, target in zip(("uvloop", "Go"), targets):
        yield Row(f"{what}, {alive} alive", mine, target, peer, Figures(got[peer.lower()], "ns"))


def run(rig):
    """The targets are for a server's number of tasks. Go's queue is at its best with few: beside."""
    each = rig.count(2000000, 500000)
    create, switch = "native task: create, one switch, finish", "native switch, accounting on"
    yield from both(rig, create, (at_most(1 / 20, "1/20"), at_most(1 / 3, "1/3")), "create", 10000,
                    each)
    yield from both(rig, create, (None, None), "create", 100, each)
    yield from both(rig, switch, (at_most(1 / 15, "1/15"), at_most(1 / 3, "1/3")), "switch", 10000,
                    each * 2)
    yield from both(rig, switch, (None, None), "switch", 100, each * 2)
    sleepers = 1000000 if rig.million else rig.count(200000, 50000)
    got = in_turn(rig.rounds(3), ours=ours(rig, "memory", sleepers),
                  go=go(rig, "memory", sleepers // 10))
    yield Row(f"memory of a suspended native coroutine with its task, {sleepers} at once",
              Figures(got["ours"], "B"), at_most(400, "400 B"),
              note=f"a goroutine that sleeps: {Figures(got['go'], 'B')}")

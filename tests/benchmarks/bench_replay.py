"""Replaying a run, also on classes made again, and loading it, against running it the first time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab.lab import Lab
from tests.benchmarks.measuring import medians, table
from tests.trace.test_reload import Remade

COMMANDS = 1_000


def run() -> list[str]:
    """The report, line by line."""
    commands = list(bank.random_commands(COMMANDS, seed=3, accounts=100))
    ran, remade = first(commands), Remade(bank)
    with tempfile.TemporaryDirectory() as folder:
        path = ran.save(Path(folder) / "run.jsonl")
        works = {
            "running for the first time": lambda: first(commands),
            "replay()": lambda: replayed(ran),
            "reload() on classes made again": lambda: reloaded(ran, remade),
            "Lab.load() of the saved run": lambda: Lab.load(path, bank, checked=False),
        }
        times = medians(works)
    return [f"{COMMANDS:,} commands (aims: at most 1.2; Lab.load 1.6)", *table(times, COMMANDS)]


def first(commands: list[object]) -> Lab:
    """The commands, run in a new lab."""
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*commands)
    lab.resume()
    return lab


def replayed(lab: Lab) -> None:
    """The run of the first branch, decided again by the same classes."""
    lab.switch("main")
    lab.replay(name="again")
    lab.switch("main")
    lab.remove("again")


def reloaded(lab: Lab, remade: Remade) -> None:
    """The same, decided by classes that were made again."""
    lab.switch("main")
    with remade as now:
        lab.reload(now)
    made = lab.trace.branch.name
    lab.switch("main")
    lab.remove(made)

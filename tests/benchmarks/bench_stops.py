"""Running 10,000 steps with breakpoints and an invariant that never stop a move, against without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from tests.benchmarks.measuring import medians, table

MOMENTS = 10_000
ROUNDS = 3
AIM = 1.1


def run() -> list[str]:
    """The report: what each takes, and the aim."""
    times, moments = measured(MOMENTS, ROUNDS)
    return [
        f"resume over {moments:,} steps",
        *table(times, moments),
        f"  aim: at most {AIM} times the first",
    ]


def measured(moments: int, rounds: int) -> tuple[dict[str, float], int]:
    """The seconds that running about so many steps takes, by what might stop the move; and the steps."""
    commands = list(bank.random_commands(moments // 8, seed=3, accounts=50))
    lab = _lab(commands)
    _resumed(lab)
    works: dict[str, Callable[[Lab], object]] = {
        "no breakpoint": lambda lab: None,
        "a conflict": lambda lab: lab.break_on("conflict"),
        "a field": lambda lab: lab.break_on(("BankAccount-nobody", "balance")),
        "a function": lambda lab: lab.break_on(lambda moment: False),
        "an invariant": lambda lab: lab.invariant("always", lambda stack: True),
    }

    def work(prepare: Callable[[Lab], object]) -> Callable[[], Any]:
        def resumed() -> None:
            lab = _lab(commands)
            prepare(lab)
            _resumed(lab)

        return resumed

    return medians({name: work(prepare) for name, prepare in works.items()}, rounds), len(lab.trace)


def _lab(commands: list[Any]) -> Lab:
    lab = Lab(bank, checked=False)
    lab.send(*commands)
    return lab


def _resumed(lab: Lab) -> None:
    lab.resume(limit=10 * MOMENTS)
    assert lab.stepper.at_end

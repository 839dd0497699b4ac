"""Asking why, when and where over a long run, beside a walk over all its moments."""

from __future__ import annotations

from itertools import count
from time import perf_counter
from typing import Any

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from tests.benchmarks.measuring import medians, table

MOMENTS = 20_000
ACCOUNTS = 40
LONG_AGO = 0.1
AIMS = (
    "aims: why and when at most the walk, find at most ten times the walk; of a value of long ago, why at "
    f"most {LONG_AGO} times the walk, also in a stream that has all versions"
)


def run() -> list[str]:
    """The report: each question beside the walk, and the first search, which reads all texts."""
    lab, alone = _long(), _of_one_stream()
    name = max(lab.aggregates, key=lambda each: lab.stack.aggregate_versions[each])
    began = perf_counter()
    lab.find("carol")
    first = perf_counter() - began
    letters = count()
    times = medians(
        {
            "a walk": lambda: sum(_touched(moment) for moment in lab.trace),
            "why": lambda: lab.why(name, "balance"),
            "why, of a value of long ago": lambda: lab.why(name, "status"),
            "why, of a value of long ago in one stream": lambda: alone.why("BankAccount-a", "name"),
            "when": lambda: lab.when(name, "balance"),
            "when, of a value of long ago in one stream": lambda: alone.when("BankAccount-a", "name"),
            "find": lambda: lab.find(f"{next(letters)}x"),
            "bisect, by halving": lambda: lab.bisect(lambda moment: moment.index > MOMENTS // 2),
        }
    )
    return [
        f"{len(lab.trace):,} moments, {ACCOUNTS} accounts; {name} has the most events",
        *table(times, 1, "ms"),
        f"the first find, which reads all texts: {first * 1e3:.1f} ms",
        AIMS,
    ]


def _touched(moment: Any) -> int:
    step = moment.step
    return 0 if step is None else len(step.recorded)


def _long() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.random_commands(MOMENTS // 5, seed=1, accounts=ACCOUNTS))
    lab.resume(limit=MOMENTS)
    return lab


def _of_one_stream() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(bank.CreateAccount("a", "Ann"), *(bank.DepositFunds("a", n) for n in range(1, MOMENTS // 4)))
    lab.resume(limit=MOMENTS)
    return lab

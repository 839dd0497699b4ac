"""Dispatch in memory: against a loop by hand, against `eventsourcing`, over a long history, and in memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import DepositFunds, Transfer, random_commands
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from tests.benchmarks.dispatch_by_hand import ByHand
from tests.benchmarks.measuring import fresh, medians, table

COMMANDS = 5_000
_KEPT_IN_MEMORY = """
import resource
from calamity_lab.examples.bank import DepositFunds
from tests.benchmarks.bench_dispatch import kept
moments = kept([DepositFunds(str(n % 1_000), amount=1) for n in range(100_000)])
print(len(moments[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def run() -> list[str]:
    """The report."""
    logging.getLogger("calamity_lab").setLevel(logging.ERROR)  # the traffic has refusals by the hundred
    return [
        *_against_a_loop_by_hand(),
        *_over_a_long_history(),
        *_against_eventsourcing(),
        *_in_memory(),
        *_import_time(),
    ]


def by_hand(commands: Sequence[Any]) -> ByHand:
    """The commands through the loop by hand."""
    system = ByHand(Transfer)
    for command in commands:
        system.dispatch(command)
    return system


def dispatched(commands: Sequence[Any]) -> Stack:
    """The commands through `dispatch`, on a growing stack."""
    stack = Stack(process_manager_types=(Transfer,))
    for command in commands:
        try:
            stack = dispatch(stack, command)
        except Rejected:
            continue
    return stack


def kept(commands: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The commands through `advance`, with every step and every run kept."""
    steps: list[Any] = []
    runs: list[Any] = []
    run = begin(Stack(process_manager_types=(Transfer,)))
    for command in commands:
        run = run.submit(command)
        while not run.idle:
            step, run = advance(run)
            steps.append(step)
            runs.append(run)
    return steps, runs


def _kept_uncollected(commands: Sequence[Any]) -> Any:
    gc.disable()
    try:
        return kept(commands)
    finally:
        gc.enable()


def _against_a_loop_by_hand() -> list[str]:
    deposits = [DepositFunds(str(n % 200), amount=5) for n in range(COMMANDS)]
    traffic = random_commands(COMMANDS, accounts=200)
    lines = []
    for name, commands in (("deposits", deposits), ("traffic with transfers", traffic)):
        works: dict[str, Callable[[], Any]] = {
            "by hand": partial(by_hand, commands),
            "dispatch": partial(dispatched, commands),
            "advance, every moment kept": partial(kept, commands),
            "the same without the garbage collector": partial(_kept_uncollected, commands),
        }
        lines += [f"one command of {COMMANDS:,}, {name} (aim: at most 4 times)"]
        lines += table(medians(works), COMMANDS)
    return lines


def _over_a_long_history() -> list[str]:
    """What the same commands cost at every length of one stream, right on from an old value too."""
    lengths, batch, rounds = (1_000, 10_000, 100_000), 300, 9
    halfway = stack = Stack(process_manager_types=(Transfer,))
    at: dict[str, Stack] = {}
    for n in range(1, lengths[-1] + 1):
        stack = dispatch(stack, DepositFunds("1", amount=1))
        if n in lengths:
            at[f"after {n:,} events"] = stack
        if n == 50_000:
            halfway = stack
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, old in {**at, "from an old value, at 50,000 events": halfway}.items():
            times.setdefault(name, []).append(_batch(old, batch))
    lines = ["one deposit on one stream (aim: flat)"]
    return lines + table({name: median(taken) for name, taken in times.items()}, batch)


def _batch(stack: Stack, count: int) -> float:
    commands = [DepositFunds("1", amount=1) for _ in range(count)]
    began = perf_counter()
    for command in commands:
        stack = dispatch(stack, command)
    return perf_counter() - began


def _against_eventsourcing() -> list[str]:
    from tests.benchmarks.dispatch_by_eventsourcing import deposits

    count = 200
    commands = [DepositFunds("1", amount=5) for _ in range(count)]
    works: dict[str, Callable[[], Any]] = {
        "eventsourcing, load and save": lambda: deposits(count),
        "eventsourcing, aggregate cached": lambda: deposits(count, cached=True),
        "dispatch": lambda: dispatched(commands),
        "advance, every moment kept": lambda: kept(commands),
    }
    return [f"one deposit of {count:,} on one account in memory", *table(medians(works), count)]


def _in_memory() -> list[str]:
    moments, megabytes = fresh(_KEPT_IN_MEMORY).split()
    return [
        "100,000 commands on 1,000 aggregates, every moment kept (aim: under 500 MB)",
        f"{int(moments):,} moments: {megabytes} MB at most in a fresh process",
    ]


def _import_time() -> list[str]:
    def started(source: str) -> Callable[[], Any]:
        return lambda: fresh(source)

    works = {"python -c pass": started("pass"), "import calamity_lab": started("import calamity_lab")}
    return ["a fresh interpreter (aim: at most 3 times)", *table(medians(works, rounds=11), 1, "ms")]

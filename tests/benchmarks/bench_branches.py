"""Forking, going back and stepping with a thousand branches, beside one; replaying beside the first run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.trace.replay import replay
from calamity_lab.views.branches import branch_tree
from tests.benchmarks.measuring import medians, table

COMMANDS = 500
BRANCHES = 1_000
MOST = 1.2
REPEAT = 20


def run() -> list[str]:
    """The report: what each takes, and the aims."""
    first = _run_lab()
    times = medians({"the first run": _run_lab, "a replay of it": lambda: replay(first.trace)})
    return [
        *_beside_one(),
        "  aim: 1 ms at most, also with 100,000 moments",
        f"the same {COMMANDS:,} commands",
        *table(times, 1, "ms"),
        f"  aim: at most {MOST} times the first run",
    ]


def _beside_one() -> list[str]:
    one, many = _run_lab(), _run_lab()
    for n in range(BRANCHES):
        many.goto(n * 7 % len(many.trace.branches["main"].moments))
        many.fork(f"fork {n}")
        many.switch("main")
    names = count()

    def repeated(act: Callable[[Lab, int], None], lab: Lab) -> Callable[[], None]:
        def repeat() -> None:
            for _ in range(REPEAT):
                act(lab, next(names))

        return repeat

    report = [f"{len(one.trace):,} moments; one branch, then {BRANCHES:,}; {REPEAT} times each"]
    for act in (_fork, _act, _step):
        times = medians({"one": repeated(act, one), f"{BRANCHES:,}": repeated(act, many)})
        report += [f"{act.__doc__}", *table(times, REPEAT)]
    return report


def _run_lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.random_commands(COMMANDS, seed=1, accounts=50))
    lab.resume()
    return lab


def _fork(lab: Lab, number: int) -> None:
    """Going back and forking."""
    lab.switch("main")
    lab.goto(number * 31 % len(lab.trace))
    lab.fork(f"again {number}")


def _act(lab: Lab, number: int) -> None:
    """Sending a command in the past."""
    lab.switch("main")
    lab.goto(number * 31 % len(lab.trace))
    lab.send(bank.DepositFunds("1", number + 1))


def _step(lab: Lab, number: int) -> None:
    """Sending and stepping at the end, with the tree of branches for the widget."""
    lab.switch("main")
    lab.send(bank.DepositFunds("1", number + 1))
    lab.step()
    branch_tree(lab.trace)

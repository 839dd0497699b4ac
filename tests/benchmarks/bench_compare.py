"""Comparing two branches that share half of their moments, beside a walk over all moments of both."""

from __future__ import annotations

from typing import Any

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.trace.compare import compare
from calamity_lab.trace.trace import Branch
from tests.benchmarks.measuring import medians, table

COMMANDS = 1_200
AIM = 2.0


def run() -> list[str]:
    """The report: what each takes, and the aim."""
    lab = _branched()
    main, other = lab.branches.values()
    times = medians(
        {"a walk over both": lambda: _walked(main, other), "compare": lambda: compare(lab.trace, "main")}
    )
    return [
        f"two branches of {len(main.moments):,} moments that share {other.forked_at:,}",
        *table(times, 1, "ms"),
        f"  aim: at most {AIM} s with 100,000 moments; here that is "
        f"{times['compare'] * 100_000 / len(main.moments):.2f} s",
    ]


def _branched() -> Lab:
    """A lab on which every tenth command of the second half was left out on another branch."""
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    commands = list(bank.random_commands(COMMANDS, seed=1, accounts=50))
    half = COMMANDS // 2
    lab.send(*commands[:half])
    lab.resume()
    lab.fork("other")
    lab.send(*[command for n, command in enumerate(commands[half:]) if n % 10])
    lab.resume()
    lab.switch("main")
    lab.send(*commands[half:])
    lab.resume()
    lab.switch("other")
    return lab


def _walked(one: Branch, other: Branch) -> list[Any]:
    """What every step of both branches says, and the states at their ends."""
    found: list[Any] = []
    for branch in (one, other):
        for moment in branch.moments:
            step = moment.step
            if step is not None:
                events = [recorded.event for recorded in step.recorded]
                found.append((step.kind, step.stream_id, step.command, events, step.after))
        found.append(dict(branch.moments[-1].stack.aggregates))
    return found

"""The rows of the log in a long run, beside those in a run a tenth as long."""

from __future__ import annotations

from itertools import count

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.chart import Chart, Charts
from calamity_lab.views.log import log_rows
from tests.benchmarks.measuring import medians, table

MOMENTS = 20_000
TIMES = 20
AIM = 1.5
ROUNDS = 7


def run() -> list[str]:
    """The report: the rows at the end and in the middle, and those that match a word."""
    short, long = _lab(MOMENTS // 10), _lab(MOMENTS)
    charts = {lab: Charts().of(lab.trace) for lab in (short, long)}
    lines = list[str]()
    for title, share in (("at the end", 1.0), ("in the middle", 0.5)):
        works = {
            f"{len(lab.trace):,} moments": lambda lab=lab, share=share: _rows(lab, share, charts[lab])
            for lab in (short, long)
        }
        lines += [f"the log {title} (aim: at most {AIM} times)", *table(medians(works, ROUNDS), TIMES, "ms")]
    letters = count()
    searched = medians(
        {
            "a walk over all moments": lambda: sum(len(str(moment.step)) for moment in long.trace),
            "a word that nobody looked for": lambda: log_rows(long.trace, 0, query=f"{next(letters)}x"),
        },
        3,
    )
    return [*lines, "rows that match (aim: at most the walk)", *table(searched, 1, "ms")]


def _rows(lab: Lab, share: float, chart: Chart) -> None:
    for _ in range(TIMES):
        log_rows(lab.trace, int(lab.trace.last * share), chart=chart)


def _lab(moments: int) -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.random_commands(moments // 4, seed=1, accounts=40))
    lab.resume(limit=moments)
    return lab

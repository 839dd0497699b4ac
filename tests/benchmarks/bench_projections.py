"""A step and what the views show of it, with projections and without, at 1,000 moments and at 100,000."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from calamity_lab.examples import bank
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import Model
from calamity_lab.trace.stepper import Stepper
from calamity_lab.views.chart import Charts
from calamity_lab.views.controls import controls
from calamity_lab.views.state import KeptRows, state
from calamity_lab.widgets.patches import chart_patch
from tests.benchmarks.measuring import medians, table

SIZES = (1_000, 100_000)
STEPS = 200
PROJECTIONS = {"without projections": (), "with projections": (BankTotals, Turnover)}


def run() -> list[str]:
    """The report, line by line."""
    works = {
        f"{name}, at {size:,} moments": stepping(size, projections)
        for name, projections in PROJECTIONS.items()
        for size in SIZES
    }
    return ["one step, and what the views show of it (aim: flat)", *table(medians(works), STEPS)]


def stepping(size: int, projections: tuple[type, ...]) -> Callable[[], None]:
    """Goes on by some steps in a run of so many moments, and looks at each with the views of the lab."""
    stack = Stack(process_manager_types=(bank.Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    stepper = Stepper(stack, checked=False, model=Model(projections=tuple(projections)))
    stepper.submit(*bank.random_commands(size // 4, accounts=50))
    stepper.resume(limit=size)
    return partial(_on, stepper, Charts(), KeptRows(), count(1))


def _on(stepper: Stepper, charts: Charts, rows: KeptRows, numbers: count[int]) -> None:
    stepper.submit(*(bank.DepositFunds(f"{next(numbers) % 50}", amount=1) for _ in range(STEPS // 5)))
    earlier = charts.of(stepper.trace)
    for _ in range(STEPS):
        stepper.step_in()
        trace, cursor = stepper.trace, stepper.cursor
        state(trace, cursor, kept=rows, limit=24)
        controls(trace, cursor)
        chart = charts.of(trace)
        chart_patch(chart, earlier)
        earlier = chart

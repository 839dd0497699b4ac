"""A view costs what is shown and what changed, never the length of the trace: counted, not timed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calamity_lab import text as text_module
from calamity_lab.examples import bank
from calamity_lab.examples.bank import RenameAccount, WithdrawFunds
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel import schema
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.deadlines import Deadlines
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.steps import Step
from calamity_lab.model import Model
from calamity_lab.trace.selection import Selection
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views import counters as counters_module
from calamity_lab.views.agenda import agenda
from calamity_lab.views.chart import Chart, Charts
from calamity_lab.views.controls import controls
from calamity_lab.views.counters import Counters, counters
from calamity_lab.views.events import event_rows
from calamity_lab.views.lanes import window
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.search import search_results
from calamity_lab.views.selected import selected
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.widgets.patches import chart_patch
from tests.holds import Holding, HoldSeat, RemindGuest, theatre
from tests.views.traces import trace_of

START = datetime(2027, 1, 1, tzinfo=UTC)

BANK = Model.find(bank)

CHARTS = Charts()

VIEWS: dict[str, Callable[[Trace, int], Any]] = {
    "controls": controls,
    "agenda": agenda,
    "state": state,
    "state, searched": lambda trace, cursor: state(trace, cursor, query="Greta"),
    "lanes": lambda trace, cursor: window(CHARTS.of(trace), cursor),
    "events": event_rows,
    "sequence": sequence,
    "sequence, the whole run": lambda trace, cursor: sequence(trace, cursor, correlation=ALL),
    "events, searched": lambda trace, cursor: event_rows(trace, cursor, query="T0000"),
    "found": lambda trace, cursor: search_results(trace, cursor, query="T0000"),
    "process graph": lambda trace, cursor: process_graph(trace, cursor, BANK),
    "selected, a step": lambda trace, cursor: selected(trace, Selection(moment=max(cursor, 1))),
    "selected, an event": lambda trace, cursor: selected(trace, latest(trace, cursor)),
    "process graph, an instance chosen": lambda trace, cursor: process_graph(
        trace, cursor, BANK, instance="T000010"
    ),
}


def latest(trace: Trace, cursor: int) -> Selection:
    """The event before the cursor."""
    past = trace.index.events_at(cursor)
    return Selection(position=trace.index.events[max(past, 1) - 1].position)


@pytest.fixture(scope="module", params=[(), (BankTotals, Turnover)], ids=["", "with projections"])
def projections(request: pytest.FixtureRequest) -> tuple[type, ...]:
    found: tuple[type, ...] = request.param
    return found


@pytest.fixture(scope="module")
def short(projections: tuple[type, ...]) -> Trace:
    return trace_of(*bank.random_commands(400, seed=3, accounts=100), projections=projections)


@pytest.fixture(scope="module")
def long(projections: tuple[type, ...]) -> Trace:
    return trace_of(*bank.random_commands(4_000, seed=3, accounts=1_000), projections=projections)


def looked_at(monkeypatch: pytest.MonkeyPatch, view: Callable[[Trace, int], Any], trace: Trace) -> int:
    """How often a view looks into a trace, a store or a state when the cursor goes on by a step."""
    cursor = trace.last // 2
    view(trace, trace.last)
    view(trace, cursor - 1)
    count = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any) -> Any:
            nonlocal count
            count += 1
            return call(*given)

        return counting

    with monkeypatch.context() as patch:
        patch.setattr(PersistentVector, "_leaf", counted(PersistentVector._leaf))
        patch.setattr(InMemoryAggregateStore, "get", counted(InMemoryAggregateStore.get))
        patch.setattr(text_module, "fields_of", counted(schema.fields_of))
        view(trace, cursor)
    return count


def test_the_traces_differ_by_a_factor_of_ten(short: Trace, long: Trace) -> None:
    assert len(long) > 10_000
    assert len(long) > 8 * len(short)
    assert len(long.index.lanes) > 1_000


@pytest.mark.parametrize("name", VIEWS)
def test_a_step_costs_the_same_in_a_long_trace_as_in_a_short_one(
    monkeypatch: pytest.MonkeyPatch, short: Trace, long: Trace, name: str
) -> None:
    near, far = (looked_at(monkeypatch, VIEWS[name], trace) for trace in (short, long))
    assert near > 0, "the counting counts"
    # Bisection may look a few times more; what the moments show may differ by some rows.
    assert far <= 1.6 * near + 60, f"{near} looks became {far}"


def test_a_jump_over_the_whole_trace_is_no_walk(monkeypatch: pytest.MonkeyPatch, long: Trace) -> None:
    for view in VIEWS.values():
        view(long, long.last)
        view(long, 5)
        assert looked_at(monkeypatch, view, long) < 3_000


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_plain_json_with_markup_unchanged(name: str) -> None:
    text = "<script>alert('Greta')</script>"
    trace = trace_of(
        *bank.story(), RenameAccount("bob", text), WithdrawFunds(text, 5), RenameAccount(text, "T0000")
    )
    for cursor in range(0, len(trace), 7):
        assert json.loads(json.dumps(asdict(VIEWS[name](trace, cursor))))
    if not name.startswith("process graph"):
        said = [
            json.dumps(asdict(VIEWS[name](trace, cursor)), ensure_ascii=False) for cursor in range(len(trace))
        ]
        assert any(text in each for each in said)
        assert not any("&lt;" in each for each in said)


def test_the_counters_go_on_by_a_step_for_the_cost_of_that_step(
    long: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    adds: list[int] = []
    add = counters_module._add

    def adding(total: Counters, step: Step, *given: Any) -> Counters:
        adds.append(step.index)
        return add(total, step, *given)

    start = long.last // 2
    counters(long, start)
    with monkeypatch.context() as patch:
        patch.setattr(counters_module, "_add", adding)
        for cursor in range(start, start + 50):
            assert counters(long, cursor) is counters(long, cursor)
    assert adds == list(range(start + 1, start + 50))


def test_the_counters_are_the_same_whatever_was_asked_before(short: Trace) -> None:
    there = range(min(len(short), 200))
    asked = [{cursor: counters(short, cursor) for cursor in order} for order in (there, reversed(there))]
    for cursor in there:
        alone = counters(Trace(short.branch), cursor)
        assert [each[cursor] for each in asked] == [alone, alone]


def lines_run(work: Callable[[], Any]) -> int:
    """How many lines of Python some work runs."""
    count = 0

    def trace(_frame: Any, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def with_deadlines(each: int, instances: int = 200) -> Stepper:
    """A lab in which instances have so many deadlines each, and a seat was held since."""
    made = [
        Pending(
            RemindGuest(f"{n}"), f"id-{n}-{k}", "c", sender=Identity(Holding, f"{n}"),
            due_at=START + timedelta(days=n + 1, hours=k), deadline=f"reminder {k}",
        )
        for n in range(instances)
        for k in range(each)
    ]  # fmt: skip
    stepper = Stepper(theatre(deadlines=Deadlines(made)), checked=False)
    stepper.submit(HoldSeat("A1"), HoldSeat("B2"))
    stepper.step_over()
    return stepper


def test_a_step_and_a_window_cost_the_same_however_many_deadlines_are_set() -> None:
    costs = list[tuple[int, int]]()
    for each in (1, 100):
        stepper, charts = with_deadlines(each), Charts()
        chart = charts.of(stepper.trace)
        found = window(chart, stepper.cursor)
        assert sum(line.since == 0 for line in found.deadlines) == 0, "no lane of these is shown"
        (moment,) = {line.since for line in found.deadlines}
        assert [line.end for line in found.deadlines] == ["set", "set"]
        assert stepper.trace[moment].step is not None

        def step(stepper: Stepper = stepper, charts: Charts = charts, chart: Chart = chart) -> None:
            stepper.step_over()
            assert chart_patch(charts.of(stepper.trace), chart)["count"][3] == 2

        costs.append((lines_run(lambda: window(chart, stepper.cursor)), lines_run(step)))  # noqa: B023
    (few_window, few_step), (many_window, many_step) = costs
    assert many_window < 2 * few_window
    assert many_step < 2 * few_step

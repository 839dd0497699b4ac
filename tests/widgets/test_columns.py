"""A chart's columns are small on the way to the front end, and there they are the same again."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamity_lab.examples import bank
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.lab import Lab
from calamity_lab.views.chart import Charts
from calamity_lab.widgets.options import TABS
from calamity_lab.widgets.patches import MANY, chart_patch, packed
from calamity_lab.widgets.view_widget import ViewWidget
from tests.moments import after
from tests.views.traces import stepper_of, trace_of
from tests.widgets.charted import OF_CHANGES, OF_DEADLINES, OF_EVENTS, OF_STEPS, nothing, taken, unpacked

# What a float64 holds, as JavaScript's numbers are.
NUMBERS = st.integers(0, 2**52)


@given(
    events=st.lists(st.tuples(*[NUMBERS] * OF_EVENTS), max_size=30),
    steps=st.lists(st.tuples(*[NUMBERS] * OF_STEPS), max_size=30),
    changes=st.lists(st.tuples(*[NUMBERS] * OF_CHANGES), max_size=30),
    deadlines=st.lists(st.tuples(*[NUMBERS] * OF_DEADLINES), max_size=30),
)
def test_what_is_packed_is_read_as_it_was(
    events: list[tuple[int, ...]],
    steps: list[tuple[int, ...]],
    changes: list[tuple[int, ...]],
    deadlines: list[tuple[int, ...]],
) -> None:
    groups = ((OF_EVENTS, events), (OF_STEPS, steps), (OF_CHANGES, changes), (OF_DEADLINES, deadlines))
    columns = [[row[n] for row in rows] for width, rows in groups for n in range(width)]
    sizes = [len(rows) for _, rows in groups]
    assert unpacked(packed(array("Q", column) for column in columns), sizes) == columns


@pytest.mark.parametrize("size", [0, 20, 400])
def test_few_and_many_are_said_alike_and_many_as_bytes(size: int) -> None:
    trace = trace_of(*bank.random_commands(size, seed=3, accounts=size + 2))
    chart = Charts().of(trace)
    message = chart_patch(chart, None)
    is_packed = isinstance(message["columns"], bytes)
    assert is_packed == (chart.sizes.events + chart.sizes.steps >= MANY) == (size == 400)
    has = taken(nothing(), message)
    columns = chart.columns
    assert has["columns"] == [
        list(column) for column in (*columns.events, *columns.steps, *columns.changes, *columns.deadlines)
    ]
    assert has["names"] == columns.names
    assert [lane["stream_id"] for lane in has["lanes"]] == [lane.stream_id for lane in columns.lanes]


def test_one_who_has_all_is_said_nothing() -> None:
    charts, trace = Charts(), trace_of(*bank.story())
    chart = charts.of(trace)
    assert chart_patch(charts.of(trace), chart) == {}
    empty = Charts().of(stepper_of().trace)
    assert chart_patch(empty, None)["kept"] == [0, 0, 0, 0, 0, 0], "a new front end gets an empty message"


def test_one_who_has_too_much_is_said_how_much_of_it_holds() -> None:
    charts, stepper = Charts(), stepper_of(*bank.story())
    stepper.resume()
    chart = charts.of(stepper.trace)
    stepper.goto(there := after(stepper, "RequestTransfer"))
    stepper.submit(bank.DepositFunds("alice", 5))
    message = chart_patch(charts.of(stepper.trace), chart)
    assert message["count"] == [0, 0, 0, 0]
    assert message["kept"][0] == stepper.trace.index.events_at(there)


def test_a_hundred_thousand_events_with_what_they_led_to_are_less_than_a_million_bytes() -> None:
    chart = Charts().of(trace_of(*bank.random_commands(1_500, seed=5, accounts=300)))
    message = chart_patch(chart, None)
    size = sum(len(message[part]) for part in ("columns", "lanes"))
    assert chart.sizes.events > 1_800
    assert chart.sizes.steps > chart.sizes.events
    # Each event takes about as much as any other: so many more make so much more.
    assert size / chart.sizes.events * 100_000 < 900_000


def repeated(history: Iterable[RecordedEvent], times: int) -> list[RecordedEvent]:
    """A history that happened again and again."""
    events, versions = list(history), dict[str, int]()
    long = []
    for n in range(times):
        for event in events:
            version = versions[event.stream_id] = versions.get(event.stream_id, 0) + 1
            place, at = len(long) + 1, event.recorded_at + timedelta(days=n)
            known = (event.event, event.event_type, f"e{place}", event.stream_id, version, place)
            long.append(RecordedEvent(*known, event.correlation_id, event.causation_id, at))
    return long


@pytest.fixture(scope="module")
def long() -> Lab:
    """A lab on a history of 100,000 events, with a story and some traffic before it."""
    chance = Random(7)
    deposits = [bank.DepositFunds(f"{chance.randrange(300)}", n) for n in range(1, 1_001)]
    events = repeated(trace_of(*deposits, managers=()).index.events, 100)
    lab = Lab(bank, stack=stepper_of(event_store=InMemoryEventStore.of(events)).moment.stack, checked=False)
    lab.send(*bank.story(), *bank.random_commands(20, seed=2, accounts=6))
    return lab


def test_the_first_sight_of_a_hundred_thousand_events_is_less_than_a_million_bytes(long: Lab) -> None:
    sizes = sizes_of(ViewWidget(long))
    assert len(long.trace.index.events) >= 100_000
    assert 50_000 < sum(sizes) < 1_000_000


@pytest.mark.parametrize("tab", TABS)
def test_a_step_with_a_hundred_thousand_events_sends_little_whatever_is_in_sight(long: Lab, tab: str) -> None:
    widget = ViewWidget(long)
    sizes = sizes_of(widget)
    long.goto(0)
    widget.hear({"verb": "set_options", "view": "tabs", "shown": tab})
    widget.hear({"verb": "select", "position": 100_003})
    del sizes[:]
    while not long.stepper.at_end:
        widget.hear({"verb": "step_in"})
    widget.hear({"verb": "goto", "moment": 5})
    assert len(sizes) > 100
    assert max(sizes) < 20_000


def sizes_of(widget: ViewWidget) -> list[int]:
    """How many bytes each message of a widget takes, from now on; the first is what it shows at first."""
    sizes: list[int] = []

    def send(content: Any, buffers: Iterable[bytes] = ()) -> None:
        sizes.append(len(json.dumps(content).encode()) + sum(map(len, buffers)))

    widget.send = send
    widget.hear({"verb": "ready"})
    return sizes

"""The chart of a branch tells where in the lanes everything stands, and what is new to one who knows some."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import Rejected
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer, WithdrawFunds
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.protocols import ALL, FORWARDS
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import AtProcessManager, Conflicted, Executed, Refused
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import KINDS, Chart, Charts
from tests.kernel.outside import OutsideAggregates, OutsideEvents
from tests.views import sagas
from tests.views.batch import Fill, Filled
from tests.views.traces import stepper_of, story_of, trace_of

COMMANDS = list(bank.random_commands(30, seed=11, accounts=4))


class Whole(NamedTuple):
    """All that a chart tells, as plain lists."""

    events: list[list[int]]
    steps: list[list[int]]
    lanes: list[Any]
    names: list[str]
    changes: list[list[int]]
    deadlines: list[list[int]]


def whole(chart: Chart, since: Sequence[int] = (0, 0, 0, 0, 0, 0)) -> Whole:
    """What a chart tells behind so much of it."""
    events, steps, lanes, names, changes, deadlines = since
    columns, sizes = chart.columns, chart.sizes
    return Whole(
        [list(column[events : sizes.events]) for column in columns.events],
        [list(column[steps : sizes.steps]) for column in columns.steps],
        columns.lanes[lanes : sizes.lanes],
        columns.names[names : sizes.names],
        [list(column[changes : sizes.changes]) for column in columns.changes],
        [list(column[deadlines : sizes.deadlines]) for column in columns.deadlines],
    )


def fresh(trace: Trace) -> Whole:
    """The chart of a trace by one who never saw another."""
    return whole(Charts().of(trace))


class Reader:
    """A front end: it keeps what still holds, and puts what is new behind it."""

    def __init__(self) -> None:
        self.has = Whole([[]] * 5, [[]] * 6, [], [], [[]] * 3, [[]] * 5)
        self.seen: Chart | None = None
        self.taken = 0

    def take(self, chart: Chart) -> None:
        shared = chart.shared(self.seen)
        kept = Whole(
            [column[: shared.events] for column in self.has.events],
            [column[: shared.steps] for column in self.has.steps],
            self.has.lanes[: shared.lanes],
            self.has.names[: shared.names],
            [column[: shared.changes] for column in self.has.changes],
            [column[: shared.deadlines] for column in self.has.deadlines],
        )
        lists = (kept.events[0], kept.steps[0], kept.lanes, kept.names, kept.changes[0], kept.deadlines[0])
        assert tuple(map(len, lists)) == shared
        new = whole(chart, shared)
        self.taken = len(new.events[0]) + len(new.steps[0])
        self.has = Whole(
            [[*old, *more] for old, more in zip(kept.events, new.events, strict=True)],
            [[*old, *more] for old, more in zip(kept.steps, new.steps, strict=True)],
            [*kept.lanes, *new.lanes],
            [*kept.names, *new.names],
            [[*old, *more] for old, more in zip(kept.changes, new.changes, strict=True)],
            [[*old, *more] for old, more in zip(kept.deadlines, new.deadlines, strict=True)],
        )
        self.seen = chart


class Told(NamedTuple):
    """A row of a chart, in words."""

    moment: int
    half: float
    stream_id: str
    kind: str
    name: str


def rows(chart: Chart) -> list[Told]:
    """The rows of a chart, the events' first."""
    columns, (events, steps, *_) = chart.columns, chart.sizes
    lanes = [lane.stream_id for lane in columns.lanes]
    moments, places, names, *_ = (column[:events] for column in columns.events)
    text = [
        Told(moment, 2.0 * n, lanes[lane], "event", columns.names[name])
        for n, (moment, lane, name) in enumerate(zip(moments, places, names, strict=True), 1)
    ]
    for moment, half, lane, kind, name, _ in zip(*(column[:steps] for column in columns.steps), strict=True):
        text.append(Told(moment, half, lanes[lane], KINDS[kind], columns.names[name]))
    return text


def walked(trace: Trace) -> Iterator[Told]:
    """The same, by a walk over all events and steps."""
    events = list(trace.index.events)
    for n, (event, moment) in enumerate(zip(events, trace.index.event_moments, strict=True), 1):
        yield Told(moment, 2.0 * n, event.stream_id, "event", event.event_type)
    decided = set()
    for step in trace.steps:
        between = 2 * trace.index.events_at(step.index) + 1
        command = step.pending.command_type
        match step:
            case Executed(pending=pending, identity=to):
                start = trace.index.command_start(step.index)
                if start and pending.command_id not in decided:
                    yield Told(start, between, to.stream_id, "command", command)
                decided.add(pending.command_id)
            case Refused(identity=to, index=at):
                yield Told(at, between, to.stream_id, "rejected", f"{command} rejected")
            case AtProcessManager(trigger=Rejected(), identity=to, index=at):
                yield Told(at, between, to.stream_id, step.kind.lower(), f"{command} rejected")
            case AtProcessManager(trigger=RecordedEvent() as cause, identity=to, index=at):
                half = 2.0 * (events.index(cause) + 1)
                yield Told(at, half, to.stream_id, step.kind.lower(), cause.event_type)


class BusyEvents(OutsideEvents):
    """A store to which others write all the time: to a stream of their own, and now and then to the same."""

    writes = 0

    def append(self, stream_id: str, events: Any, **expected: Any) -> OutsideEvents:
        self.writes += 1
        if self.writes % 2:
            self.held = self.held.append("BankAccount-others", [bank.FundsDeposited("others", 1)] * 2)
        if self.writes % 3 == 0:
            account = stream_id.partition("-")[2]
            self.held = self.held.append(stream_id, [bank.FundsDeposited(account, 1)])
        return super().append(stream_id, events, **expected)


class GappyEvents:
    """A store in which positions are missing, as in a database after a rollback; it changes in place."""

    def __init__(self) -> None:
        self.log: list[RecordedEvent] = []

    def append(self, stream_id: str, events: Any, **_: Any) -> GappyEvents:
        for event, id_, correlation_id, causation_id, at, metadata in events:
            version = sum(1 for _ in self.stream(stream_id)) + 1
            position = (self.log[-1].position if self.log else 2) + 1 + 2 * (len(self.log) % 3 == 0)
            text = (event, type(event).__name__, id_, stream_id, version, position)
            self.log.append(RecordedEvent(*text, correlation_id, causation_id, at, metadata))
        return self

    def stream(
        self, stream_id: Any, *, start_version: int = 0, direction: Any = FORWARDS
    ) -> Iterator[RecordedEvent]:
        if stream_id is ALL:
            found = [event for event in self.log if event.position >= start_version]
        else:
            own = [event for event in self.log if event.stream_id == stream_id]
            found = [event for event in own if event.stream_version >= start_version]
        return iter(found if direction is FORWARDS else found[::-1])


def in_a_fresh_stack() -> Stepper:
    return stepper_of(*COMMANDS)


def with_projections() -> Stepper:
    return stepper_of(*COMMANDS, projections=(BankTotals, Turnover))


def on_a_history() -> Stepper:
    history = trace_of(*COMMANDS[:12]).index.events
    return stepper_of(*COMMANDS[12:], event_store=InMemoryEventStore.of(history), ids=seeded_ids(2))


def in_the_middle_of_a_command() -> Stepper:
    begun = stepper_of(*COMMANDS)
    while not isinstance(begun.moment.step, Executed) or begun.cursor < 40:
        begun.step_in()
    return Stepper(begun.moment.run, checked=False)


def where_sagas_wait() -> Stepper:
    asked = [sagas.Open(name) for name in ("a", "b shut", "c deaf")]
    late = [sagas.Withdraw("a"), sagas.Apologise("nobody"), sagas.Open("d")]
    return stepper_of(*asked, *late, managers=(sagas.Polite, sagas.Patient))


def where_others_write() -> Stepper:
    return stepper_of(*COMMANDS, event_store=BusyEvents(), aggregates=OutsideAggregates())


def where_positions_are_missing() -> Stepper:
    return stepper_of(*COMMANDS, event_store=GappyEvents(), aggregates=OutsideAggregates())


FORKING = (in_a_fresh_stack, with_projections, on_a_history, in_the_middle_of_a_command, where_sagas_wait)
ONE_WAY = (where_others_write, where_positions_are_missing)
BEGINNINGS = (*FORKING, *ONE_WAY)


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_what_a_chart_tells_is_what_a_walk_over_the_trace_finds(begin: Callable[[], Stepper]) -> None:
    stepper = begin()
    stepper.resume()
    assert len(stepper.trace) > 30
    assert sorted(rows(Charts().of(stepper.trace))) == sorted(walked(stepper.trace))


@pytest.mark.parametrize("domain", [bank, fulfilment])
def test_the_columns_of_a_story_are_in_the_order_that_they_promise(domain: Any) -> None:
    trace = story_of(domain)
    chart = Charts().of(trace)
    events, steps = chart.columns.events, chart.columns.steps
    assert list(events.moments) == list(trace.index.event_moments)
    for column in (events.moments, events.times, steps.moments, steps.halves):
        assert all(one <= other for one, other in pairwise(column))
    assert len(set(steps.moments)) == len(steps.moments), "a moment is one step"
    text = sorted(rows(chart), key=lambda row: (row.moment, row.half))
    assert [lane.stream_id for lane in chart.columns.lanes] == list(
        dict.fromkeys(row.stream_id for row in text)
    )
    numbers = [*events.names, *steps.names, *steps.labels, *chart.columns.deadlines.names]
    assert {chart.columns.names[number] for number in numbers} == set(chart.columns.names)


@pytest.mark.parametrize("begin", ONE_WAY)
def test_others_and_gaps_do_not_put_the_columns_out_of_order(begin: Callable[[], Stepper]) -> None:
    stepper = begin()
    stepper.resume()
    columns = Charts().of(stepper.trace).columns
    assert any(isinstance(step, Conflicted) for step in stepper.trace.steps) == (begin is where_others_write)
    for column in (columns.events.moments, columns.steps.moments, columns.steps.halves):
        assert all(one <= other for one, other in pairwise(column))


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_chart_that_grows_step_by_step_is_the_one_that_is_made_at_once(
    begin: Callable[[], Stepper],
) -> None:
    stepper, charts, reader = begin(), Charts(), Reader()
    reader.take(charts.of(stepper.trace))
    while not stepper.at_end:
        stepper.step_in()
        reader.take(charts.of(stepper.trace))
        assert reader.taken <= 4, "a step tells no more than what it added"
    assert reader.has == fresh(stepper.trace)


def moves() -> st.SearchStrategy[list[tuple[str, int]]]:
    """What a person does at a lab, and when the front end looks."""
    verbs = st.sampled_from(
        ["step", "step", "over", "go", "send", "drop", "choose", "switch", "look", "look"]
    )
    return st.lists(st.tuples(verbs, st.integers(0, 10_000)), min_size=4, max_size=30)


def move(stepper: Stepper, verb: str, number: int) -> None:
    match verb:
        case "step" | "over" if not stepper.at_end:
            stepper.step_over() if verb == "over" else stepper.step_in()
        case "go":
            stepper.goto(number % len(stepper.trace))
        case "send":
            stepper.submit(COMMANDS[number % len(COMMANDS)], CreateAccount(f"new {number % 3}"))
        case "drop" | "choose" if len(stepper.moment.agenda):
            place = number % len(stepper.moment.agenda)
            stepper.drop(place) if verb == "drop" else stepper.choose(place)
        case "switch":
            names = list(stepper.trace.branches)
            stepper.switch(names[number % len(names)])


@pytest.mark.parametrize("begin", FORKING)
@given(todo=moves(), ahead=st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_after_forks_and_switches_in_any_order_a_front_end_has_what_a_fresh_one_is_said(
    begin: Callable[[], Stepper], todo: list[tuple[str, int]], ahead: int
) -> None:
    stepper, charts, reader = begin(), Charts(), Reader()
    if ahead:
        stepper.resume(limit=ahead)
    for verb, number in todo:
        if verb == "look":
            reader.take(charts.of(stepper.trace))
            assert reader.has == fresh(stepper.trace)
        else:
            move(stepper, verb, number)
    reader.take(charts.of(stepper.trace))
    assert reader.has == fresh(stepper.trace)
    assert sorted(rows(charts.of(stepper.trace))) == sorted(walked(stepper.trace))


def test_a_fork_and_the_way_back_tell_again_only_what_the_branches_do_not_share() -> None:
    stepper, charts, reader = stepper_of(*COMMANDS), Charts(), Reader()
    stepper.resume()
    reader.take(charts.of(stepper.trace))
    everything = reader.taken
    stepper.goto(-5)
    stepper.submit(*[DepositFunds("a", 5)] * 3)
    for _ in range(3):
        stepper.step_over()
        reader.take(charts.of(stepper.trace))
        assert reader.taken < 8
    stepper.switch("main")
    reader.take(charts.of(stepper.trace))
    assert reader.taken < 8 < everything
    assert reader.has == fresh(stepper.trace)


def test_a_front_end_that_missed_some_of_the_branches_is_said_all() -> None:
    stepper, charts, reader = stepper_of(*COMMANDS), Charts(), Reader()
    stepper.resume()
    reader.take(charts.of(stepper.trace))
    for moment in (30, 20, 10):
        stepper.goto(moment)
        stepper.submit(DepositFunds("a", moment))
        stepper.step_over()
        charts.of(stepper.trace)
    reader.take(charts.of(stepper.trace))
    assert reader.has == fresh(stepper.trace)


def test_an_earlier_chart_stays_as_it_was_while_its_columns_grow() -> None:
    stepper, charts = stepper_of(*COMMANDS), Charts()
    stepper.resume(limit=40)
    earlier = charts.of(stepper.trace)
    before = whole(earlier)
    stepper.resume()
    assert charts.of(stepper.trace).columns is earlier.columns
    assert whole(earlier) == before


def test_the_columns_of_branches_that_were_left_are_let_go() -> None:
    stepper, charts = stepper_of(*COMMANDS), Charts()
    stepper.resume(limit=40)
    left = weakref.ref(charts.of(stepper.trace).columns)
    for moment in (30, 20):
        stepper.goto(moment)
        stepper.submit(DepositFunds("a", moment))
        charts.of(stepper.trace)
    gc.collect()
    assert left() is None


def test_a_command_stands_before_its_events_and_is_there_once_it_is_decided() -> None:
    stepper, charts = stepper_of(DepositFunds("a", 5), WithdrawFunds("a", 9)), Charts()
    stepper.step_in()
    assert rows(charts.of(stepper.trace)) == []
    stepper.step_in()
    stepper.step_in()
    assert rows(charts.of(stepper.trace)) == [Told(1, 1, "BankAccount-a", "command", "DepositFunds")]
    stepper.resume()
    assert rows(charts.of(stepper.trace)) == [
        Told(4, 2, "BankAccount-a", "event", "FundsDeposited"),
        Told(1, 1, "BankAccount-a", "command", "DepositFunds"),
        Told(7, 3, "BankAccount-a", "rejected", "WithdrawFunds rejected"),
    ]


def test_what_others_recorded_comes_before_the_event_that_met_it() -> None:
    trace = trace_of(DepositFunds("a", 5), event_store=BusyEvents(), aggregates=OutsideAggregates())
    assert [row.stream_id for row in rows(Charts().of(trace)) if row.kind == "event"] == [
        "BankAccount-others",
        "BankAccount-others",
        "BankAccount-a",
    ]


def test_rejections_by_the_thousand_stand_in_one_gap_each_with_its_own_moment() -> None:
    rejected = [WithdrawFunds("a", 10**6) for _ in range(2_000)]
    trace = trace_of(DepositFunds("a", 5), *rejected, DepositFunds("a", 5))
    steps = Charts().of(trace).columns.steps
    assert set(list(steps.halves)[1:-1]) == {3}
    assert list(steps.moments)[1:-1] == list(trace.index.rejections)


def test_the_events_of_one_command_stand_side_by_side_in_one_moment() -> None:
    trace = trace_of(Fill("full", 50), managers=())
    text = rows(Charts().of(trace))
    assert [row.half for row in text if row.kind == "event"] == [2 * n for n in range(1, 51)]
    assert {row.moment for row in text if row.kind == "event"} == {4}
    assert {row.name for row in text} == {"Fill", Filled.__name__}


def test_an_event_that_nobody_waits_for_stands_in_the_lane_of_who_is_not_there() -> None:
    trace = trace_of(WithdrawFunds("a", 0, "t1"), DepositFunds("a", 5, "t1"))
    ignored = [row for row in rows(Charts().of(trace)) if row.kind == "ignored"]
    assert ignored
    assert {row.stream_id for row in ignored} == {"Transfer-t1"}


def test_a_clock_that_went_back_counts_as_one_that_stood() -> None:
    hours = iter([5, 3, 4, 9, 1])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    commands = [DepositFunds("a", n) for n in range(1, 6)]
    trace = trace_of(*commands, clock=lambda: start + timedelta(hours=next(hours), microseconds=1000))
    since = [time - 1000 * int(start.timestamp()) for time in Charts().of(trace).columns.events.times]
    assert since == [1 + 3_600_000 * hour for hour in (5, 5, 5, 9, 9)]


def test_text_stays_text_and_very_long_names_are_cut() -> None:
    nasty = "<script>alert('Greta')</script> \u202e \ud800"
    event = type("E" * 500, (bank.FundsDeposited,), {})("a", 1)
    store = InMemoryEventStore().append(f"BankAccount-{nasty}", [event])
    chart = Charts().of(trace_of(event_store=store))
    (lane,), (name,) = chart.columns.lanes, chart.columns.names
    assert lane.stream_id.startswith("BankAccount-<script>alert('Greta')</script> ")
    lane.stream_id.encode()
    assert len(name) == 120


@pytest.mark.parametrize("size", [100, 1_000])
def test_a_step_costs_the_same_on_a_long_run_as_on_a_short_one(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    stepper, charts = stepper_of(*bank.random_commands(size, seed=3, accounts=size // 4)), Charts()
    stepper.resume()
    charts.of(stepper.trace)
    stepper.submit(DepositFunds("new", 5), RequestTransfer("rent", "new", "other", 5))
    looks = 0

    def counted(vector: PersistentVector[Any], place: int) -> Any:
        nonlocal looks
        looks += 1
        return leaf(vector, place)

    leaf = PersistentVector._leaf
    with monkeypatch.context() as counting:
        counting.setattr(PersistentVector, "_leaf", counted)
        steps = 0
        while not stepper.at_end:
            stepper.step_in()
            looks, steps = 0, steps + 1
            charts.of(stepper.trace)
            assert 0 < looks < 12
    assert steps > 10

"""The timeline has a lane for each stream and a mark for each thing that happened, in order of the events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, FundsWithdrawn, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.kernel.steps import AtProcessManager, Refused
from calamity_lab.views.controls import followed
from calamity_lab.views.timeline import MOST_LANES, LaneRow, Mark, TimelineView, timeline
from tests.views.batch import Fill, Filled
from tests.views.traces import story_of, trace_of


def test_a_window_holds_its_lanes_and_marks() -> None:
    assert timeline(story_of(bank), 40, first=6, width=2) == TimelineView(
        total=13,
        now=8,
        first=6,
        width=2,
        lanes=(
            LaneRow("BankAccount-alice", "BankAccount", "aggregate"),
            LaneRow("BankAccount-bob", "BankAccount", "aggregate"),
            LaneRow("BankAccount-carol", "BankAccount", "aggregate"),
            LaneRow("Transfer-rent", "Transfer", "process manager"),
            LaneRow("Transfer-gift", "Transfer", "process manager"),
        ),
        marks=(
            Mark(
                7.0, 1, "event", "FundsDeposited", 32, is_past=True,
                detail="FundsDeposited #7: account_id='bob', amount=6000, transfer_id='rent'",
            ),
            Mark(
                7.0, 3, "stopped", "FundsDeposited", 33, is_past=True,
                detail="Transfer-rent stopped by FundsDeposited",
            ),
            Mark(
                7.5, 0, "refused", "RequestTransfer", 36, is_past=True,
                detail="RequestTransfer refused: insufficient funds (balance 4000)",
            ),
            Mark(
                8.0, 2, "event", "AccountRenamed", 40, is_past=True,
                detail="AccountRenamed #8: account_id='carol', name='Carol (moved away)'",
            ),
        ),
    )  # fmt: skip


def test_the_future_is_shown_and_told_from_the_past() -> None:
    view = timeline(story_of(bank), 27)
    assert (view.total, view.now) == (13, 6)
    assert {mark.is_past for mark in view.marks if mark.kind == "event" and mark.x <= 6} == {True}
    assert {mark.is_past for mark in view.marks if mark.x > 6} == {False}


def test_a_reaction_to_a_refusal_stands_beside_it() -> None:
    marks = [mark for mark in timeline(story_of(bank), 0).marks if mark.x == 11.5]
    assert [(mark.kind, mark.label, mark.moment) for mark in marks] == [
        ("refused", "DepositFunds", 57),
        ("continued", "DepositFunds refused", 58),
    ]


def test_every_event_reaction_and_refusal_of_a_story_has_its_mark() -> None:
    trace = story_of(fulfilment)
    view = timeline(trace, 0, first=0, width=1_000)
    steps = [step for step in trace.steps if isinstance(step, (AtProcessManager, Refused))]
    assert sorted(m.moment for m in view.marks if m.kind != "event") == [step.index for step in steps]
    assert [m.moment for m in view.marks if m.kind == "event"] == list(trace.index.event_moments)


def test_what_every_window_shows_is_what_the_whole_shows_there() -> None:
    trace = story_of(fulfilment)
    whole = timeline(trace, 50, first=0, width=1_000)
    for first in range(0, whole.total, 5):
        part = timeline(trace, 50, first=first, width=10)
        expected = [mark for mark in in_lanes(whole) if first < mark[1].x < first + 11]
        assert in_lanes(part) == expected


def in_lanes(view: TimelineView) -> list[tuple[str, Mark]]:
    return [(view.lanes[mark.lane].stream_id, replace(mark, lane=0)) for mark in view.marks]


def test_a_refusal_by_an_aggregate_without_events_gets_a_lane_behind_the_others() -> None:
    trace = trace_of(DepositFunds("a", 1), WithdrawFunds("nobody", 5))
    view = timeline(trace, trace.last)
    assert [lane.stream_id for lane in view.lanes] == ["BankAccount-a", "BankAccount-nobody"]
    assert [(mark.x, mark.lane, mark.kind) for mark in view.marks] == [(1.0, 0, "event"), (1.5, 1, "refused")]


def test_of_many_lanes_those_are_shown_in_which_something_happens_in_sight() -> None:
    trace = trace_of(*[DepositFunds(f"a{n}", 1) for n in range(MOST_LANES + 1)])
    view = timeline(trace, 0, first=4, width=3)
    assert [lane.stream_id for lane in view.lanes] == ["BankAccount-a4", "BankAccount-a5", "BankAccount-a6"]


def test_of_many_refusals_the_nearest_are_shown() -> None:
    trace = trace_of(DepositFunds("a", 1), *[WithdrawFunds("a", 5)] * 500)
    moment = trace.index.refused[250]
    marks = timeline(trace, moment).marks
    assert len(marks) < 300
    assert moment in [mark.moment for mark in marks]


def test_the_window_follows_the_cursor_and_moves_seldom() -> None:
    firsts = [followed(now, 1_000, 80) for now in range(1_001)]
    assert all(first < max(now, 1) <= first + 80 for now, first in enumerate(firsts))
    assert all(first % 40 == 0 for first in firsts)
    assert len(set(firsts)) == 24
    assert max(firsts) + 80 == 1_000
    assert all(followed(now, 9, width) < now for width in (1, 2, 3) for now in range(1, 10))


def test_a_window_is_where_it_is_asked_to_be_as_far_as_there_is_anything() -> None:
    trace = story_of(bank)
    assert timeline(trace, 0, first=5).first == 5
    assert timeline(trace, 0, first=500).first == 12
    assert timeline(trace, 0, first=-3).first == 0


def test_an_empty_trace_has_an_empty_timeline() -> None:
    assert timeline(trace_of(), 0) == TimelineView(0, 0, 0, 80, (), ())


@dataclass(frozen=True)
class Watch:
    id: str

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        return Start(event.id) if isinstance(event, Filled) else Continue(event.transfer_id or "none")

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def apply(self, event: Any) -> Self:
        return self

    def handle(self, event: Any) -> None:
        return None


def test_a_window_in_the_middle_of_one_commands_events_shows_their_reactions() -> None:
    trace = trace_of(Fill("b", 100), managers=(Watch,))
    view = timeline(trace, trace.last, first=50, width=3)
    assert [(mark.x, mark.kind) for mark in view.marks] == [
        (51.0, "event"), (51.0, "started"),
        (52.0, "event"), (52.0, "started"),
        (53.0, "event"), (53.0, "started"),
    ]  # fmt: skip


def test_reactions_of_an_instance_that_a_history_started_are_marked() -> None:
    history = InMemoryEventStore.of(story_of(bank).index.events[:6])
    trace = trace_of(DepositFunds("bob", 60_00, "rent"), event_store=history)
    assert [(mark.x, mark.kind) for mark in timeline(trace, trace.last, first=6).marks] == [
        (7.0, "event"),
        (7.0, "stopped"),
    ]


def test_a_saga_that_waits_in_vain_is_marked_as_ignored() -> None:
    trace = trace_of(DepositFunds("a", 5), WithdrawFunds("a", 5, "t1"), managers=(Watch,))
    marks = timeline(trace, trace.last).marks
    assert ("ignored", FundsWithdrawn.__name__) in [(mark.kind, mark.label) for mark in marks]

"""The lanes: one for each stream and process manager, and where in them everything that happened stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, FundsWithdrawn, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Refused
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Charts
from calamity_lab.views.controls import followed
from calamity_lab.views.lanes import (
    AHEAD,
    FOLDED,
    LABEL,
    LEAST_GAP,
    MOST_LANES,
    DrawnMark,
    Lanes,
    Row,
    Whole,
    Window,
    along,
    beside,
    whole,
    window,
)
from calamity_lab.views.scenes import cut_name
from tests.frames.histories import bank_day, bank_traffic, recorded, shop_week, traced
from tests.moments import after
from tests.views.batch import Fill, Filled
from tests.views.test_chart import where_positions_are_missing
from tests.views.traces import story_of, trace_of


def seen(trace: Trace, cursor: int, **options: Any) -> Window:
    """A window on the lanes of a trace."""
    return window(Charts().of(trace), cursor, **options)


def marked(trace: Trace, most: int = MOST_LANES) -> Whole:
    """All lanes of a trace."""
    return whole(Lanes(Charts().of(trace)), most)


def test_a_window_holds_its_rows_and_marks() -> None:
    trace = story_of(bank)
    renamed = after(trace, "AccountRenamed")
    assert seen(trace, renamed, first=6, width=2) == Window(
        moment=renamed,
        total=13,
        now=8,
        first=6,
        width=2,
        cursor=8.25,
        rows=(
            Row("BankAccount-alice", "BankAccount", "aggregate"),
            Row("BankAccount-bob", "BankAccount", "aggregate"),
            Row("BankAccount-carol", "BankAccount", "aggregate"),
            Row("Transfer-rent", "Transfer", "process manager"),
            Row("Transfer-gift", "Transfer", "process manager"),
        ),
        marks=(
            DrawnMark(6.5, 1, "command", "DepositFunds", after(trace, "DepositFunds", 2)),
            DrawnMark(7.0, 1, "event", "FundsDeposited", after(trace, "FundsDeposited", 2)),
            DrawnMark(7.0, 3, "stopped", "stopped", after(trace, "Stopped")),
            DrawnMark(7 + 1 / 3, 0, "rejected", "RequestTransfer rejected", after(trace, "Refused")),
            DrawnMark(7 + 2 / 3, 2, "command", "RenameAccount", after(trace, "RenameAccount")),
            DrawnMark(8.0, 2, "event", "AccountRenamed", renamed),
        ),
        positions=(7, 8),
    )


def test_a_window_knows_the_positions_of_its_events_also_where_positions_are_missing() -> None:
    stepper = where_positions_are_missing()
    stepper.resume()
    view = seen(stepper.trace, 0, first=1, width=3)
    assert view.positions == tuple(event.position for event in stepper.trace.index.events[1:4])
    assert view.positions != (2, 3, 4)


def test_the_future_is_shown_unlike_the_past() -> None:
    trace = story_of(bank)
    withdrawn = after(trace, "FundsWithdrawn")
    view = seen(trace, withdrawn)
    assert (view.total, view.now) == (13, 6)
    assert {mark.moment <= withdrawn for mark in view.marks if mark.kind == "event" and mark.x <= 6} == {True}
    assert {mark.moment <= withdrawn for mark in view.marks if mark.x > 6.5} == {False}


def test_a_reaction_to_a_rejection_stands_beside_it() -> None:
    trace = story_of(bank)
    rejected, continued = after(trace, "Refused", 2), after(trace, "Continued", -1)
    marks = [mark for mark in seen(trace, 0).marks if mark.moment in (rejected, continued)]
    assert [(mark.kind, mark.label) for mark in marks] == [
        ("rejected", "DepositFunds rejected"),
        ("continued", "→ RefundTransfer"),
    ]
    assert 11 < marks[0].x < marks[1].x < 12


def test_every_event_reaction_and_rejection_of_a_story_has_its_mark() -> None:
    trace = story_of(fulfilment)
    view = seen(trace, 0, first=0, width=1_000)
    steps = [step for step in trace.steps if isinstance(step, (AtProcessManager, Refused))]
    assert sorted(m.moment for m in view.marks if m.kind not in ("event", "command")) == [
        step.index for step in steps
    ]
    assert [m.moment for m in view.marks if m.kind == "event"] == list(trace.index.event_moments)


def test_what_every_window_shows_is_what_the_whole_shows_there() -> None:
    trace = story_of(fulfilment)
    whole = seen(trace, 50, first=0, width=1_000)
    for first in range(0, whole.total, 5):
        part = seen(trace, 50, first=first, width=10)
        expected = [mark for mark in in_lanes(whole) if first + AHEAD <= mark[1].x <= first + 10 + AHEAD]
        assert in_lanes(part) == expected


def in_lanes(view: Window) -> list[tuple[str, DrawnMark]]:
    return [(view.rows[mark.lane].name, replace(mark, lane=0)) for mark in view.marks]


def test_what_was_rejected_behind_the_last_event_is_in_the_window_too() -> None:
    trace = trace_of(*[DepositFunds("a", 1)] * 3, *[WithdrawFunds("a", 5)] * 2)
    view = seen(trace, trace.last, first=0, width=3)
    assert [mark.kind for mark in view.marks][-2:] == ["rejected", "rejected"]


def test_a_rejection_by_an_aggregate_without_events_gets_a_lane_behind_the_others() -> None:
    trace = trace_of(DepositFunds("a", 1), WithdrawFunds("nobody", 5))
    view = seen(trace, trace.last)
    assert [row.name for row in view.rows] == ["BankAccount-a", "BankAccount-nobody"]
    assert [(mark.x, mark.lane, mark.kind) for mark in view.marks][1:] == [
        (1.0, 0, "event"),
        (1.5, 1, "rejected"),
    ]


def test_of_many_lanes_those_are_shown_in_which_something_happens_in_sight() -> None:
    trace = trace_of(*[DepositFunds(f"a{n}", 1) for n in range(MOST_LANES + 1)])
    view = seen(trace, 0, first=4, width=3)
    assert [row.name for row in view.rows] == ["BankAccount-a4", "BankAccount-a5", "BankAccount-a6"]


def test_of_many_rejections_the_nearest_are_shown() -> None:
    trace = trace_of(DepositFunds("a", 1), *[WithdrawFunds("a", 5)] * 900)
    moment = trace.index.rejections[450]
    marks = seen(trace, moment).marks
    assert len(marks) < 700
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
    assert seen(trace, 0, first=5).first == 5
    assert seen(trace, 0, first=500).first == 12
    assert seen(trace, 0, first=-3).first == 0


def test_an_empty_trace_has_an_empty_timeline() -> None:
    assert seen(trace_of(), 0) == Window(0, 0, 0, 0, 80, 0.5, (), (), ())


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
    view = seen(trace, trace.last, first=50, width=3)
    assert [(mark.x, mark.kind) for mark in view.marks if mark.kind != "command"] == [
        (51.0, "event"), (51.0, "started"),
        (52.0, "event"), (52.0, "started"),
        (53.0, "event"), (53.0, "started"),
    ]  # fmt: skip


def test_reactions_of_an_instance_that_a_history_started_are_marked() -> None:
    history = InMemoryEventStore.of(story_of(bank).index.events[:6])
    trace = trace_of(DepositFunds("bob", 60_00, "rent"), event_store=history)
    marks = seen(trace, trace.last, first=6).marks
    assert [(mark.x, mark.kind) for mark in marks if mark.kind != "command"] == [
        (7.0, "event"),
        (7.0, "stopped"),
    ]


def test_a_saga_that_waits_in_vain_is_marked_as_ignored() -> None:
    trace = trace_of(DepositFunds("a", 5), WithdrawFunds("a", 5, "t1"), managers=(Watch,))
    marks = seen(trace, trace.last).marks
    withdrawn = next(mark for mark in marks if mark.label == FundsWithdrawn.__name__)
    assert (withdrawn.x, "ignored") in [(mark.x, mark.kind) for mark in marks]


def test_a_transfer_is_drawn_as_command_event_and_reaction() -> None:
    found = marked(traced([bank.DepositFunds("a", 5), bank.RequestTransfer("t", "a", "b", 5)], bank.Transfer))
    assert found.rows == (
        Row("BankAccount-a", "BankAccount", "aggregate"),
        Row("BankAccount-b", "BankAccount", "aggregate"),
        Row("Transfer-t", "Transfer", "process manager"),
    )
    assert found.marks[:5] == (
        DrawnMark(0.5, 0, "command", "DepositFunds", 1),
        DrawnMark(1, 0, "event", "FundsDeposited", 4),
        DrawnMark(1.5, 0, "command", "RequestTransfer", 6),
        DrawnMark(2, 0, "event", "TransferInitiated", 8),
        DrawnMark(2, 2, "started", "→ WithdrawFunds", 9),
    )


def test_rejections_stand_in_order_between_two_events() -> None:
    commands = [bank.DepositFunds("a", 5), *(bank.WithdrawFunds("a", 9),) * 3, bank.DepositFunds("a", 5)]
    found = marked(traced(commands))
    assert [(mark.kind, mark.x) for mark in found.marks] == [
        ("command", 0.5),
        ("event", 1),
        ("rejected", 1.2),
        ("rejected", 1.4),
        ("rejected", 1.6),
        ("command", 1.8),
        ("event", 2),
    ]


@pytest.mark.parametrize("trace", [bank_day(), shop_week(), bank_traffic(300)])
def test_nothing_that_happened_is_left_out(trace: Trace) -> None:
    kinds = Counter(mark.kind for mark in marked(trace).marks)
    steps = list(trace.steps)
    assert kinds["event"] == sum(len(step.recorded) for step in steps if isinstance(step, Appended))
    assert kinds["command"] + kinds["rejected"] == sum(isinstance(step, Dispatched) for step in steps)
    reactions = sum(kinds[kind] for kind in ("started", "continued", "stopped", "ignored"))
    assert reactions == sum(isinstance(step, AtProcessManager) for step in steps)


def test_the_largest_categories_share_a_lane_each_where_there_are_many() -> None:
    found = marked(bank_traffic(200))
    together = [lane for lane in found.rows if lane.count > 1]
    assert [lane.name for lane in together] == ["Transfer"]
    assert together[0].count > 30
    assert len(found.rows) <= 30
    assert all(0 < mark.within < 1 for mark in found.marks)
    assert all(0 <= mark.lane < len(found.rows) for mark in found.marks)


def test_each_instance_of_a_shared_lane_keeps_a_line_of_its_own() -> None:
    found = marked(bank_traffic(300), most=2)
    transfers = [lane.count for lane in found.rows if lane.name == "Transfer"]
    assert (
        len({mark.within for mark in found.marks if found.rows[mark.lane].kind == "process manager"})
        == transfers[0]
    )


def test_the_cursor_stands_between_the_past_and_the_future() -> None:
    trace = bank_day()
    lanes = Lanes(Charts().of(trace))
    found = whole(lanes)
    for cursor in range(len(trace)):
        x = lanes.cursor(cursor)
        ordered = [mark for mark in found.marks if mark.kind in ("event", "command", "rejected")]
        assert all((mark.x < x) is (mark.moment <= cursor) for mark in ordered)


def test_events_older_than_the_trace_are_marked_as_past() -> None:
    store = InMemoryEventStore.from_streams({"BankAccount-a": [bank.FundsDeposited("a", 1)]})
    found = marked(Trace.of(Stack(event_store=store)))
    assert found.marks == (DrawnMark(1, 0, "event", "FundsDeposited", 0),)


def test_a_trace_in_which_nothing_happened_has_no_marks() -> None:
    assert marked(Trace.of(Stack())) == Whole((), (), ())


def test_aggregates_stand_above_process_managers_each_by_type_as_these_appeared() -> None:
    kinds = [(row.kind, row.category) for row in marked(shop_week(), most=1_000).rows]
    types = list(dict.fromkeys(kinds))
    assert kinds == sorted(kinds, key=types.index)
    assert [kind for kind, _ in types] == sorted((kind for kind, _ in types))


def with_gaps() -> Trace:
    """A run on a store in which positions are missing."""
    stepper = where_positions_are_missing()
    stepper.resume()
    return stepper.trace


def test_events_whose_positions_have_gaps_stand_side_by_side() -> None:
    trace = with_gaps()
    events = list(trace.index.events)
    assert events[-1].position > len(events) + 10
    assert [mark.x for mark in marked(trace).marks if mark.kind == "event"] == list(range(1, len(events) + 1))


def test_along_the_time_a_long_gap_is_folded_and_what_is_recorded_at_once_is_kept_apart() -> None:
    found = along([0, 100, 200, 300, 300, 90_000, 90_150])
    assert found.points == pytest.approx(
        [0, 1, 2, 3, 3 + LEAST_GAP, 3 + LEAST_GAP + FOLDED, 4.5 + LEAST_GAP + FOLDED]
    )
    assert found.folds == [5]
    assert along([]).points == []


def test_along_the_time_all_marks_keep_their_order() -> None:
    lanes = Lanes(Charts().of(shop_week()), "time")
    by_position = marked(shop_week()).marks
    by_time = whole(lanes).marks
    assert [(m.kind, m.moment) for m in sorted(by_time, key=order)] == [
        (m.kind, m.moment) for m in sorted(by_position, key=order)
    ]
    assert max(mark.x for mark in by_time if mark.kind == "event") == lanes.length


def with_a_night() -> Trace:
    """A history in which nothing happened for a long time."""
    events = recorded(*(bank.FundsDeposited("1", amount) for amount in range(12)))
    late = [replace(each, recorded_at=each.recorded_at + timedelta(hours=9)) for each in events[8:]]
    return Trace.of(Stack(event_store=InMemoryEventStore.of([*events[:8], *late])))


def test_a_night_in_which_nothing_happened_is_folded() -> None:
    lanes = Lanes(Charts().of(with_a_night()), "time")
    assert lanes.folds == [8]
    assert lanes.length == 11 + FOLDED


def order(mark: DrawnMark) -> tuple[float, int, str]:
    return round(mark.x, 9), mark.moment, mark.kind


def labelled(*marks: tuple[int, float, str, float], wide: float = 400) -> list[str | None]:
    return list(beside(marks, wide))


def test_a_label_is_behind_its_mark_where_it_has_room_and_a_commands_before_it() -> None:
    assert labelled((0, 200, "event", 100)) == ["right"]
    assert labelled((0, 200, "command", 100)) == ["left"]
    assert labelled((0, 185, "command", 100), (0, 200, "event", 100)) == ["left", "right"]


def test_a_label_goes_to_the_other_side_where_its_own_has_no_room() -> None:
    assert labelled((0, 350, "event", 100)) == ["left"]
    assert labelled((0, 50, "command", 100)) == ["right"]


@pytest.mark.parametrize(("apart", "shown"), [(123, None), (124, "right")])
def test_a_label_that_would_be_over_a_mark_or_an_edge_is_left_out(apart: float, shown: str | None) -> None:
    taken = LABEL["mark"] + LABEL["gap"]
    assert labelled((0, 20, "event", 100), (0, 20 + apart, "event", 999), wide=999) == [shown, None]
    assert labelled((0, 50, "event", 100), wide=50 + taken + 100 - (shown is None)) == [shown]


def test_two_labels_of_neighbours_share_the_room_between_them_and_rejections_choose_first() -> None:
    first, second = (0, 20.0, "event", 100.0), (0, 250.0, "command", 100.0)
    assert labelled(first, second, wide=260) == ["right", None]
    assert labelled((0, 20, "command", 100), (0, 250, "rejected", 100), wide=260) == [None, "left"]
    assert labelled(first, (0, 260, "command", 100), wide=270) == ["right", "left"]


def test_rows_do_not_take_room_from_each_other() -> None:
    assert labelled((0, 20, "event", 100), (1, 30, "event", 100), (0, 40, "event", 100)) == [
        None,
        "right",
        "right",
    ]


@pytest.mark.parametrize("wide", [300.0, 900.0, 3000.0])
@pytest.mark.parametrize("domain", [bank, fulfilment])
def test_no_label_of_a_story_is_over_another_or_over_a_mark_and_more_appear_with_more_room(
    domain: Any, wide: float
) -> None:
    view = seen(story_of(domain), 0, first=0, width=100)
    marks = [(m.lane, (m.x - AHEAD) * wide / view.total, m.kind, 6.0 * len(m.label)) for m in view.marks]
    sides = beside(marks, wide + 200)
    taken = [(row, x - LABEL["mark"], x + LABEL["mark"]) for row, x, *_ in marks]
    labels = [
        (row, x + 12, x + 12 + needed) if side == "right" else (row, x - 12 - needed, x - 12)
        for (row, x, _, needed), side in zip(marks, sides, strict=True)
        if side is not None
    ]
    for index, (row, left, right) in enumerate(labels):
        others = [*taken, *labels[:index], *labels[index + 1 :]]
        assert not [each for each in others if each[0] == row and each[1] < right and left < each[2]]
    assert len(labels) <= len(
        [s for s in beside([(r, 2 * x, k, w) for r, x, k, w in marks], 2 * wide + 200) if s]
    )


@pytest.mark.parametrize(
    ("category", "name", "letters", "shown"),
    [
        ("BankAccount", "BankAccount-bob", 15, "BankAccount-bob"),
        ("BankAccount", "BankAccount-bob", 13, "BankAcco…-bob"),
        ("Order", "Order-of-2024-0017", 12, "Order-…-0017"),
        ("", "order-of-2024-0017", 10, "order…0017"),
        ("A", "A-b", 1, "…"),
    ],
)
def test_of_a_long_name_of_a_stream_the_type_and_the_id_can_be_read(
    category: str, name: str, letters: int, shown: str
) -> None:
    assert cut_name(category, name, lambda text: len(text) <= letters) == shown


@pytest.mark.parametrize("category", ["Note", "N" * 10_000])
def test_where_to_cut_a_name_of_ten_thousand_letters_is_found_in_a_few_looks(category: str) -> None:
    looks: list[str] = []

    def fits(text: str) -> bool:
        looks.append(text)
        return len(text) <= 20

    assert len(cut_name(category, f"{category}-{'W' * 10_000}", fits)) == 20
    assert len(looks) < 40

"""What stands on a timeline: a lane for each stream and process manager, and a mark for all that happened."""

from __future__ import annotations

from collections import Counter

import pytest

from calamity_lab.examples import bank
from calamity_lab.figures.timeline import Lane, Mark, marks_of
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched
from calamity_lab.trace.trace import Trace
from tests.frames.histories import bank_day, bank_traffic, shop_week, traced


def test_a_transfer_is_drawn_as_command_event_and_reaction() -> None:
    found = marks_of(
        traced([bank.DepositFunds("a", 5), bank.RequestTransfer("t", "a", "b", 5)], bank.Transfer)
    )
    assert found.lanes == (
        Lane("BankAccount-a", "BankAccount", False),
        Lane("Transfer-t", "Transfer", True),
        Lane("BankAccount-b", "BankAccount", False),
    )
    assert found.marks[:5] == (
        Mark(0.5, 0, "command", "DepositFunds", 1),
        Mark(1, 0, "event", "FundsDeposited", 4),
        Mark(1.5, 0, "command", "RequestTransfer", 6),
        Mark(2, 0, "event", "TransferInitiated", 8),
        Mark(2, 1, "started", "→ WithdrawFunds", 9),
    )


def test_refusals_stand_in_order_between_two_events() -> None:
    commands = [bank.DepositFunds("a", 5), *(bank.WithdrawFunds("a", 9),) * 3, bank.DepositFunds("a", 5)]
    found = marks_of(traced(commands))
    assert [(mark.kind, mark.x) for mark in found.marks] == [
        ("command", 0.5),
        ("event", 1),
        ("refused", 1.2),
        ("refused", 1.4),
        ("refused", 1.6),
        ("command", 1.8),
        ("event", 2),
    ]


@pytest.mark.parametrize("trace", [bank_day(), shop_week(), bank_traffic(300)])
def test_nothing_that_happened_is_left_out(trace: Trace) -> None:
    kinds = Counter(mark.kind for mark in marks_of(trace).marks)
    steps = list(trace.steps)
    assert kinds["event"] == sum(len(step.recorded) for step in steps if isinstance(step, Appended))
    assert kinds["command"] + kinds["refused"] == sum(isinstance(step, Dispatched) for step in steps)
    reactions = sum(kinds[kind] for kind in ("started", "continued", "stopped", "ignored"))
    assert reactions == sum(isinstance(step, AtProcessManager) for step in steps)


def test_the_largest_categories_share_a_lane_each_where_there_are_many() -> None:
    found = marks_of(bank_traffic(200))
    together = [lane for lane in found.lanes if lane.count > 1]
    assert [lane.name for lane in together] == ["Transfer"]
    assert together[0].count > 30
    assert len(found.lanes) <= 30
    assert all(0 < mark.within < 1 for mark in found.marks)
    assert all(0 <= mark.lane < len(found.lanes) for mark in found.marks)


def test_each_instance_of_a_shared_lane_keeps_a_line_of_its_own() -> None:
    found = marks_of(bank_traffic(300), most_lanes=2)
    transfers = [lane.count for lane in found.lanes if lane.name == "Transfer"]
    assert len({mark.within for mark in found.marks if found.lanes[mark.lane].is_manager}) == transfers[0]


def test_the_cursor_stands_between_the_past_and_the_future() -> None:
    trace = bank_day()
    found = marks_of(trace)
    for cursor in range(len(trace)):
        x = found.cursor_x(cursor)
        ordered = [mark for mark in found.marks if mark.kind in ("event", "command", "refused")]
        assert all((mark.x < x) is (mark.moment <= cursor) for mark in ordered)


def test_events_older_than_the_trace_are_marked_as_past() -> None:
    store = InMemoryEventStore.from_streams({"BankAccount-a": [bank.FundsDeposited("a", 1)]})
    found = marks_of(Trace.of(Stack(event_store=store)))
    assert found.marks == (Mark(1, 0, "event", "FundsDeposited", 0),)


def test_a_trace_in_which_nothing_happened_has_no_marks() -> None:
    found = marks_of(Trace.of(Stack()))
    assert (found.lanes, found.marks, found.cursor_x(0)) == ((), (), 0.5)

"""Events and agenda as axes: a row each, around the cursor, and a line says what is left out."""

from __future__ import annotations

import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.figures import plot_agenda, plot_events
from calamity_lab.figures.style import hue, strong
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import agenda
from calamity_lab.views.events import event_rows
from tests import holds
from tests.figures.drawing import ink, marks, overprinted, texts
from tests.frames.histories import bank_day, bank_traffic
from tests.holds import HoldSeat, theatre
from tests.views.traces import stepper_of


def test_every_event_has_its_row_and_those_to_come_are_grey() -> None:
    view = event_rows(bank_day(), 30)
    ax = plot_events(view)
    assert marks(ax) == len(view.rows) == 13
    inks = {text.get_text(): text.get_color() for text in ax.texts}
    for row in view.rows:
        assert same_color(inks[str(row.position)], hue("later")) is not row.is_past
    assert overprinted(ax) == []
    assert {"now", "TransferInitiated", "Events 1 to 13 of 13, 6 so far"} <= set(texts(ax))


def test_where_there_is_no_room_for_all_the_events_around_the_cursor_are_drawn() -> None:
    trace = bank_traffic(300)
    view = event_rows(trace, trace.last // 2, limit=60)
    ax = plot_events(view, ax=Figure(figsize=(6, 2), layout="constrained").subplots())
    shown = texts(ax)
    assert {str(view.now), str(view.now + 1), "now"} <= set(shown)
    assert marks(ax) < 20
    assert shown[-1].endswith(f" of {view.total:,}, {view.now:,} so far")
    assert overprinted(ax) == []


def test_a_history_without_events_says_so() -> None:
    assert texts(plot_events(event_rows(Trace.of(Stack()), 0))) == ["no event has been recorded yet"]


def test_what_is_pending_is_drawn_in_order_with_what_is_in_progress_first() -> None:
    stepper = stepper_of(*bank.story())
    stepper.step_in()
    view = agenda(stepper.trace, stepper.cursor)
    ax = plot_agenda(view)
    shown = texts(ax)
    assert [text for text in shown if text == "now" or text.isdigit()] == ["now", *map(str, range(1, 10))]
    assert shown[6:9] == ["now", "CreateAccount", "BankAccount-alice"]
    assert shown[-1] == "9 pending"
    assert overprinted(ax) == []


def test_a_command_that_would_be_rejected_has_the_sign_of_a_rejection_and_says_why() -> None:
    stepper = stepper_of(bank.WithdrawFunds("alice", 5), bank.DepositFunds("alice", 5))
    ax = plot_agenda(agenda(stepper.trace, 0))
    output = texts(ax)
    assert any(text.startswith("would be rejected: ") for text in output)
    assert "would record FundsDeposited" in output
    assert [same_color(ink(each), strong("rejected")) for each in ax.collections] == [True, False]


def test_pending_commands_for_which_there_is_no_room_are_counted() -> None:
    stepper = stepper_of(*bank.random_commands(80))
    view = agenda(stepper.trace, 0, limit=60)
    ax = plot_agenda(view, ax=Figure(figsize=(5, 2), layout="constrained").subplots())
    assert texts(ax)[-1] == f"and {80 - marks(ax)} more"


def held(*seats: str) -> Lab:
    """A lab with held seats, each with two deadlines."""
    lab = Lab(holds, stack=theatre())
    lab.send(*map(HoldSeat, seats))
    lab.resume()
    return lab


def test_the_deadlines_are_drawn_below_what_is_pending_with_when_each_is_due() -> None:
    lab = held("A1")
    lab.send(HoldSeat("B2"))
    ax = lab.plot_agenda(Figure(figsize=(9, 2), layout="constrained").subplots())
    shown = [text for text in texts(ax) if text]
    assert shown[6:] == [
        *("1", "HoldSeat", "Seat-B2", "seat_id='B2', by='Noor'", "submitted", "would record SeatHeld"),
        *("reminder", "RemindGuest", "SeatHeld #1 by Holding-A1"),
        "due in 9 min 59 s, 2026-01-01 00:10:00 UTC",
        *("ExpireHold", "SeatHeld #1 by Holding-A1", "due in 14 min 59 s, 2026-01-01 00:15:00 UTC"),
        *("due", "1 pending; 2 deadlines"),
    ]
    assert [same_color(ink(each), strong("deadline")) for each in ax.collections] == [False, True, True]
    assert overprinted(ax) == []


def test_deadlines_for_which_there_is_no_room_are_counted_and_what_is_pending_comes_first() -> None:
    lab = held("A1", "B2", "C3", "D4")
    assert texts(lab.plot_agenda())[-1] == "0 pending; 8 deadlines, 3 not drawn"
    lab.send(*(HoldSeat(f"E{number}") for number in range(20)))
    ax = lab.plot_agenda(Figure(figsize=(7, 1), layout="constrained").subplots())
    drawn = marks(ax)
    assert 0 < drawn < 20
    assert texts(ax)[6] == "1"
    assert texts(ax)[-1] == f"and {20 - drawn} more; 8 deadlines, 8 not drawn"


def test_an_empty_agenda_says_so() -> None:
    assert texts(plot_agenda(agenda(bank_day(), bank_day().last))) == ["the agenda is empty"]


@pytest.mark.parametrize("plot", [plot_events, plot_agenda])
def test_what_is_no_table_is_rejected(plot: object) -> None:
    with pytest.raises(InvalidValue, match=r"give the value of \w+\(trace, cursor\), or call lab\.plot_"):
        plot(bank_day())  # type: ignore[operator]

"""What a person selects is the same in every view and in Python."""

from __future__ import annotations

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    return lab


def test_the_events_of_what_is_selected_can_be_exported(lab: Lab) -> None:
    assert [event.position for event in lab.select(3, 6)] == [3, 4, 5, 6]
    assert list(lab.selected.to_pandas()["position"]) == [3, 4, 5, 6]
    assert [event.event_type for event in lab.select(11)] == ["FundsWithdrawn"]
    assert {event.stream_id for event in lab.select("BankAccount-carol")} == {"BankAccount-carol"}
    assert len(lab.select()) == 0


def test_what_is_selected_at_a_widget_is_selected_in_python_and_at_every_other_widget(lab: Lab) -> None:
    composite, timeline = FrontEnd(lab.view), FrontEnd(lab.timeline)
    composite.ask("select", mark="event 2", until=5)
    assert [event.position for event in lab.selected] == [2, 3, 4, 5]
    assert timeline.values["selected"]["title"] == "4 events of 3 streams"
    lab.select("Transfer-rent")
    timeline.seen()
    assert timeline.values["selected"]["streams"] == ["Transfer-rent"]


def test_selecting_moves_nothing(lab: Lab) -> None:
    lab.goto(after(lab, "RequestTransfer"))
    before = lab.cursor, len(lab.trace)
    lab.select(11)
    assert (lab.cursor, len(lab.trace)) == before
    assert len(lab.branches) == 1


def test_a_selection_that_another_branch_does_not_have_is_empty_there(lab: Lab) -> None:
    lab.select(13)
    lab.goto(after(lab, "RequestTransfer"))
    lab.send(bank.DepositFunds("alice", 1))
    lab.step()
    assert len(lab.selected) == 0


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (("BankAccount-nobody",), "BankAccount-alice"),
        ((99,), "positions go up to 13"),
        ((9, 3), "no such event"),
        ((1.5,), "select\\(3, 9\\)"),
        ((True,), "the position of an event"),
        ((1, 2, 3), "give a stream id"),
    ],
)
def test_what_cannot_be_selected_is_said_and_changes_nothing(
    lab: Lab, what: tuple[object, ...], message: str
) -> None:
    lab.select(3)
    with pytest.raises(InvalidValue, match=message):
        lab.select(*what)  # type: ignore[arg-type]
    assert [event.position for event in lab.selected] == [3]


def test_a_stream_that_has_only_rejected_can_be_selected_as_its_lane_can() -> None:
    lab = Lab(bank)
    lab.send(bank.WithdrawFunds("nobody", 5))
    lab.resume()
    assert len(lab.select("BankAccount-nobody")) == 0
    assert lab.stepper.selection.stream_id == "BankAccount-nobody"

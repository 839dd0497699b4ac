"""Projections in the views: a card, a lane with a mark for each change, search, selection, a page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import pytest

from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount, DepositFunds, FundsDeposited, WithdrawFunds
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.trace.selection import Selection, selected_events, selection_of
from calamity_lab.trace.stepper import Stepper
from calamity_lab.views.chart import Charts, Mark, change_mark
from calamity_lab.views.controls import controls
from calamity_lab.views.lanes import Lanes, whole, window
from calamity_lab.views.search import search_results
from calamity_lab.views.selected import described, selected
from calamity_lab.views.state import StateRow, state
from calamity_lab.widgets.actions import selection_from
from tests.moments import after
from tests.views.traces import stepper_of


@dataclass(frozen=True)
class Fragile:
    """Breaks at a withdrawal."""

    deposits: int = 0

    @classmethod
    def new(cls) -> Self:
        return cls()

    def apply(self, event: object) -> Self:
        if isinstance(event, FundsDeposited):
            return replace(self, deposits=self.deposits + 1)
        if isinstance(event, bank.FundsWithdrawn):
            raise ZeroDivisionError("by nothing")
        return self


class Unborn:
    """Breaks before there is any event."""

    @classmethod
    def new(cls) -> Self:
        raise ZeroDivisionError("at once")

    def apply(self, event: object) -> Self:
        return self


COMMANDS = [CreateAccount("1"), DepositFunds("1", 50), DepositFunds("2", 5), WithdrawFunds("1", 20)]


@pytest.fixture
def stepper() -> Stepper:
    found = stepper_of(*COMMANDS, projections=(BankTotals, Turnover, Fragile))
    found.resume()
    return found


def card(stepper: Stepper, stream_id: str, **options: Any) -> StateRow:
    view = state(stepper.trace, stepper.cursor, **options)
    return next(row for row in (*view.pinned, *view.rows) if row.stream_id == stream_id)


def shown(row: StateRow) -> dict[str, tuple[str | None, str]]:
    """The fields of a card: before and now."""
    return {field.name: (field.before, field.value) for field in row.fields}


def test_a_card_shows_what_the_command_changed_in_a_projection_first(stepper: Stepper) -> None:
    stepper.goto(after(stepper, "FundsDeposited"))
    turnover = card(stepper, "Turnover-1")
    assert (turnover.kind, turnover.category, turnover.version) == ("projection", "Turnover", 1)
    assert (turnover.is_new, turnover.changed) == (True, True)
    totals = card(stepper, "BankTotals")
    assert (totals.version, totals.is_new, totals.changed) == (2, False, True)
    assert shown(totals)["held"] == ("0", "50")
    changed = [row.stream_id for row in state(stepper.trace, stepper.cursor).rows if row.changed]
    assert changed == ["BankTotals", "Fragile", "BankAccount-1", "Turnover-1"]


def test_a_projection_without_keys_has_a_card_before_anything_happens(stepper: Stepper) -> None:
    stepper.goto(0)
    rows = state(stepper.trace, 0).rows
    assert [(row.stream_id, row.version) for row in rows] == [("BankTotals", 0), ("Fragile", 0)]
    pinned = card(stepper, "Turnover-1", pinned=("Turnover-1",), types={"Turnover": Turnover})
    assert (pinned.kind, pinned.note) == ("projection", "not there yet")


def test_a_card_unfolds_shows_histories_and_is_shown_as_of_a_version(stepper: Stepper) -> None:
    row = card(stepper, "BankTotals", histories=[("BankTotals", "held")])
    history = next(field.history for field in row.fields if field.name == "held")
    assert history is not None
    assert history.values == ("0", "50", "55", "35")
    earlier = card(stepper, "BankTotals", as_of=[("BankTotals", 2)])
    assert earlier.as_of is not None
    assert (earlier.as_of.version, earlier.as_of.first, earlier.as_of.last) == (2, 0, 4)
    assert (earlier.as_of.event, earlier.as_of.moment) == ("FundsDeposited", after(stepper, "FundsDeposited"))
    assert shown(earlier)["held"] == ("0", "50")
    assert shown(card(stepper, "BankTotals", as_of=[("BankTotals", 0)]))["held"] == (None, "0")
    assert shown(card(stepper, "Turnover-1", as_of=[("Turnover-1", 0)]))["paid_in"][1] == "50"


def test_a_broken_projection_says_so_on_its_card_and_in_the_footer(stepper: Stepper) -> None:
    broken_at = after(stepper, "FundsWithdrawn")
    stepper.goto(broken_at)
    row = card(stepper, "Fragile")
    told = "Broken since FundsWithdrawn #4: Fragile.apply raised ZeroDivisionError: by nothing in file tests/"
    assert row.note.startswith(told)
    assert shown(row)["deposits"] == (None, "2"), "the last state before it broke"
    footer = controls(stepper.trace, broken_at)
    assert "The projection Fragile is broken: Fragile.apply raised ZeroDivisionError" in footer.sentence
    assert footer.tone == "error"
    assert "broken" not in controls(stepper.trace, broken_at - 1).sentence
    as_of = card(stepper, "Fragile", as_of=[("Fragile", 3)])
    assert as_of.note.startswith("broken: Fragile.apply raised ZeroDivisionError")


def test_a_projection_that_cannot_begin_is_broken_at_the_first_moment() -> None:
    stepper = stepper_of(*COMMANDS, projections=(Unborn,))
    assert "The projection Unborn is broken: Unborn.new raised ZeroDivisionError: at once" in (
        controls(stepper.trace, 0).sentence
    )
    assert card(stepper, "Unborn").note.startswith("Broken since the beginning: Unborn.new raised")
    stepper.resume()
    assert "broken" not in controls(stepper.trace, stepper.cursor).sentence


def test_projections_have_lanes_of_their_own_below_with_a_mark_at_each_change(stepper: Stepper) -> None:
    chart = Charts().of(stepper.trace)
    found = whole(Lanes(chart))
    assert [(row.name, row.kind) for row in found.rows][-4:] == [
        ("BankTotals", "projection"),
        ("Fragile", "projection"),
        ("Turnover-1", "projection"),
        ("Turnover-2", "projection"),
    ]
    rows = {row.name: number for number, row in enumerate(found.rows)}
    marks = [(mark.x, mark.kind, mark.label) for mark in found.marks if mark.lane == rows["Fragile"]]
    assert marks == [
        (2.0, "projection", "FundsDeposited"),
        (3.0, "projection", "FundsDeposited"),
        (4.0, "rejected", "FundsWithdrawn"),
    ]
    at_turnover = window(chart, stepper.cursor).marks
    assert [mark.x for mark in at_turnover if mark.lane == rows["Turnover-1"]] == [2.0, 4.0]


def test_a_mark_of_a_change_selects_the_projection_and_the_event(stepper: Stepper) -> None:
    trace = stepper.trace
    mark = change_mark(trace, "Turnover-1", 4)
    assert mark is not None
    assert Mark.read(str(mark)) == mark
    selection = selection_from(trace, {"mark": str(mark)})
    assert selection == Selection("Turnover-1", 4)
    found = selected(trace, selection)
    assert (found.kind, found.title) == ("change", "Turnover-1 changed by FundsWithdrawn #4")
    assert found.detail == "FundsWithdrawn #4 changed Turnover-1: paid_out: 0 → 20"
    assert (found.mark, found.streams, found.position) == (mark, ("Turnover-1",), 4)
    assert found.moment == after(stepper, "FundsWithdrawn")
    assert [(arrow.cause, arrow.effect) for arrow in found.arrows][:1] == [(Mark("event", 4), mark)]
    assert [event.position for event in selected_events(trace, selection)] == [4]
    assert selected(trace, Selection("Turnover-2", 4)).kind == "event", "it changed nothing there"
    assert described(trace, Mark("change", 99)) == ""


def test_a_projection_is_selected_with_the_events_that_changed_it(stepper: Stepper) -> None:
    selection = selection_of(stepper.trace, ("Turnover-1",))
    assert [event.position for event in selected_events(stepper.trace, selection)] == [2, 4]
    assert selected(stepper.trace, selection).title == "Turnover-1"


def test_a_projection_is_found_by_its_name(stepper: Stepper) -> None:
    hits = search_results(stepper.trace, stepper.cursor, query="turnover-2").hits
    assert [(hit.label, hit.shape) for hit in hits] == [("Turnover-2", "projection")]


def test_a_branch_cuts_its_marks_where_it_left(stepper: Stepper) -> None:
    charts = Charts()
    charts.of(stepper.trace)
    stepper.goto(after(stepper, "FundsDeposited"))
    stepper.submit(DepositFunds("3", 1))
    assert charts.of(stepper.trace).sizes.changes == len(stepper.trace.index.projections.changes) == 4
    stepper.resume()
    assert card(stepper, "Turnover-3").version == 1

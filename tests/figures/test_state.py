"""The state as axes: a card for each row of the view, changed fields first; a line says what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from calamity_lab.errors import InvalidValue
from calamity_lab.figures import plot_state
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.trace import Trace
from calamity_lab.views.state import FieldRow, StateRow, state
from tests.figures.drawing import overprinted, texts
from tests.frames.histories import bank_day, bank_traffic, shop_week


@pytest.mark.parametrize("trace", [bank_day(), shop_week()])
@pytest.mark.parametrize("share", [0.3, 0.7, 1])
def test_every_row_has_its_card_with_its_fields_and_no_text_stands_over_another(
    trace: Trace, share: float
) -> None:
    view = state(trace, int(trace.last * share))
    ax = plot_state(view)
    shown = texts(ax)
    assert {row.stream_id for row in view.rows} <= set(shown)
    assert {field.name for row in view.rows for field in row.fields} <= set(shown)
    assert sum(isinstance(patch, FancyBboxPatch) for patch in ax.patches) == len(view.rows)
    assert overprinted(ax) == []


def test_a_changed_field_shows_old_and_new_and_its_card_is_framed_and_says_so() -> None:
    ax = plot_state(state(bank_day(), 29))
    shown = texts(ax)
    place = shown.index("balance")
    assert shown[place : place + 3] == ["balance", "10000 →", "4000"]
    assert ax.texts[place + 2].get_weight() == "bold"
    assert "changed, v4" in shown
    frames = [patch.get_linewidth() > 0 for patch in ax.patches]
    assert frames == [row.changed for row in state(bank_day(), 29).rows]


def test_what_a_command_began_is_new_and_what_it_ended_is_stopped() -> None:
    trace = bank_day()
    stopped = next(at for at in range(len(trace)) if any(row.gone for row in state(trace, at).rows))
    views = [state(trace, at) for at in (4, 28, stopped)]
    words = {text.split(",")[0] for view in views for text in texts(plot_state(view))}
    assert {"new", "changed", "stopped"} <= words


def test_a_pinned_card_comes_first_and_says_so() -> None:
    shown = texts(plot_state(state(bank_day(), 40, pinned=["BankAccount-bob"])))
    assert shown[:2] == ["pinned, v2", "BankAccount-bob"]


def test_cards_for_which_there_is_no_room_are_counted() -> None:
    trace = bank_traffic(300)
    view = state(trace, trace.last, limit=40)
    ax = plot_state(view, ax=Figure(figsize=(4, 4), layout="constrained").subplots())
    cards = len(ax.patches)
    assert 0 < cards < 40
    assert f"and {view.matching - cards:,} more" in texts(ax)
    assert overprinted(ax) == []


def test_of_a_state_with_many_fields_the_first_are_drawn_and_the_others_counted() -> None:
    fields = tuple(FieldRow(f"f{n}", str(n), None, False) for n in range(30))
    row = StateRow("Wide-1", "Wide", "aggregate", 1, False, False, False, fields)
    view = replace(state(Trace.of(Stack()), 0), matching=1, total=1, rows=(row,))
    shown = texts(plot_state(view))
    assert "f11" in shown
    assert "f12" not in shown
    assert "and 18 more fields" in shown


def test_an_empty_state_says_why_it_is_empty() -> None:
    assert texts(plot_state(state(Trace.of(Stack()), 0))) == ["nothing has happened yet"]
    assert texts(plot_state(state(bank_day(), 40, query="$x^2$"))) == ["nothing has '$x^2$' in it"]


def test_what_is_no_state_is_rejected() -> None:
    with pytest.raises(
        InvalidValue, match=r"give the value of state\(trace, cursor\), or call lab.plot_state"
    ):
        plot_state(bank_day())  # type: ignore[arg-type]

"""A lab shows the cascade at its cursor as a diagram, as axes and as Mermaid text."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from calamity_lab import ALL, Lab
from calamity_lab.examples import bank
from tests.figures.drawing import texts
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    lab.goto(after(lab, "Refused", 2))
    return lab


def test_the_text_is_that_of_the_cascade_at_the_cursor_and_of_another_where_that_is_asked(lab: Lab) -> None:
    text = lab.to_mermaid()
    assert text.count("RequestTransfer") == 1
    assert "Transfer-gift" in text
    other = lab.to_mermaid(correlation=lab.events[4].correlation_id)
    assert "Transfer-rent" in other
    assert "Transfer-gift" not in other
    assert lab.to_mermaid(correlation=ALL).count("RequestTransfer") == 4  # one of them is rejected
    assert "14 more commands" in lab.to_mermaid(correlation=ALL, limit=1)


def test_the_figure_is_drawn_on_the_axes_that_were_given(lab: Lab) -> None:
    mpl.use("Agg")
    ax = Figure(figsize=(9, 6), layout="constrained").subplots()
    assert lab.plot_sequence(ax) is ax
    assert {"DepositFunds rejected", "account closed"} <= set(texts(ax))


def test_the_widget_follows_the_cursor_and_turns_the_pages_of_a_long_cascade(lab: Lab) -> None:
    front_end = FrontEnd(lab.sequence)
    assert front_end.widget.face == "sequence"
    assert front_end.values["sequence"]["title"] == "RequestTransfer"
    front_end.ask("goto", moment=after(lab, "FundsWithdrawn", -1))
    assert front_end.values["sequence"]["title"] == "WithdrawFunds"
    front_end.ask("goto", moment=after(lab, "Refused", 2))
    front_end.ask("set_options", view="sequence", first=2, limit=1)
    shown = front_end.values["sequence"]
    assert (shown["first"], shown["commands"], shown["total"]) == (2, 1, 4)
    assert [each["tense"] for each in shown["messages"]] == ["past", "now", "future"]


def test_a_step_within_a_cascade_sends_little(lab: Lab) -> None:
    front_end = FrontEnd(lab.sequence)
    patch = front_end.ask("step_in")["sequence"]
    assert set(patch) == {"messages"}
    assert sum(not isinstance(row, int) for row in patch["messages"]["rows"]) == 2


def test_the_still_tells_the_messages_and_what_it_shows_in_words(lab: Lab) -> None:
    still = lab.sequence.still()
    assert 'alt="Sequence of RequestTransfer: 12 messages, 8 of them up to this moment"' in still

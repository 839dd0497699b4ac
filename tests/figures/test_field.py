"""The history of a field as axes: a step for each version, numbers by their height, other values by rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.figures import plot_field
from calamity_lab.figures.style import hue
from calamity_lab.lab import Lab
from calamity_lab.views.versions import history_of
from tests.figures.drawing import marks, overprinted, texts
from tests.frames.histories import bank_day


def test_a_number_is_as_high_as_it_is_great_and_each_value_is_said() -> None:
    view = history_of(bank_day(), bank_day().last, "BankAccount-alice", "balance")
    ax = plot_field(view, name="balance of BankAccount-alice")
    drawn = [np.asarray(line.get_xydata()) for line in ax.lines]
    assert [ends[0, 1] for ends in drawn if ends[0, 0] != ends[1, 0]] == list(view.heights)
    assert marks(ax) == sum(version > 0 for version in view.versions)
    assert [label.get_text() for label in ax.get_yticklabels()] == [view.least, view.most]
    assert set(view.values) <= set(texts(ax))
    assert ax.get_title() == "balance of BankAccount-alice"
    assert overprinted(ax) == []


def test_other_values_have_a_row_each_in_order_of_appearance() -> None:
    view = history_of(bank_day(), bank_day().last, "Transfer-rent", "stage")
    ax = plot_field(view)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(dict.fromkeys(view.values))
    low, high = ax.get_ylim()
    assert low > high


def test_what_is_yet_to_come_is_grey_and_dashed() -> None:
    ax = plot_field(history_of(bank_day(), 20, "BankAccount-alice", "balance"))
    later = [same_color(line.get_color(), hue("later")) for line in ax.lines]
    assert {True, False} == set(later)
    assert [line.is_dashed() for line in ax.lines if same_color(line.get_color(), hue("later"))].count(
        False
    ) == 0


def test_it_says_what_it_leaves_out() -> None:
    view = replace(
        history_of(bank_day(), 20, "BankAccount-alice", "balance"), every=4, earlier=1_200, kind="changes"
    )
    assert plot_field(view).get_xlabel() == (
        "version, of which every 4 was looked at, 1,200 earlier changes left out"
    )


def test_a_stream_or_a_field_that_is_not_there_is_rejected_and_it_says_what_there_is() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    with pytest.raises(
        InvalidValue, match=r"no stream 'alice' in this run\. Did you mean BankAccount-alice\?"
    ):
        lab.plot_field("alice", "balance")
    with pytest.raises(InvalidValue, match=r"BankAccount-alice has no field 'amount'\. Fields: account_id, "):
        lab.plot_field("BankAccount-alice", "amount")
    with pytest.raises(InvalidValue, match=r"call lab.plot_field\(stream_id, field\)"):
        plot_field(bank_day())  # type: ignore[arg-type]

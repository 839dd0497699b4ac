"""The sequence diagram as axes: every message, the future grey, and no text over another."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import cycle

import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from calamity_lab.errors import InvalidValue
from calamity_lab.figures import plot_sequence
from calamity_lab.figures.style import hue
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.trace import Trace
from calamity_lab.views.sequence import SequenceView, sequence
from calamity_lab.views.sequence_scene import Shape, sequence_scene
from tests.figures.drawing import overprinted, texts
from tests.frames.histories import bank_day, shop_week

DAYS = [(bank_day, 57), (shop_week, 27)]


def shapes(view: SequenceView) -> list[Shape]:
    """The paths of all messages of a view, in the order in which they are drawn."""
    drawn = sequence_scene(view.participants, view.messages, 100).drawn
    return [each for each in drawn if isinstance(each, Shape)]


@pytest.mark.parametrize(("day", "cursor"), DAYS)
def test_every_message_has_its_arrow_and_its_name_and_no_text_stands_over_another(
    day: object, cursor: int
) -> None:
    view = sequence(day(), cursor)  # type: ignore[operator]
    ax = plot_sequence(view)
    assert len(ax.patches) == len(shapes(view))
    named = texts(ax)
    assert {each.label for each in view.messages} | {each.note for each in view.messages} - {""} <= set(named)
    assert overprinted(ax) == []


def test_each_kind_has_its_colour_and_what_is_yet_to_come_is_grey() -> None:
    view = sequence(bank_day(), 58)
    ax = plot_sequence(view)
    for shape, patch in zip(shapes(view), ax.patches, strict=True):
        if shape.stroke:
            assert same_color(patch.get_edgecolor(), hue(shape.stroke)), shape
    assert {"command", "event", "manager", "rejected", "later"} <= {shape.stroke for shape in shapes(view)}


def test_the_legend_tells_the_kinds_that_are_there() -> None:
    legend = plot_sequence(sequence(bank_day(), 36)).get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["command", "command rejected"]


def test_a_run_in_which_nothing_happened_says_so() -> None:
    assert "nothing has happened yet" in texts(plot_sequence(sequence(Trace.of(Stack()), 0)))


def test_any_text_of_a_model_is_drawn_as_text_within_the_figure() -> None:
    view = sequence(bank_day(), 57)
    names = cycle(["$x^2$", "$broken", "a_b\\frac", "<b>", "two\nlines", "😀", "\x00", "W" * 500])
    view = replace(
        view,
        participants=tuple(replace(each, name=next(names)) for each in view.participants),
        messages=tuple(replace(each, label=next(names), note=next(names)) for each in view.messages),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_sequence(view)
        ax.figure.canvas.draw()
    for text in ax.texts:
        assert not text.get_parse_math()
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.x1 <= ax.figure.bbox.x1 + 1  # type: ignore[union-attr]


def test_in_a_small_figure_nothing_breaks() -> None:
    ax = Figure(figsize=(2, 1.5), layout="constrained").subplots()
    assert plot_sequence(sequence(bank_day(), 57), ax=ax) is ax
    assert plt.get_fignums() == []


def test_a_dark_style_gives_light_letters() -> None:
    with plt.style.context("dark_background"):
        ax = plot_sequence(sequence(bank_day(), 64))
        assert all(same_color(text.get_color(), "white") for text in ax.texts)


def test_what_is_no_sequence_is_rejected() -> None:
    with pytest.raises(InvalidValue, match=r"give the value of sequence\(trace, cursor\)"):
        plot_sequence(bank_day())  # type: ignore[arg-type]

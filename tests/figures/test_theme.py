"""Light and dark: every figure can be read in both, and matplotlib is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.style import THEMES, Theme, hue, strong, theme_now
from calamity_lab.views.looks import COLOURS
from tests.figures.drawing import lettering
from tests.figures.plots import PLOTS, Plot
from tests.widgets.test_colours import contrast

BOTH = sorted(THEMES)


@pytest.mark.parametrize("theme", BOTH)
@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_every_letter_and_every_mark_stands_out_from_the_paper(plot: Plot, theme: Theme) -> None:
    ax = plot.draw(theme=theme)
    paper = hue("paper", theme)
    figure = ax.get_figure(root=True)
    assert figure is not None
    assert same_color(ax.get_facecolor(), paper)
    assert same_color(figure.get_facecolor(), paper)
    assert [
        text.get_text() for text in lettering(ax) if contrast(to_hex(text.get_color()), paper) < 4.5
    ] == []
    assert [colour for colour in drawn(ax) if contrast(colour, paper) < 3] == []


def drawn(ax: Axes) -> Iterator[str]:
    """The colours of what is drawn: of a shape its edge, of a filled mark its face."""
    for collection in ax.collections:
        faces = (
            collection.get_facecolors() if len(collection.get_facecolors()) else collection.get_edgecolors()
        )
        yield from {to_hex(face) for face in faces}
    for patch in ax.patches:
        is_ground = not isinstance(patch, FancyArrowPatch) and not patch.get_linewidth()
        yield from () if is_ground else (to_hex(patch.get_edgecolor()),)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_a_theme_leaves_matplotlib_as_it_was(plot: Plot) -> None:
    settings = dict(mpl.rcParams)
    plot.draw(theme="dark")
    assert dict(mpl.rcParams) == settings


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_axes_that_are_given_are_turned_to_the_theme_and_pyplot_is_left_alone(plot: Plot) -> None:
    ax = Figure(figsize=(7, 5), layout="constrained").subplots()
    assert plot.draw(ax=ax, theme="dark") is ax
    assert same_color(ax.get_facecolor(), hue("paper", "dark"))
    assert same_color(ax.figure.get_facecolor(), hue("paper", "dark"))
    assert all(same_color(spine.get_edgecolor(), hue("ink-soft", "dark")) for spine in ax.spines.values())
    assert plt.get_fignums() == []


def test_ticks_that_come_with_another_size_are_legible_too() -> None:
    ax = PLOTS[0].draw(theme="dark")
    ax.set_xlim(0, 1_000)
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert all(same_color(label.get_color(), hue("ink", "dark")) for label in ax.get_xticklabels())


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("theme", ["Dark", "", 7, True])
def test_another_theme_is_rejected_and_it_says_which_there_are(plot: Plot, theme: Any) -> None:
    with pytest.raises(InvalidValue, match=rf"{plot.name}\(theme={theme!r}\): give 'light' or 'dark'"):
        plot.draw(theme=theme)


def test_without_a_theme_the_colours_go_with_the_ground_that_matplotlib_is_set_to() -> None:
    assert theme_now() == "light"
    with plt.style.context("dark_background"):
        assert theme_now() == "dark"
        assert strong("event") == COLOURS["event"].dark
    with plt.rc_context({"axes.facecolor": "none", "figure.facecolor": "none"}):
        assert theme_now() == "light"

"""Figures for print: vectors whose text is text, the same to the byte, legible in a column and on a page."""

from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.figures.drawing import lettering, overprinted
from tests.figures.plots import PLOTS, Plot

MILLIMETRES = 25.4
COLUMN, PAGE = (88, 150), (180, 160)
SVG = "{http://www.w3.org/2000/svg}"


def sized(plot: Plot, size: tuple[int, int]) -> Axes:
    ax = Figure(figsize=tuple(side / MILLIMETRES for side in size), layout="constrained").subplots()
    return plot.draw(ax=ax, theme="light")


def saved(ax: Axes, form: str) -> bytes:
    """The figure as the README says that it is kept."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "a run", "pdf.fonttype": 42}):
        file = io.BytesIO()
        date = {"svg": "Date", "pdf": "CreationDate"}[form]
        ax.figure.savefig(file, format=form, metadata={date: None})
    return file.getvalue()


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("size", [COLUMN, PAGE], ids=["column", "page"])
def test_in_a_column_and_on_a_page_all_is_legible_and_within_the_edge(
    plot: Plot, size: tuple[int, int]
) -> None:
    ax = sized(plot, size)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    edge = figure.bbox
    assert min(float(text.get_fontsize()) for text in lettering(ax)) >= 5
    for text in lettering(ax):
        box = text.get_window_extent()
        assert edge.x0 <= box.x0, text.get_text()
        assert box.x1 <= edge.x1, text.get_text()
        assert edge.y0 <= box.y0, text.get_text()
        assert box.y1 <= edge.y1, text.get_text()
    assert overprinted(ax) == []


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_text_in_an_svg_is_text(plot: Plot) -> None:
    ax = plot.draw(theme="dark")
    root = ET.fromstring(saved(ax, "svg"))
    written = {"".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")}
    lines = {line.strip() for text in lettering(ax) for line in text.get_text().split("\n")}
    assert lines - {""} <= written


@pytest.mark.parametrize(("plot", "form"), [*((plot, "svg") for plot in PLOTS), (PLOTS[0], "pdf")])
def test_the_same_view_gives_the_same_bytes(plot: Plot, form: str) -> None:
    assert saved(plot.draw(theme="light"), form) == saved(plot.draw(theme="light"), form) != b""

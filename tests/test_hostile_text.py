"""Hostile text is text: in every view, still, figure and file, whatever it poses as.

What only a browser can show, that nothing of it becomes markup or leaves its box, is in
``tests/browser/test_hostile_text.py``.
"""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from calamity_lab.kernel.protocols import ALL
from calamity_lab.lab import Lab
from calamity_lab.text import format_value
from calamity_lab.views.agenda import agenda
from calamity_lab.views.chart import Charts
from calamity_lab.views.controls import controls
from calamity_lab.views.events import event_rows
from calamity_lab.views.form import forms
from calamity_lab.views.lanes import window
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.search import search_results
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.tables import reaction_rows, state_rows, step_row, steps
from calamity_lab.widgets.page import page
from calamity_lab.widgets.patches import plain
from calamity_lab.widgets.view_widget import FACES, ViewWidget
from tests.figures.drawing import lettering
from tests.hostile import MARKUP, TEXTS, hostile_lab
from tests.pages import carried
from tests.widgets.front_end_stand_in import FrontEnd

SVG = "{http://www.w3.org/2000/svg}"
STILL = {
    "div",
    "style",
    "b",
    "span",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "img",
    "details",
    "summary",
}
STILL |= {"del", "svg", "rect", "path", "g", "text", "circle"}
FIGURE = {"svg", "metadata", "defs", "style", "g", "path", "text", "tspan", "use", "clipPath", "rect"}


@cache
def lab() -> Lab:
    return hostile_lab()


class Elements(HTMLParser):
    """The elements of some markup, their attributes, and the text between them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def check(self, allowed: set[str]) -> None:
        """Raise an AssertionError where there is an element or a handler that is not ours."""
        assert set(self.names) <= allowed
        assert not [name for name, _ in self.attributes if name.startswith("on")]


def every_view(lab: Lab, cursor: int) -> Iterator[Any]:
    """The value of each view, looked at closely."""
    trace = lab.trace
    yield controls(trace, cursor)
    yield agenda(trace, cursor)
    names = [format_value(lane.identity.stream_id) for lane in trace.index.lanes]
    fields = [(name, field) for name in names for field in ("id", "text", "texts", "stage")]
    yield state(trace, cursor, limit=99, unfolded=fields, histories=fields, pinned=names)
    yield state(trace, cursor, as_of=[(name, 1) for name in names], query="a")
    yield window(Charts().of(trace), cursor)
    yield process_graph(trace, cursor, lab.model)
    yield sequence(trace, cursor, correlation=ALL, limit=99)
    yield event_rows(trace, cursor)
    yield search_results(trace, cursor, query="a", limit=99)
    yield forms(lab.model)
    yield [*map(step_row, steps(trace, cursor))]
    yield [row._replace(state=None) for row in reaction_rows(trace, cursor)]
    yield [row._replace(state=None) for row in state_rows(trace, cursor)]


def test_every_view_is_text_that_can_be_sent() -> None:
    for cursor in range(0, len(lab().trace), 20):
        for view in every_view(lab(), cursor):
            if not isinstance(view, tuple | list):
                json.dumps(plain(view), ensure_ascii=False, allow_nan=False).encode()


def test_no_text_turns_the_direction_of_what_we_say_of_it() -> None:
    trace = lab().trace
    turning = re.compile("[\u202a-\u202e\u2066-\u2069]")
    for cursor in range(0, len(trace), 7):
        messages = sequence(trace, cursor).messages
        waiting = agenda(trace, cursor)
        sentences = [
            controls(trace, cursor).sentence,
            process_graph(trace, cursor, lab().model).sentence,
            *(each.detail for each in messages),
            *(each.note for each in messages),
            *(entry.origin for entry in waiting.entries),
        ]
        assert not [each for each in sentences if turning.search(each)]
    assert "\\u202eabc" in controls(trace, 98).sentence


@pytest.mark.parametrize("face", FACES)
def test_what_a_widget_sends_can_be_sent(face: str) -> None:
    front_end = FrontEnd(ViewWidget(hostile_lab(), face))
    for moment in (0, 57, 150):
        front_end.ask("goto", moment=moment)
    assert front_end.messages
    for message in front_end.messages:
        json.dumps(message, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize("face", FACES)
def test_markup_is_text_in_every_still(face: str) -> None:
    here = hostile_lab()
    widget = ViewWidget(here, face)
    for moment in (1, 57, 202):
        here.stepper.goto(moment)
        still = widget.still()
        still.encode()
        Elements(still).check(STILL)
        for drawing in re.findall(r"svg\+xml;base64,([^\"]+)", still):
            root = ET.fromstring(base64.b64decode(drawing))
            assert {each.tag.removeprefix(SVG) for each in root.iter()} <= STILL


@pytest.mark.parametrize(("face", "moment"), [("state", 30), ("agenda", 0), ("log", 20)])
def test_the_text_can_be_read_in_the_tables_of_a_still(face: str, moment: int) -> None:
    here = hostile_lab()
    here.goto(moment)
    assert "<script>window.broken = 1;" in Elements(ViewWidget(here, face).still()).text


def test_markup_is_text_in_what_a_cell_shows() -> None:
    here = hostile_lab()
    here.goto(len(here.trace) - 1)
    for reading in (
        here.aggregates,
        here.process_managers,
        here.agenda,
        here.events,
        here.steps,
        here.history,
    ):
        repr(reading).encode(errors="surrogatepass")
        markup = reading._repr_html_()
        markup.encode()
        assert not {"script", "img", "b"} & set(Elements(markup).names)


PLOTS: dict[str, tuple[str, ...]] = {
    "plot_timeline": (),
    "plot_process_managers": (),
    "plot_sequence": (),
    "plot_state": (),
    "plot_events": (),
    "plot_agenda": (),
    "plot_field": (f"Note-{TEXTS['emoji']}", "text"),
}


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize("wide", [3.46, 7.1])
def test_every_text_in_a_figure_is_text_within_its_edge(name: str, wide: float) -> None:
    ax = Figure(figsize=(wide, 6), layout="constrained").subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(lab(), name)(*PLOTS[name], ax=ax)
        ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    for text in lettering(ax):
        assert "$" not in text.get_text() or not text.get_parse_math(), text.get_text()
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= ax.figure.bbox.x1 + 1, text.get_text()


@pytest.mark.parametrize("name", PLOTS)
def test_markup_is_text_in_an_svg(name: str) -> None:
    ax = getattr(lab(), name)(*PLOTS[name], ax=Figure(figsize=(7, 6), layout="constrained").subplots())
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        ax.figure.savefig(
            file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    root = ET.fromstring(file.getvalue())
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= FIGURE
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]


def test_no_text_adds_a_line_or_a_statement_to_mermaid() -> None:
    text = lab().to_mermaid(correlation=ALL)
    text.encode()
    who = r"[UASM]\d*"
    ours = rf"(participant|actor) {who} as|{who}(->>|-->>|--x){who}:|Note over {who}:|rect rgba\(.*\)|end"
    first, *lines = text.splitlines()
    assert first == "sequenceDiagram"
    for line in lines:
        found = re.match(ours, line.strip())
        assert found, line
        text = re.sub(r"#\d+;|<br/>", "", line.strip()[found.end() :])
        assert not re.search(r"[;#<>%`\"]|\bend\b", text), text


def test_a_page_carries_hostile_text_as_text() -> None:
    text = page(lab(), MARKUP)
    text.encode()
    elements = Elements(text)
    scripts = [value for name, value in elements.attributes if name == "type"]
    assert scripts == ["application/json", "module"]
    assert elements.names.count("script") == 2
    assert "<!--" not in text
    assert "<title>&lt;script&gt;" in text
    *_, last = carried.shown(carried.carried(text))
    json.dumps(last, ensure_ascii=False).encode()

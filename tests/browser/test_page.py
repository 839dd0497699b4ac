"""A run in one file, opened from the disk: it scrubs without a kernel, and asks nobody for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import random_commands
from calamity_lab.lab import Lab
from calamity_lab.views.agenda import agenda
from calamity_lab.views.chart import Charts, Mark
from calamity_lab.views.controls import controls
from calamity_lab.views.log import log_rows
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.selected import described, selected
from calamity_lab.views.state import state
from calamity_lab.widgets import front_end
from calamity_lab.widgets.actions import selection_from
from calamity_lab.widgets.patches import plain
from tests.browser.browser import Browser
from tests.browser.lab_widget import scroll_through, state_in
from tests.pages.carried import recorded

SCRIPTS = front_end.script("page/views.js")
# The page's own reckoning of a view, asked without a page: what it would show at a place, looked at so.
ASKED = """
([packed, asked]) => {
  %s
  const recording = new Recording(packed);
  return asked.map(([place, part, look]) =>
    WINDOWS[part](recording.at(place), {...USUAL_OPTIONS[part], ...look}, packed, packed.moments[place]));
}
"""
# What a page says is selected, and what it says of a mark that is pointed at.
PICKED = """
([packed, asked, marks]) => {
  %s
  const found = asked.map((picked) => recordedSelected(packed, picked));
  return [found, marks.map((mark) => WINDOWS.pointed({}, { mark }, packed, 0).sentence)];
}
"""


class RunPage:
    """A page with a run, opened from a file; what it asks for and complains of is noted."""

    def __init__(self, page: Page, path: Path, moment: int | None = None) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url.partition("#")[0]))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(error.message))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.goto(path.as_uri() + ("" if moment is None else f"#{moment}"))
        self.root = page.locator(".cl-root")
        self.root.wait_for()

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def goto(self, moment: int) -> None:
        field = self.root.get_by_label("Go to")
        field.fill(str(moment))
        field.press("Enter")

    def tab(self, name: str) -> Locator:
        self.root.get_by_role("tab", name=name).click()
        return self.root.get_by_role("tabpanel", name=name)

    @property
    def moment(self) -> int:
        return int(self.root.get_by_role("slider", name="Moment").input_value())

    def shows(self, lab: Lab, moment: int) -> None:
        """Raise an AssertionError where the page says anything else than Python at that moment."""
        drawn = self.root.locator(".cl-card").count()  # as many as can be seen
        assert drawn >= min(4, len(state(lab.trace, moment).rows))
        expected = state(lab.trace, moment, limit=drawn).rows
        assert self.moment == moment
        assert self.root.get_by_role("status").inner_text().strip() == controls(lab.trace, moment).sentence
        assert state_in(self.root) == {
            row.stream_id: {field.name: field.value for field in row.fields} for row in expected
        }

    def check(self) -> None:
        """Raise an AssertionError where the page asked for anything but itself, or complained."""
        assert [url for url in self.asked if not url.startswith("data:")] == self.asked[:1]
        assert self.asked[0].startswith("file:")
        assert self.complaints == []


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Path]:
    """2,000 moments of the bank's random traffic, and the page that they make."""
    lab = Lab(bank, checked=False)
    lab.send(*random_commands(500))
    lab.resume(limit=2_000)
    return lab, lab.to_html(tmp_path_factory.mktemp("traffic") / "run.html")


@pytest.fixture
def empty(browser: Browser) -> Iterator[Page]:
    page = browser.page()
    yield page
    browser.close(page)


def test_a_page_says_that_it_keeps_no_more_pending_commands_and_leaves_no_room_for_them(
    traffic: tuple[Lab, Path], empty: Page
) -> None:
    run = RunPage(empty, traffic[1], 0)
    pane = run.root.locator(".cl-next .cl-scroll")
    entries, more = pane.get_by_role("listitem"), pane.get_by_role("button", name="more…")
    # The list grows as it is scrolled through, and moves the button meanwhile.
    scroll_through(pane, "li", 12)
    more.click()
    expect(entries).to_have_count(36)
    more.click()
    expect(run.root.get_by_role("status")).to_contain_text(
        "Of the pending commands of each moment, this page keeps the first 36."
    )
    expect(entries).to_have_count(36)
    # The last of them stands right above the button.
    boxes = [each.bounding_box() for each in (entries.last, more)]
    assert boxes[0]
    assert boxes[1]
    assert boxes[1]["y"] - boxes[0]["y"] < 200
    run.check()


def test_two_thousand_moments_scrub_forwards_and_back_and_say_what_python_says(
    traffic: tuple[Lab, Path], empty: Page
) -> None:
    lab, path = traffic
    assert path.stat().st_size < 5_000_000
    run = RunPage(empty, path)
    run.shows(lab, 2_000)
    run.press("Rewind")
    run.shows(lab, 0)
    lab.goto(0)
    for name, move in {"Step over": lab.step, "Step in": lab.step_in, "Step out": lab.step_out}.items():
        run.press(name)
        move()
        run.shows(lab, lab.cursor)
    run.press("Step back")
    run.shows(lab, lab.cursor - 1)
    slider = run.root.get_by_role("slider", name="Moment")
    for moment in (1_500, 33, 31, 1_024):
        slider.fill(str(moment))
        run.shows(lab, moment)
    slider.press("ArrowLeft")
    run.shows(lab, 1_023)
    run.goto(777)
    run.shows(lab, 777)
    run.root.press("End")
    run.shows(lab, 2_000)
    expect(run.root.get_by_role("button", name="Resume")).to_have_attribute("aria-disabled", "true")
    run.check()


def test_a_click_on_an_event_or_a_mark_leads_to_its_moment_and_the_address_tells_it(
    traffic: tuple[Lab, Path], empty: Page
) -> None:
    lab, path = traffic
    run = RunPage(empty, path, 400)
    assert run.moment == 400
    panel = run.tab("Log")
    panel.get_by_role("combobox").select_option("events")
    panel.get_by_role("searchbox").fill("withdrawn")
    expected = log_rows(lab.trace, 400, only="events", query="withdrawn", limit=60)
    first = panel.locator(".cl-log-rows > *").first
    expect(first).to_contain_text(f"#{expected.rows[0].position}")
    first.click()
    assert run.moment == expected.rows[0].moment
    expect(empty).to_have_url(re.compile(f"#{run.moment}$"))
    mark = run.root.locator(".cl-mark")
    mark.press("ArrowRight")
    expect(mark).to_have_accessible_name(re.compile(r"\(not yet\)$"))
    name = str(mark.get_attribute("aria-label")).removesuffix(" (not yet)")
    mark.click()
    expect(run.root.get_by_role("option", name=name, exact=True, selected=True)).to_have_count(1)
    expect(run.root.get_by_role("slider", name="Moment")).not_to_have_value(str(expected.rows[0].moment))
    empty.evaluate("location.hash = '#12'")
    expect(run.root.get_by_role("slider", name="Moment")).to_have_value("12")
    run.check()


def test_a_page_shows_nothing_that_only_a_kernel_can_do(traffic: tuple[Lab, Path], empty: Page) -> None:
    _, path = traffic
    run = RunPage(empty, path, 1_000)
    for name in ("Send", re.compile("^Run .* next$"), re.compile("^(Drop|Take) ")):
        expect(run.root.get_by_role("button", name=name)).to_have_count(0)
    expect(empty.get_by_text("Read-only recording")).to_be_visible()
    run.check()


def test_without_a_script_the_page_shows_a_picture_of_the_moment(tmp_path: Path, empty: Page) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.step()
    path = lab.to_html(tmp_path / "run.html")
    chromium = empty.context.browser
    assert chromium
    with chromium.new_context(java_script_enabled=False) as bare:
        shown = bare.new_page()
        shown.goto(path.as_uri())
        expect(shown.get_by_text(f"Step {lab.cursor} of {lab.cursor}")).to_be_visible()


QUERIES = ("01", "", "a", "order", "accepted", "by", "rejected")


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_the_windows_of_a_page_are_those_of_python(model: Any, empty: Page) -> None:
    lab, run = recorded(model)
    trace = lab.trace
    total = len(trace.index.events)
    names = [lane.identity.stream_id for lane in trace.index.lanes]
    asked: list[tuple[int, str, dict[str, Any]]] = []
    expected: list[Any] = []

    def ask(moment: int, part: str, look: dict[str, Any], view: Any) -> None:
        asked.append((moment, part, look))
        expected.append(plain(view))

    for moment in range(0, len(trace), 17):
        ask(moment, "agenda", {"limit": 12}, replace(agenda(trace, moment, limit=12), faults=()))
        for query, first in (("", 0), ("A", 1), ("open", 99), ("nowhere", 0)):
            look: dict[str, Any] = {"query": query, "first": first, "limit": 3}
            ask(moment, "state", look, state(trace, moment, **look))
        look = {"pinned": names[moment % len(names) :][:3], "limit": 4}
        ask(moment, "state", look, state(trace, moment, **look))
        for place, limit in ((None, 6), (0, 5), (total - 2, 7), (10**6, 2)):
            only = ("all", "commands", "events", "rejections")[(moment + limit) % 4]
            look = {"only": only, "query": QUERIES[moment % len(QUERIES)], "first": place, "limit": limit}
            ask(moment, "log", look, log_rows(trace, moment, **look))
        for manager in (each.__name__ for each in lab.model.process_managers):
            graph = process_graph(trace, moment, lab.model, manager=manager)
            ask(moment, "process_graph", {"manager": manager, "instance": None}, graph)
            for instance in graph.instances[:2]:
                look = {"manager": manager, "instance": instance.stream_id}
                ask(moment, "process_graph", look, process_graph(trace, moment, lab.model, **look))
    found = empty.evaluate(ASKED % SCRIPTS, [run, asked])
    for question, answer, right in zip(asked, found, expected, strict=True):
        assert answer == right, question


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_what_is_selected_on_a_page_and_pointed_at_is_what_python_says(model: Any, empty: Page) -> None:
    lab, run = recorded(model)
    trace, total = lab.trace, len(lab.trace.index.events)
    events = [Mark("event", n) for n in range(total + 2)]
    steps = [Mark("step", moment) for moment in Charts().of(trace).columns.steps.moments]
    # Of one command only one event was recorded at a time, so that each is shown as an event.
    others = [Mark("step", n) for n in (*trace.index.dispatched, *trace.index.event_moments, 10**6)]
    picked: list[dict[str, Any]] = [
        *({"mark": str(mark)} for mark in (*events, *steps, *others)),
        *({"mark": f"event {n}", "until": until} for n in (1, 4, total) for until in (2, total, 10**6)),
        *({"stream_id": name} for name in ("BankAccount-alice", "nobody")),
        *({"position": position} for position in (1, 5, 10**6)),
        {},
    ]
    marks = [*events, *steps]
    found, said = empty.evaluate(PICKED % SCRIPTS, [run, picked, [*map(str, marks)]])
    for asked, answer in zip(picked, found, strict=True):
        right = plain(selected(trace, selection_from(trace, asked)))
        assert {**answer, "detail": ""} == {**right, "command": "", "detail": ""}, asked
        # A page does not tell how long a range took.
        output = right["detail"].rpartition(", ")[0] if right["kind"] == "range" else right["detail"]
        assert answer["detail"] == output, asked
    assert said == [described(trace, mark) for mark in marks]

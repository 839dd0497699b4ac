"""The lanes under the hands of a person: marks picked, ranges dragged, zoom, time, groups, a busy kernel."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.run import dispatch
from calamity_lab.lab import Lab
from calamity_lab.trace.selection import NOTHING, Selection
from calamity_lab.views.chart import Chart, Charts
from calamity_lab.views.lanes import AHEAD, Lanes, beside, in_order
from calamity_lab.views.selected import selected
from calamity_lab.widgets import front_end
from calamity_lab.widgets.patches import packed, plain
from calamity_lab.widgets.view_widget import ViewWidget
from tests import holds
from tests.browser.accessibility import BUT_CONTRAST, ask, axe, faint
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.moments import after

SCRIPTS = front_end.script("span.js", "lanes.js")
READ = """
async ([text, sizes]) => {
  %s
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return unpackedColumns(await inflated(bytes), sizes).map((column) => [...column]);
}
"""
# Every mark that lies in the span is found in it, and no other; and in a gap each has a place of its own.
LOOK = """
([message, spans, axis]) => {
  %s
  const chart = new Chart();
  chart.take(message);
  const span = new Span(chart);
  span.choose(axis);
  const found = ([from, width]) => {
    Object.assign(span, { from, width });
    const marks = [];
    eachInSight(chart, span, (kind, among, _lane, moment) =>
      marks.push(kind === "event" ? markOf("event", among) : markOf("step", moment)));
    return marks;
  };
  const all = found([0, span.length + 1]);
  const amongs = all.map((mark) => chart.at(mark).among);
  const points = amongs.map((among) => span.at(among));
  const wrong = spans.flatMap(([from, share]) => {
    const [start, width] = [from * span.length, share * span.length];
    const inside = new Set(found([start, width]));
    // Right at the edge either is as good.
    const far = (point) => Math.min(Math.abs(point - start), Math.abs(point - start - width)) > 1.1;
    const isIn = (point) => point > start && point < start + width;
    return all.filter((mark, n) => far(points[n]) && inside.has(mark) !== isIn(points[n]));
  });
  const between = points.filter((_point, n) => !Number.isInteger(amongs[n]));
  return [all.length, wrong, new Set(between).size === between.length, span.folds.length];
}
"""

# Where marks stand along the run, the events' first; the lanes from the top down; where the past ends.
WHERE = """
([message, axis, moments]) => {
  %s
  const chart = new Chart();
  chart.take(message);
  const span = new Span(chart);
  span.choose(axis);
  const lanes = new Lanes();
  lanes.isSifted = false;
  lanes.lay(chart, []);
  const events = Array.from({ length: chart.events.length }, (_each, index) => index + 1);
  const steps = Array.from({ length: chart.steps.length }, (_each, index) => chart.amongAt(index));
  Object.assign(span, { from: 0, width: 1 });
  const timeline = Object.create(Timeline.prototype);
  const past = moments.map((moment) => {
    Object.defineProperty(timeline, "cursor", { value: moment, configurable: true });
    return Object.assign(timeline, { chart, span, plot: 1, now: chart.past(moment) }).nowAt();
  });
  const order = lanes.rows.flatMap(({ number }) => number ?? []);
  return [[...events, ...steps].map((among) => span.at(among)), order, past];
}
"""


# On which side of its mark each name has room, where a letter is six pixels wide.
BESIDE = """
marks => {
  %s
  const drawn = marks.map(([row, x, kind, wide], index) =>
    ({ key: `event ${index}`, kind, among: 0, lane: row, moment: 0, x, y: 24 * row, wide }));
  const labels = labelsBeside(drawn, 900, (mark) => "x".repeat(mark.wide), (text) => text.length);
  const sides = new Map(labels.map(({ key, isLeft }) => [key, isLeft ? "left" : "right"]));
  return drawn.map(({ key }) => sides.get(key) ?? null);
}
"""

PATHS = "paths => paths.map(path => path.getAttribute('d'))"


def chart_message(chart: Chart) -> dict[str, object]:
    groups = (*chart.columns.events, *chart.columns.steps, *chart.columns.changes, *chart.columns.deadlines)
    columns = [list(column) for column in groups]
    lanes = [plain(lane) for lane in chart.columns.lanes]
    return {"kept": [0, 0, 0, 0, 0, 0], "columns": columns, "lanes": lanes, "names": chart.columns.names}


# Drags a slider over these values, a frame for each, and lets go; tells how many milliseconds that took.
DRAG = """
async (slider, values) => {
  const begun = performance.now();
  for (const value of values) {
    slider.value = String(value);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    await new Promise(requestAnimationFrame);
  }
  slider.dispatchEvent(new Event('change', {bubbles: true}));
  return performance.now() - begun;
}
"""


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[BarePage]:
    """The shop's story with its future, in the middle of it."""
    lab = Lab(fulfilment, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*fulfilment.story())
    lab.resume()
    bare = BarePage(browser.page(width=1300, height=1400), lab)
    for height in ("Height of the lab", "Height of the lanes"):  # tall enough for all of its lanes
        bare.root.get_by_role("separator", name=height).press("End")
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(shared: BarePage) -> BarePage:
    """Where the fourth order comes in, nothing selected, the lanes as they are at first."""
    shared.lab.goto(after(shared.lab, "PlaceOrder", 4))
    shared.lab.stepper.select(NOTHING)
    shared.settle()
    if shared.root.get_by_role("dialog").is_visible():
        shared.press("Close the details")
    shared.page.mouse.move(1, 1)
    if lanes(shared).get_by_role("button", name="By time").get_attribute("aria-pressed") == "true":
        shared.press("By time")
    shared.press("Follow the cursor")
    return shared


def lanes(bare: BarePage) -> Locator:
    return bare.root.get_by_role("group", name="Timeline")


def mark(bare: BarePage) -> Locator:
    """The mark that has the focus, or would."""
    return bare.root.locator(".cl-mark")


def shown(bare: BarePage) -> list[int]:
    """The first and the last event in sight, and how many there are."""
    words = lanes(bare).locator(".cl-where-events").inner_text()
    return [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", words)]


def where(bare: BarePage, event: int) -> tuple[float, float]:
    """Where on the page an event's number stands, above the lanes."""
    tick = lanes(bare).locator(".cl-axis text").get_by_text(str(event), exact=True).bounding_box()
    assert tick is not None
    return tick["x"] + tick["width"] / 2, tick["y"] + 40


def test_a_press_on_a_mark_selects_it_goes_there_and_marks_it_in_all_views(bare: BarePage) -> None:
    mark(bare).press("ArrowLeft")
    name = str(mark(bare).get_attribute("aria-label"))
    mark(bare).click()
    bare.settle()
    found = selected(bare.lab.trace, bare.lab.stepper.selection)
    assert found.kind == "event" or found.kind == "step"
    assert bare.moment == bare.lab.cursor == found.moment != after(bare.lab, "PlaceOrder", 4)
    expect(bare.root.get_by_role("option", name=name, exact=True, selected=True)).to_be_focused()
    expect(lanes(bare).locator(".cl-chosen-words")).to_have_text(found.title)
    (stream,) = found.streams
    expect(lanes(bare).get_by_role("button", name=stream, exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    card = bare.root.locator(".cl-card[data-picked] h3")
    assert stream in [words.replace("\n", "") for words in card.all_inner_texts()] or stream.startswith("-")
    bare.root.get_by_role("tab", name="Sequence").click()
    expect(bare.root.get_by_role("tabpanel").locator("[data-picked]")).not_to_have_count(0)
    bare.root.get_by_role("tab", name="Log").click()
    bare.lab.select(7)
    bare.lab.goto(bare.lab.trace.index.event_moments[6])
    expect(bare.root.get_by_role("tabpanel").locator(".cl-log-row[data-picked]")).to_have_count(1)
    assert lanes(bare).locator(".cl-cause").get_attribute("d")
    bare.root.get_by_role("tab", name="State").click()


def test_a_drag_picks_all_between_its_ends_and_they_can_be_zoomed_to_and_let_go(bare: BarePage) -> None:
    first = shown(bare)[0]
    (left, y), (right, _) = where(bare, first + 4), where(bare, first + 9)
    mouse = bare.page.mouse
    mouse.move(left - 8, y)
    mouse.down()
    mouse.move(right + 8, y + 30, steps=4)
    expect(lanes(bare).locator(".cl-brush")).to_be_visible()
    mouse.up()
    bare.settle()
    positions = [event.position for event in bare.lab.selected]
    assert positions == list(range(first + 4, first + 10))
    assert bare.lab.cursor == after(bare.lab, "PlaceOrder", 4), "what is picked is not gone to"
    expect(lanes(bare).locator(".cl-chosen-words")).to_contain_text("6 events of")
    expect(lanes(bare).locator(".cl-band").first).to_be_visible()
    bare.press("Zoom to the selection")
    left_most, right_most, _ = shown(bare)
    assert left_most in (first + 3, first + 4)
    assert right_most in (first + 9, first + 10)
    mark(bare).press("Escape")
    bare.settle()
    assert list(bare.lab.selected) == []
    expect(lanes(bare).locator(".cl-band").first).to_be_hidden()
    # Let go outside, and come back: nothing is dragged any more.
    mouse.move(left, y)
    mouse.down()
    mouse.move(left, 1)
    mouse.up()
    mouse.move(left, y)
    mouse.move(right, y, steps=4)
    expect(lanes(bare).locator(".cl-brush")).to_be_hidden()


def test_the_keyboard_alone_walks_picks_ranges_and_zooms(bare: BarePage) -> None:
    mark(bare).focus()
    before = shown(bare)
    bare.page.keyboard.press("+")
    nearer = shown(bare)
    assert nearer[1] - nearer[0] < before[1] - before[0]
    bare.page.keyboard.press("-")
    bare.page.keyboard.press("-")
    assert shown(bare)[1] - shown(bare)[0] > before[1] - before[0]
    bare.press("Follow the cursor")
    mark(bare).focus()
    names = [mark(bare).get_attribute("aria-label")]
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowRight"):
        bare.page.keyboard.press(key)
        names.append(mark(bare).get_attribute("aria-label"))
        expect(mark(bare)).to_be_focused()
    assert all(one != other for one, other in pairwise(names)), names
    tip = lanes(bare).locator(".cl-tip")
    expect(tip).to_be_visible()
    bare.page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    for _ in range(4):
        bare.page.keyboard.press("Shift+ArrowRight")
    bare.settle()
    picked = [event.position for event in bare.lab.selected]
    assert len(picked) >= 2
    assert picked == list(range(picked[0], picked[-1] + 1))
    bare.page.keyboard.press("Enter")
    bare.settle()
    assert selected(bare.lab.trace, bare.lab.stepper.selection).moment == bare.moment


def test_by_time_the_axis_tells_times_and_idle_gaps_are_folded(browser: Browser) -> None:
    lab = Lab(bank, clock=(clock := Clock()))
    for day in range(4):
        lab.send(*[bank.DepositFunds("alice", n) for n in range(1, 4)])
        lab.resume()
        clock.days = day + 1
    bare = BarePage(browser.page(), lab)
    bare.press("By time")
    bare.press("Show the whole run")
    axis = lanes(bare).locator(".cl-axis text")
    words = axis.all_text_contents()
    assert re.fullmatch(r"2026-01-01 00:00:\d\d(\.\d+)?", words[0])
    assert len(words) > 1
    assert all(re.match(r"2026-01-0[234] ", text) for text in words[1:]), "each is of another day"
    assert str(lanes(bare).locator(".cl-folds").get_attribute("d")).count("M") == 3
    bare.press("By time")
    expect(axis.first).to_have_text("1")
    browser.take_back(bare)


class Clock:
    """A second goes by at each look; days on request."""

    days = 0
    seconds = 0

    def __call__(self) -> datetime:
        self.seconds += 1
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=self.days, seconds=self.seconds)


def test_a_group_folds_into_one_lane_that_still_shows_what_happened(bare: BarePage) -> None:
    group = lanes(bare).locator(".cl-lane-group").first
    labels = lanes(bare).locator(".cl-lane-label")
    expect(group).to_have_accessible_name(re.compile(r"^\w+ \d lanes$"))
    before = labels.count()
    drawn = lanes(bare).locator(".cl-marks")
    marks = [path.count("M") for path in drawn.evaluate_all(PATHS)]
    group.click()
    expect(group).to_have_attribute("aria-expanded", "false")
    assert labels.count() < before
    assert [path.count("M") for path in drawn.evaluate_all(PATHS)] == marks, "nothing is lost"
    group.press("Enter")
    expect(labels).to_have_count(before)


def test_lanes_and_groups_that_have_a_breakpoint_are_marked(bare: BarePage) -> None:
    labels = lanes(bare).locator(".cl-lane-label:has(.cl-stop-sign:not([display=none]))")
    expect(labels).to_have_count(0)
    group = lanes(bare).locator(".cl-lane-group").first
    category = str(group.get_attribute("aria-label")).split(" ")[0]
    stream_id = str(lanes(bare).locator(".cl-lane-label:not(.cl-lane-group)").first.get_attribute("title"))
    on_stream = bare.lab.break_on(stream_id)
    bare.settle()
    expect(labels).to_have_accessible_name(f"{stream_id}, breakpoint")
    group.click()
    expect(labels).to_have_accessible_name(re.compile(rf"^{category} .* lanes, breakpoint$"))
    group.click()
    on_stream.is_on = False
    bare.settle()
    expect(labels).to_have_accessible_name(f"{stream_id}, breakpoint, switched off")
    on_stream.remove()
    on_type = bare.lab.break_on(category)
    bare.settle()
    expect(labels).to_have_accessible_name(re.compile(rf"^{category} .* lanes, breakpoint$"))
    on_type.remove()
    bare.settle()
    expect(labels).to_have_count(0)


def test_the_lanes_go_with_the_scrubber_while_python_is_busy(bare: BarePage) -> None:
    bare.page.evaluate("() => { window.held = new Promise((resolve) => { window.release = resolve; }); }")
    slider = bare.root.get_by_role("slider", name="Moment")
    fact = bare.fact
    before = lanes(bare).locator(".cl-now").get_attribute("transform")
    seen = set()
    for moment in (30, 60, 200):
        slider.fill(str(moment))
        seen.add((*shown(bare), lanes(bare).locator(".cl-now").get_attribute("transform")))
    assert len(seen) == 3
    assert before not in {each[-1] for each in seen}
    assert bare.fact == fact or bare.fact.startswith("Waiting for Python"), "Python has not answered yet"
    bare.page.evaluate("release()")
    expect(bare.root.get_by_role("status")).to_contain_text("Step 200")


def test_in_a_drag_python_is_asked_now_and_then_and_for_the_last_moment_once_the_hand_lets_go(
    bare: BarePage,
) -> None:
    slider = bare.root.get_by_role("slider", name="Moment")
    before = len(bare.asked)
    took = slider.evaluate(DRAG, [*range(1, 13)])
    bare.settle()
    asked = [message["moment"] for message in bare.asked[before:] if message["verb"] == "goto"]
    assert asked[0] == 1
    assert asked[-1] == 12 == bare.moment == bare.lab.cursor
    assert len(asked) <= 3 + took / 200


NAMES = ".cl-mark-names text"
BOXES = """
svg => [...svg.querySelectorAll('.cl-mark-names text')].map(text => {
  const { x, y, width, height } = text.getBBox();
  return [x, y, x + width, y + height];
})
"""


def test_marks_have_names_where_they_have_room_and_more_of_them_nearer_by(bare: BarePage) -> None:
    names, far = lanes(bare).locator(NAMES), set[str]()
    for step in range(6):
        boxes = lanes(bare).locator(".cl-plot").evaluate(BOXES)
        for index, (left, top, right, bottom) in enumerate(boxes):
            assert not [
                other
                for other in boxes[index + 1 :]
                if other[0] < right and left < other[2] and other[1] < bottom - 4 and top < other[3] - 4
            ]
        far = far if step else set(names.all_text_contents())
        bare.press("Zoom in")
    assert set(names.all_text_contents()) - far


def test_a_step_gives_another_ink_to_the_names_of_what_happened_and_leaves_the_others_alone(
    bare: BarePage,
) -> None:
    watch = """
    group => { window.changed = []; new MutationObserver(found => changed.push(
      ...found.map(each => [each.type, each.attributeName, each.target.textContent])
    )).observe(group, {subtree: true, childList: true, attributes: true, characterData: true}); }
    """
    bare.lab.goto(after(bare.lab, "PlaceOrder", 4) - 1)
    bare.settle()
    lanes(bare).locator(".cl-mark-names").evaluate(watch)
    before = lanes(bare).locator(NAMES).count()
    bare.press("Step over")
    changed = bare.page.evaluate("changed")
    assert {(kind, name) for kind, name, _ in changed} == {("attributes", "class")}
    assert len(changed) < before


def test_a_press_on_a_name_selects_its_mark(bare: BarePage) -> None:
    name = lanes(bare).locator(NAMES).first
    text = str(name.text_content())
    box = name.bounding_box()
    assert box is not None
    bare.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    bare.settle()
    found = selected(bare.lab.trace, bare.lab.stepper.selection)
    assert text.removeprefix("→ ") in f"{found.title} {found.detail}"


def test_rings_are_around_all_that_the_command_did(bare: BarePage) -> None:
    bare.root.get_by_role("tab", name="State").click()
    for _ in range(3):
        bare.press("Step over")
    trace, cursor = bare.lab.trace, bare.lab.cursor
    start = trace.index.command_start(cursor)
    done = [m for m in Lanes(Charts().of(trace)).marks() if start <= m.moment <= cursor]
    assert len(done) > 2
    rings = str(lanes(bare).locator(".cl-rings").get_attribute("d"))
    centres = [
        ((float(left) + float(right)) / 2, float(y) + 10)
        for left, y, right in re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", rings)
    ]
    rows = {y for _, y in centres}
    assert len(rows) == len({mark.lane for mark in done})


def test_names_of_lanes_get_more_room_by_a_drag_or_by_keys(bare: BarePage) -> None:
    handle = lanes(bare).get_by_role("separator", name="Width of the lane names")
    expect(handle).to_have_attribute("aria-orientation", "vertical")
    label = lanes(bare).locator(".cl-lane-label").nth(1)
    plot = lanes(bare).locator(".cl-plot")

    def widths() -> tuple[int, int]:
        return label.evaluate("node => node.offsetWidth"), int(str(plot.get_attribute("width")))

    wide, room = widths()
    handle.press("ArrowRight")
    assert widths() == (wide + 16, room - 16)
    expect(handle).to_have_attribute("aria-valuenow", str(wide + 16))
    handle.press("Home")
    assert widths()[0] == 90
    cut = lanes(bare).locator(".cl-lane-name").all_inner_texts()
    assert any("…" in name for name in cut)
    titles = lanes(bare).locator(".cl-lane-label:has(.cl-lane-name)")
    assert not any("…" in str(title.get_attribute("title")) for title in titles.all())
    box = handle.bounding_box()
    assert box is not None
    bare.page.mouse.move(box["x"] + 10, box["y"] + 10)
    bare.page.mouse.down()
    bare.page.mouse.move(box["x"] + 10 + wide - 90, box["y"] + 10, steps=3)
    bare.page.mouse.up()
    assert widths() == (wide, room)


@pytest.mark.parametrize("moment", [62, 205])
def test_on_first_sight_the_cursor_and_the_lane_of_the_last_command_are_in_sight(
    browser: Browser, moment: int
) -> None:
    lab = Lab(fulfilment, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*fulfilment.story())
    lab.resume()
    lab.goto(moment)
    bare = BarePage(browser.page(), lab, width=900)
    bare.page.wait_for_timeout(100)
    expect(lanes(bare).locator(".cl-now")).not_to_have_attribute("display", "none")
    assert lanes(bare).locator(".cl-rings").get_attribute("d")
    ring = lanes(bare).locator(".cl-rings").bounding_box()
    pane = lanes(bare).locator(".cl-lanes").bounding_box()
    assert ring is not None
    assert pane is not None
    assert pane["y"] <= ring["y"]
    assert ring["y"] + ring["height"] <= pane["y"] + pane["height"] + 1
    browser.take_back(bare)


def test_of_a_thousand_lanes_only_those_in_sight_are_on_the_page(browser: Browser) -> None:
    lab = Lab(bank, checked=False)
    lab.send(*[bank.CreateAccount(f"{n}") for n in range(1_000)])
    lab.resume()
    bare = BarePage(browser.page(), lab)
    assert "1,000" in lanes(bare).locator(".cl-where-events").inner_text()
    labels = lanes(bare).locator(".cl-lane-label")
    for name in ("Show the whole run", "Only lanes in sight"):
        bare.press(name)
        assert 2 < labels.count() < 60
    elements = "root => root.querySelectorAll('.cl-timeline *').length"
    assert bare.root.evaluate(elements) < 400
    bare.root.evaluate("root => { root.querySelector('.cl-lanes').scrollTop = 12000; }")
    expect(lanes(bare).get_by_role("button", name="BankAccount-500", exact=True)).to_be_attached()
    assert labels.count() < 60
    browser.take_back(bare)


def test_a_branch_that_ends_before_what_was_in_sight_is_in_sight_with_short_names(browser: Browser) -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("ann", name="Ann"))
    lab.resume()
    lab.send(*[bank.DepositFunds("ann", 1)] * 80)
    lab.resume()
    bare = BarePage(browser.page(), lab, width=900)
    bare.press("Zoom in")
    bare.press("Earlier events")
    assert shown(bare)[0] > 30
    lab.goto(0)
    lab.send(bank.CreateAccount("bea", name="Bea"))
    lab.resume()
    bare.settle()
    assert shown(bare) == [1, 2, 2]
    assert lanes(bare).locator(".cl-lane-label").all_inner_texts() == ["BankAccount\n2", "ann", "bea"]
    browser.take_back(bare)


@pytest.mark.parametrize("theme", ["true", "false"], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_lanes_in_which_something_is_selected(
    bare: BarePage, theme: str
) -> None:
    bare.page.evaluate("theme => { document.body.dataset.jpThemeLight = theme; }", theme)
    for what in ((7,), (3, 9)):
        bare.lab.select(*what)
        bare.settle()
        assert axe(bare.page, ".cl-timeline", BUT_CONTRAST) == []
        assert faint(lanes(bare)) == []
        assert ask(lanes(bare), "small") == []
    bare.page.evaluate("document.body.dataset.jpThemeLight = 'true'")


@pytest.fixture
def empty(browser: Browser) -> Iterator[Page]:
    page = browser.page()
    yield page
    browser.close(page)


def test_the_front_end_reads_what_python_packs(empty: Page) -> None:
    numbers = [0, 1, 255, 256, 2**31, 2**32 + 7, 2**52, 3, 0, 2**40]
    chart = charted(200)
    columns, sizes = chart.columns, chart.sizes
    groups = (columns.events, columns.steps, columns.changes, columns.deadlines)
    wide = [column for group in groups for column in [numbers[:: 1 if len(group) % 2 else -1]] * len(group)]
    for read, count in (
        (
            [list(column) for group in groups for column in group],
            [sizes.events, sizes.steps, sizes.changes, sizes.deadlines],
        ),
        (wide, [len(numbers)] * 4),
        ([[]] * len(wide), [0, 0, 0, 0]),
    ):
        text = b64encode(packed(read)).decode()
        assert empty.evaluate(READ % SCRIPTS, [text, count]) == read


def charted(size: int) -> Chart:
    lab = Lab(bank, checked=False)
    rejected = [bank.WithdrawFunds("nobody", 5)] * 300
    lab.send(*bank.random_commands(size, seed=2), *rejected, *bank.random_commands(size // 4, seed=3))
    lab.resume()
    return Charts().of(lab.trace)


@pytest.mark.parametrize("axis", ["position", "time"])
def test_whatever_stands_in_a_part_of_the_run_is_found_in_it(empty: Page, axis: str) -> None:
    spans = [[n / 17, width] for n in range(17) for width in (0.01, 0.1, 0.5)]
    chart = charted(200)
    count, wrong, is_apart, _ = empty.evaluate(LOOK % SCRIPTS, [chart_message(chart), spans, axis])
    assert count == chart.sizes.events + chart.sizes.steps
    assert wrong == []
    assert is_apart, "rejections by the hundred in one gap stand side by side"


@pytest.mark.parametrize("axis", ["position", "time"])
def test_the_browser_puts_everything_where_pictures_and_figures_have_it(
    empty: Page, axis: Literal["position", "time"]
) -> None:
    chart = charted(200)
    lanes = Lanes(chart, axis)
    moments = list(range(0, lanes.events.moments[-1] + 1, 7))
    where, order, past = empty.evaluate(
        WHERE % front_end.script("timeline.js"), [chart_message(chart), axis, moments]
    )
    assert where == pytest.approx([mark.x - AHEAD for mark in lanes.marks()])
    assert order == in_order(lanes.lanes, range(len(lanes.lanes)))
    assert past == pytest.approx([lanes.cursor(moment) - AHEAD for moment in moments])


def test_names_are_placed_as_python_places_them(empty: Page) -> None:
    marks = sorted(Lanes(charted(60)).marks(), key=lambda mark: mark.x)
    placed = [(mark.lane, (mark.x - AHEAD) * 40, mark.kind, 6 * len(mark.label)) for mark in marks]
    sides = beside(placed, 900)
    assert empty.evaluate(BESIDE % SCRIPTS, placed) == sides
    assert {"left", "right", None} == set(sides)


def test_a_mark_of_a_projection_is_walked_to_and_picked(browser: Browser) -> None:
    lab = Lab(bank, projections=[BankTotals, Turnover])
    lab.send(*bank.story())
    lab.resume()
    lab.goto(after(lab, "FundsWithdrawn"))
    bare = BarePage(browser.page(width=1000, height=1200), lab, ViewWidget(lab, "timeline"))
    names = [words.replace("\n", "") for words in bare.root.locator(".cl-lane-label").all_inner_texts()]
    assert names[-4:] == ["BankTotals", "Turnover2", "alice", "bob"], "below aggregates and process managers"
    for _ in range(9):
        if "in Turnover-alice" not in str(mark(bare).get_attribute("aria-label")):
            mark(bare).press("ArrowDown")
    expect(mark(bare)).to_have_attribute("aria-label", "changed by FundsWithdrawn in Turnover-alice")
    mark(bare).click()
    bare.settle()
    assert lab.stepper.selection == Selection("Turnover-alice", 6)
    expect(mark(bare)).to_have_attribute("aria-selected", "true")
    expect(lanes(bare).locator(".cl-chosen-words")).to_have_text(
        "Turnover-alice changed by FundsWithdrawn #6"
    )
    browser.take_back(bare)


def test_a_wait_is_a_mark_in_a_lane_that_cannot_be_selected(browser: Browser) -> None:
    lab = Lab(holds, stack=holds.theatre())
    lab.send(holds.HoldSeat("A1"))
    lab.resume()
    lab.wait()
    waited = lab.cursor
    lab.resume()
    lab.goto(waited)
    bare = BarePage(browser.page(width=1000, height=1200), lab, ViewWidget(lab, "timeline"))
    label = bare.root.locator(".cl-lane-label").first
    expect(label).to_have_text("Time passed")
    expect(label).to_have_attribute("aria-disabled", "true")
    expect(bare.root.locator(".cl-marks.cl-is-time-passed.cl-past")).to_have_count(1)
    expect(mark(bare)).to_have_attribute("aria-label", "9 min 59 s passed")
    label.click(force=True)
    mark(bare).click()
    bare.settle()
    assert lab.stepper.selection == Selection(moment=waited)
    browser.take_back(bare)


def test_the_line_of_a_deadline_is_picked_by_keys_and_by_a_press(browser: Browser) -> None:
    lab = Lab(holds, stack=dispatch(holds.theatre(), holds.HoldSeat("A1")))
    lab.send(holds.HoldSeat("B2"))
    lab.resume()
    bare = BarePage(browser.page(width=1300, height=1000), lab, width=1200)
    expect(mark(bare)).to_have_attribute("aria-label", "started by SeatHeld in Holding-B2")
    for name in ("ExpireHold", "reminder"):  # from the upper line to the lower one
        mark(bare).press("ArrowDown")
        expect(mark(bare)).to_have_attribute("aria-label", f"deadline {name} in Holding-B2")
    mark(bare).press("Enter")
    bare.settle()
    assert (lab.stepper.selection, lab.cursor) == (Selection(deadline=3), lab.trace.last)
    expect(mark(bare)).to_have_attribute("aria-selected", "true")
    details = bare.root.locator(".cl-details")
    expect(details).to_contain_text("reminder of Holding-B2")
    expect(details.get_by_role("button", name="Wait until this")).to_be_visible()
    # A press on the line of what was set before the run began.
    path = str(lanes(bare).locator(".cl-deadlines.cl-past").get_attribute("d"))
    (left, y, right) = map(float, re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", path)[0])
    lanes(bare).locator(".cl-plot").click(position={"x": (left + right) / 2, "y": y})
    bare.settle()
    assert lab.stepper.selection == Selection(deadline=1)
    expect(details).to_contain_text("10 min after SeatHeld #1; set before the run began")
    browser.take_back(bare)


def test_what_each_shape_means_is_behind_a_button_for_mouse_and_keyboard(bare: BarePage) -> None:
    button = bare.root.get_by_role("button", name="Legend", exact=True)
    legend = bare.root.get_by_role("list", name="Legend", exact=True)
    expect(legend).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    names = legend.get_by_role("listitem").all_inner_texts()
    assert {"event", "command", "rejected"} <= set(names)
    bare.page.keyboard.press("Escape")
    expect(legend).to_be_hidden()
    button.press("Enter")
    expect(legend).to_be_visible()

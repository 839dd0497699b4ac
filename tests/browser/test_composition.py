"""The composite keeps its place at every width and height, and what has no matter stays out of the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, CreateAccount, DepositFunds
from calamity_lab.lab import Lab
from calamity_lab.views.state import state
from tests.browser.accessibility import BUT_CONTRAST, ask, axe, faint
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser

# What of a root can be pressed or read and lies outside of it, or over something else that can be pressed.
CLASHES = """
root => {
  const seen = node => node.checkVisibility() && node.getBoundingClientRect().width > 1;
  // What scrolls may be anywhere: it is its place that is looked at.
  const scrolls = node => node !== root
    && (/auto|scroll/.test(getComputedStyle(node).overflowY) || scrolls(node.parentElement));
  const tell = node => node.outerHTML.slice(0, 90);
  const frame = root.getBoundingClientRect();
  const all = 'button, input, select, [role=tab], [role=separator], h2, .cl-foot-text';
  const parts = [...root.querySelectorAll(all)].filter(node => seen(node) && !scrolls(node.parentElement));
  const boxes = parts.map(node => [node, node.getBoundingClientRect()]);
  const out = boxes.filter(([, box]) => box.right > frame.right + 0.5 || box.left < frame.left - 0.5
    || box.bottom > frame.bottom + 0.5).map(([node]) => 'outside: ' + tell(node));
  const over = boxes.flatMap(([one, a], place) => boxes.slice(place + 1)
    .filter(([other, b]) => !one.contains(other) && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
    .map(([other]) => 'over each other: ' + tell(one) + ' and ' + tell(other)));
  return [...out, ...over];
}
"""

# Which children of a node were taken out, if only to be put in elsewhere.
COUNT_MOVES = """
node => {
  window.moved = [];
  new MutationObserver(records => moved.push(...records.flatMap(each => [...each.removedNodes])))
    .observe(node, { childList: true });
}
"""


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[BarePage]:
    """A lab in the middle of the bank's story; no test moves it."""
    lab = Lab(bank)
    lab.send(*bank.story())
    for _ in range(7):
        lab.step()
    bare = BarePage(browser.page(width=1300, height=1400), lab)
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(shared: BarePage) -> BarePage:
    """The widget 1,000 pixels wide, with the focus on it."""
    shared.widen(1000)
    shared.root.focus()
    return shared


def wrong(bare: BarePage) -> list[str]:
    """What axe or our own questions find."""
    return [*axe(bare.page, ".cl-root", BUT_CONTRAST), *faint(bare.root), *ask(bare.root, "small")]


def box(node: Locator) -> dict[str, Any]:
    found = node.bounding_box()
    assert found is not None
    return dict(found)


def handle(bare: BarePage, name: str) -> Locator:
    return bare.root.get_by_role("separator", name=name)


def opener(bare: BarePage) -> Locator:
    return bare.root.get_by_role("button", name="Next and commands 5 pending", exact=True)


@pytest.mark.parametrize("width", [420, 560, 640, 700, 760, 900, 1200])
def test_nothing_is_cut_off_or_lies_over_something_else(bare: BarePage, width: int) -> None:
    bare.widen(width)
    assert bare.root.evaluate(CLASHES) == []
    assert bare.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    for name in ("Rewind", "Step back", "Step in", "Step over", "Step out", "Resume", "Play"):
        expect(bare.button(name)).to_be_visible()


@pytest.mark.parametrize("width", [760, 860, 900, 920, 1000, 1080, 1200])
def test_the_moves_the_search_and_the_help_stand_in_one_row(bare: BarePage, width: int) -> None:
    bare.widen(width)
    first, last = box(bare.button("Rewind")), box(bare.root.locator(".cl-help-button"))
    assert abs(first["y"] + first["height"] / 2 - last["y"] - last["height"] / 2) < 4


def test_two_columns_are_one_beside_the_other_from_760_pixels_on(bare: BarePage) -> None:
    pending, timeline = (bare.root.get_by_role("group", name=name) for name in ("Next", "Timeline"))
    for width in (760, 900, 1200):
        bare.widen(width)
        assert box(pending)["x"] + box(pending)["width"] <= box(timeline)["x"] + 1
        expect(opener(bare)).to_be_hidden()


def test_in_one_column_what_comes_next_is_below_the_lanes_and_above_the_tabs(bare: BarePage) -> None:
    bare.widen(600)
    places = [
        box(bare.root.get_by_role("group", name="Timeline"))["y"],
        box(bare.root.get_by_role("group", name="Next"))["y"],
        box(bare.root.get_by_role("group", name="Command"))["y"],
        box(bare.root.get_by_role("tablist"))["y"],
    ]
    assert places == sorted(places)
    expect(opener(bare)).to_be_hidden()


def test_below_760_pixels_a_drawer_holds_what_comes_next_and_gives_the_focus_back(bare: BarePage) -> None:
    bare.widen(700)
    pending = bare.root.get_by_role("group", name="Next")
    expect(pending).to_be_hidden()
    expect(opener(bare)).to_have_attribute("aria-expanded", "false")
    opener(bare).press("Enter")
    expect(opener(bare)).to_have_attribute("aria-expanded", "true")
    expect(pending).to_be_visible()
    expect(bare.button("Close Next and commands")).to_be_focused()
    bare.page.keyboard.press("Escape")
    expect(pending).to_be_hidden()
    expect(opener(bare)).to_be_focused()
    opener(bare).click()
    bare.button("Close Next and commands").click()
    expect(pending).to_be_hidden()
    expect(opener(bare)).to_be_focused()


@pytest.mark.parametrize("theme", ["true", "false"], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_in_one_column_or_in_the_drawer(bare: BarePage, theme: str) -> None:
    bare.page.evaluate("light => { document.body.dataset.jpThemeLight = light; }", theme)
    bare.page.emulate_media(color_scheme="light" if theme == "true" else "dark")
    for width in (600, 700):
        bare.widen(width)
        assert wrong(bare) == []
    opener(bare).click()
    assert wrong(bare) == []
    bare.page.keyboard.press("Escape")
    bare.page.evaluate("() => { document.body.dataset.jpThemeLight = 'true'; }")


def test_the_drawer_closes_at_a_press_beside_it_and_stays_while_one_steps(bare: BarePage) -> None:
    bare.widen(700)
    pending = bare.root.get_by_role("group", name="Next")
    opener(bare).click()
    bare.root.locator(".cl-head").click(position={"x": 690, "y": 4})
    expect(pending).to_be_visible()
    bare.page.mouse.click(650, 300)
    expect(pending).to_be_hidden()
    opener(bare).click()
    bare.root.get_by_role("tab", name="State").focus()
    expect(pending).to_be_hidden()


def test_the_tab_key_follows_the_eye_in_one_column(bare: BarePage) -> None:
    bare.widen(600)
    bare.root.get_by_label("Go to").focus()
    order = []
    for _ in range(50):
        bare.page.keyboard.press("Tab")
        order.append(
            bare.page.evaluate(
                "['.cl-timeline', '.cl-left', '.cl-tabbed .cl-panel'].findIndex("
                "part => document.activeElement.closest(part))"
            )
        )
    seen = [place for place in order if place >= 0]
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "pane", "least"),
    [("Height of the lab", ".cl-root", 480), ("Height of the lanes", ".cl-timeline", 96)],
)
def test_a_height_is_changed_by_dragging_and_by_keys(
    bare: BarePage, name: str, pane: str, least: int
) -> None:
    node, above = handle(bare, name), bare.page.locator(pane)
    before = box(above)["height"]
    grip = box(node)
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    bare.page.mouse.move(x, y)
    bare.page.mouse.down()
    bare.page.mouse.move(x, y + 30)
    bare.page.mouse.move(x, y + 60)
    bare.page.mouse.up()
    bare.page.mouse.move(x, y + 200)
    assert box(above)["height"] == pytest.approx(before + 60, abs=1)
    expect(node).to_have_attribute("aria-valuenow", str(round(before) + 60))
    expect(node).to_be_focused()
    node.press("ArrowUp")
    assert box(above)["height"] == pytest.approx(before + 44, abs=1)
    node.press("Home")
    assert box(above)["height"] == pytest.approx(least, abs=1)
    expect(node).to_have_attribute("aria-valuenow", str(least))
    node.press("End")
    expect(node).to_have_attribute("aria-valuenow", str(node.get_attribute("aria-valuemax")))
    assert bare.lab.cursor == bare.lab.trace.last, "these keys are the handle's, not the run's"
    node.press("Home")
    for _ in range(round((before - least) / 16)):
        node.press("ArrowDown")


@pytest.mark.parametrize("width", [600, 700, 900])
def test_the_whole_lower_edge_of_the_lanes_can_be_taken_and_nothing_beside_it(
    bare: BarePage, width: int
) -> None:
    bare.widen(width)
    lanes = box(bare.page.locator(".cl-timeline"))
    y = lanes["y"] + lanes["height"]
    reached = bare.page.evaluate(
        "([xs, y]) => xs.map(x => document.elementFromPoint(x, y).closest('.cl-handle') !== null)",
        [[lanes["x"] + 4, lanes["x"] + lanes["width"] - 4, max(lanes["x"] - 6, 0)], y],
    )
    assert reached == [True, True, False]


def test_heights_are_kept_when_the_widget_is_drawn_again_and_the_tabs_always_have_room(
    bare: BarePage,
) -> None:
    lanes, before = handle(bare, "Height of the lanes"), box(bare.page.locator(".cl-timeline"))["height"]
    lanes.press("End")
    handle(bare, "Height of the lab").press("Home")
    bare.settle()
    assert box(bare.root)["height"] == 480
    assert box(bare.page.locator(".cl-tabbed"))["height"] >= 170
    bare.page.evaluate("void render({ model: model('lab'), el: document.querySelector('main') })")
    again = bare.page.locator(".cl-root").nth(1)
    again.wait_for()
    assert box(again)["height"] == 480
    bare.page.locator(".cl-frame").nth(1).evaluate("frame => frame.remove()")
    for _ in range(11):
        handle(bare, "Height of the lab").press("ArrowDown")
    lanes.press("Home")
    for _ in range(round((before - 96) / 16)):
        lanes.press("ArrowDown")


def test_views_come_when_they_have_matter_and_the_one_that_is_shown_never_goes(browser: Browser) -> None:
    lab = Lab(aggregates=[BankAccount], commands=[CreateAccount])
    bare = BarePage(browser.page(), lab)
    tabs = bare.root.get_by_role("tab")
    expect(tabs).to_have_text(["State"])
    lab.send(CreateAccount("a", name="A"))
    bare.press("Step in")
    expect(tabs).to_have_text(["State", "Log", "Sequence"])
    bare.press("Resume")
    expect(tabs).to_have_text(["State", "Log", "Sequence"])
    bare.root.get_by_role("tab", name="State").press("ArrowRight")
    events = bare.root.get_by_role("tab", name="Log")
    expect(events).to_have_attribute("aria-selected", "true")
    # A branch without events: nothing was dispatched in it.
    lab.restart()
    lab.send(CreateAccount("b", name="B"))
    bare.settle()
    expect(tabs).to_have_text(["State", "Log", "Compare"])
    expect(events).to_be_focused()
    events.press("ArrowLeft")
    expect(tabs).to_have_text(["State", "Compare"])
    browser.take_back(bare)


def test_a_step_moves_no_card_but_those_that_it_changed(browser: Browser) -> None:
    lab = Lab(bank)
    lab.send(*[CreateAccount(f"{n}", "Ada") for n in range(8)])
    lab.resume()
    lab.send(*[CreateAccount(f"{n}", "Ada") for n in (8, 9)], *[DepositFunds(f"{n}", 5) for n in (5, 2, 7)])
    bare = BarePage(browser.page(width=1000, height=1600), lab)
    bare.root.evaluate("(root) => root.style.setProperty('--cl-lab-height', '1400px')")  # all cards in sight
    cards = bare.root.locator(".cl-cards")
    expect(cards.locator(".cl-card")).to_have_count(8)
    cards.evaluate(COUNT_MOVES)
    for moves, first in zip([1, 1, 2, 2, 2], [8, 9, 5, 2, 7], strict=True):
        bare.press("Step over")
        names = [card.get_attribute("aria-label") for card in cards.locator(".cl-card").all()]
        assert names == [row.stream_id for row in state(lab.trace, lab.cursor).rows]
        assert names[0] == f"BankAccount-{first}"
        assert cards.evaluate("() => window.moved.splice(0).length") == moves, first
    browser.take_back(bare)

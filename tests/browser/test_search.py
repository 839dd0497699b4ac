"""The search in the head finds over the whole run, and is used by keyboard or by mouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import bank, fulfilment
from calamity_lab.lab import Lab
from calamity_lab.views.search import search_results
from calamity_lab.widgets.patches import plain
from tests.browser.accessibility import axe
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.test_page import SCRIPTS
from tests.moments import after
from tests.pages.carried import recorded

NASTY = "<img src=x onerror=alert(1)><b>bold</b> \u202eabc 🚀 " + "w" * 300
ASKED = """
([packed, asked]) => {
  %s
  const recording = new Recording(packed);
  return asked.map(([place, look]) =>
    WINDOWS.search(recording.at(place), look, packed, packed.moments[place]));
}
"""


@pytest.fixture(scope="module")
def searched(browser: Browser) -> Iterator[BarePage]:
    """One page for all of these tests: the bank's story, done, with hostile commands behind it."""
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    lab.send(bank.CreateAccount(NASTY, name=NASTY), bank.WithdrawFunds(NASTY, 5))
    lab.step()
    bare = BarePage(browser.page(), lab, width=900)
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(searched: BarePage) -> BarePage:
    """The lab at its start, with nothing searched for."""
    searched.lab.restart()
    field(searched).fill("")
    field(searched).blur()
    searched.settle()
    return searched


def field(bare: BarePage) -> Locator:
    return bare.root.get_by_role("combobox", name="Search the run")


def options(bare: BarePage) -> Locator:
    return bare.root.get_by_role("listbox", name="Found in the run").get_by_role("option")


def search(bare: BarePage, query: str) -> None:
    field(bare).fill(query)
    bare.page.wait_for_timeout(150)
    bare.settle()


def test_by_keyboard_a_hit_is_found_chosen_and_followed_by_the_next(bare: BarePage) -> None:
    bare.root.focus()
    bare.page.keyboard.press("/")
    expect(field(bare)).to_be_focused()
    search(bare, "rejected")
    assert bare.fact == "2 matches for “rejected”"
    expect(options(bare)).to_have_count(2)
    bare.page.keyboard.press("ArrowDown")
    bare.page.keyboard.press("ArrowDown")
    chosen = options(bare).nth(1)
    expect(chosen).to_have_attribute("aria-selected", "true")
    expect(field(bare)).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
    bare.page.keyboard.press("Enter")
    bare.settle()
    assert bare.moment == bare.lab.cursor == after(bare.lab, "Refused", 2)
    assert bare.lab.stepper.selection.moment == bare.lab.cursor
    expect(options(bare)).to_have_count(0)
    bare.page.keyboard.press("Shift+Enter")
    bare.settle()
    assert bare.lab.cursor == after(bare.lab, "Refused")
    bare.root.focus()
    for key, rejection in (("n", 2), ("N", 1), ("N", 1)):
        bare.page.keyboard.press(key)
        bare.settle()
        assert bare.lab.cursor == after(bare.lab, "Refused", rejection)
    field(bare).focus()
    bare.page.keyboard.press("Escape")
    expect(field(bare)).to_have_value("")


def test_by_mouse_a_hit_leads_to_its_moment_and_a_pending_command_to_its_entry(bare: BarePage) -> None:
    search(bare, "transferinitiated")
    options(bare).filter(has_text="TransferInitiated #10").click()
    bare.settle()
    assert bare.lab.cursor == after(bare.lab, "TransferInitiated", 2)
    assert bare.lab.stepper.selection.position == 10
    field(bare).click()
    bare.press("Previous match")
    assert bare.lab.cursor == after(bare.lab, "TransferInitiated")
    expect(options(bare).first).to_be_visible()
    bare.lab.goto(bare.lab.trace.last)
    search(bare, "withdrawfunds")
    bare.widen(700)
    options(bare).filter(has_text="pending").click()
    # What is pending lies in a drawer there, and can be seen.
    expect(bare.root.locator(".cl-entry[aria-current]")).to_contain_text("WithdrawFunds")
    expect(bare.root.locator(".cl-entry[aria-current]")).to_be_in_viewport()
    bare.page.keyboard.press("Escape")
    bare.widen(900)


def test_enter_right_after_typing_goes_to_what_was_typed_and_not_to_what_was_found_before(
    bare: BarePage,
) -> None:
    search(bare, "alice")
    bare.page.evaluate("latency = 100")
    field(bare).fill("carol")
    field(bare).press("Enter")
    bare.settle()
    bare.page.evaluate("latency = 0")
    assert bare.lab.stepper.selection.stream_id == "BankAccount-carol"
    assert bare.lab.cursor > 0
    expect(options(bare)).to_have_count(0)


def test_what_is_not_there_is_said(bare: BarePage) -> None:
    search(bare, "no such thing")
    assert bare.fact == "No matches for “no such thing”"
    expect(bare.root.locator(".cl-results")).to_contain_text("No matches for “no such thing”")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_list_is_within_the_widget_hostile_text_is_text_and_axe_finds_nothing(
    bare: BarePage, theme: str
) -> None:
    bare.page.evaluate("light => document.body.dataset.jpThemeLight = light", str(theme == "light").lower())
    for width in (640, 900):
        bare.widen(width)
        search(bare, "<b>")
        expect(options(bare)).to_have_count(2)
        box, inside = bare.root.bounding_box(), bare.root.locator(".cl-results").bounding_box()
        assert box
        assert inside
        assert box["x"] < inside["x"]
        assert inside["x"] + inside["width"] < box["x"] + box["width"]
        assert bare.root.locator("b, img").count() == 0
    search(bare, "rejected")
    # The grey of what is yet to come, on the ground of what is chosen.
    bare.page.keyboard.press("ArrowDown")
    assert axe(bare.page, ".cl-head-search") == []


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_a_page_finds_what_python_finds(model: Any, browser: Browser) -> None:
    lab, run = recorded(model)
    trace = lab.trace
    looks: list[tuple[int, dict[str, Any]]] = [
        (moment, {"query": query, "limit": limit})
        for moment in range(0, len(trace), 23)
        for query, limit in (("", 6), ("A", 3), ("rejected", 6), ("alice", 6), ("1001", 2), (" nowhere ", 6))
    ]
    empty: Page = browser.page()
    answers = empty.evaluate(ASKED % SCRIPTS, [run, looks])
    browser.close(empty)
    for (moment, look), answer in zip(looks, answers, strict=True):
        assert answer == plain(search_results(trace, moment, **look)), (moment, look)

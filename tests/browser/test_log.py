"""The log in the lab: what is in sight of a long run, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from calamity_lab import Lab, seeded_ids, ticking_clock
from calamity_lab.examples import bank
from calamity_lab.examples.bank.read_models import BankTotals
from calamity_lab.views.log import log_rows
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[BarePage]:
    lab = Lab(bank, projections=[BankTotals], ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.story(), *bank.random_commands(200, seed=3, accounts=8))
    lab.resume()
    bare = BarePage(browser.page(width=1300, height=900), lab, width=1200)
    bare.tab("Log")
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(shared: BarePage) -> BarePage:
    if shared.root.get_by_role("dialog").is_visible():
        shared.root.get_by_role("button", name="Close the details").click()
    shared.root.get_by_role("combobox", name="Rows of the log").select_option("all")
    shared.root.get_by_role("searchbox", name="Search the log").fill("")
    shared.lab.goto(31)
    follow = shared.root.get_by_role("button", name="Follow", exact=True)
    shared.settle()
    if follow.is_visible():
        follow.click()
        shared.settle()
    return shared


def rows(bare: BarePage) -> Locator:
    return bare.root.get_by_role("tabpanel", name="Log").locator(".cl-log-rows > *")


def current(bare: BarePage) -> Locator:
    return bare.root.locator(".cl-log-row[aria-current]")


def test_only_what_is_near_is_there_and_the_rest_comes_as_one_scrolls(bare: BarePage) -> None:
    log = log_rows(bare.lab.trace, bare.lab.cursor, limit=1)
    assert log.total > 700
    grid = bare.root.get_by_role("treegrid")
    expect(grid).to_have_attribute("aria-rowcount", str(log.total + 1))
    assert rows(bare).count() <= 100
    expect(current(bare)).to_be_in_viewport()
    expect(current(bare)).to_contain_text("DepositFunds")
    bare.root.get_by_role("tabpanel", name="Log").locator(".cl-scroll").evaluate(
        "scroll => { scroll.scrollTop = scroll.scrollHeight; }"
    )
    last = rows(bare).last
    expect(last).to_have_attribute("aria-rowindex", str(log.total + 1))
    expect(last).to_be_in_viewport()
    assert rows(bare).count() <= 100
    bare.press("Follow")
    expect(current(bare)).to_be_in_viewport()
    bare.press("Step over")
    expect(current(bare)).to_be_in_viewport()


def test_a_press_goes_there_and_its_button_shows_it_whole(bare: BarePage) -> None:
    row = rows(bare).filter(has_text="FundsWithdrawn #6").first
    row.get_by_role("button", name="Show FundsWithdrawn #6 whole").click()
    bare.settle()
    panel = bare.root.get_by_role("dialog")
    expect(panel).to_have_accessible_name("FundsWithdrawn #6")
    expect(row).to_have_attribute("data-picked", "true")
    assert bare.lab.cursor == 31
    row.click(position={"x": 20, "y": 8})
    bare.settle()
    assert bare.lab.cursor == bare.lab.trace.index.event_moments[5]


def test_the_keys_walk_the_rows_and_open_them(bare: BarePage) -> None:
    keyboard = bare.page.keyboard
    current(bare).focus()
    keyboard.press("ArrowUp")
    keyboard.press("ArrowUp")
    focused = bare.root.locator(".cl-log-row:focus")
    expect(focused).to_contain_text("changed by FundsWithdrawn")
    keyboard.press("ArrowLeft")
    expect(focused).to_contain_text("WithdrawFunds")
    expect(focused).to_have_attribute("aria-level", "2")
    keyboard.press("ArrowRight")
    bare.settle()
    panel = bare.root.get_by_role("dialog")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    keyboard.press("Escape")
    expect(focused).to_contain_text("WithdrawFunds")
    assert bare.lab.cursor == 31
    keyboard.press("Control+End")
    expect(focused).to_have_attribute("aria-rowindex", str(log_rows(bare.lab.trace, 0, limit=1).total + 1))
    keyboard.press("Control+Home")
    expect(focused).to_have_attribute("aria-rowindex", "2")
    keyboard.press("PageDown")
    keyboard.press("Enter")
    bare.settle()
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    assert 1 < bare.lab.cursor < 31


def test_it_lists_one_kind_and_what_is_searched(bare: BarePage) -> None:
    trace = bare.lab.trace
    chosen = bare.root.get_by_role("combobox", name="Rows of the log")
    chosen.select_option("rejections")
    bare.settle()
    rejected = len(trace.index.rejections)
    past = log_rows(trace, 31, only="rejections", limit=1).now
    expect(bare.root.get_by_text(f"{past} of {rejected} rejections so far")).to_be_visible()
    expect(rows(bare).first).to_contain_text("rejected: insufficient funds")
    chosen.select_option("steps")
    bare.settle()
    expect(current(bare)).to_contain_text("DepositFunds accepted, 1 event")
    chosen.select_option("all")
    bare.root.get_by_role("searchbox", name="Search the log").fill("carol")
    bare.settle()
    expect(rows(bare)).to_have_count(log_rows(trace, 31, query="carol", limit=999).total)
    bare.root.get_by_role("searchbox", name="Search the log").fill("no such thing")
    expect(bare.root.get_by_text("No matches", exact=True)).to_be_visible()


def test_a_fixed_log_selects_and_says_that_it_stays(browser: Browser, bare: BarePage) -> None:
    at = bare.lab.at(31)
    fixed = BarePage(browser.page(width=800, height=700), bare.lab, at.log, width=700)
    foot = fixed.root.get_by_role("status")
    fixed.root.locator(".cl-log-row").filter(has_text="FundsWithdrawn #6").first.click()
    expect(foot).to_contain_text("FundsWithdrawn #6 is selected. This view stays at step 31")
    expect(foot).not_to_have_attribute("data-tone", "error")
    fixed.page.keyboard.press("?")
    keys = fixed.root.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Show these keys")
    expect(keys).not_to_contain_text("Step over")
    expect(keys).to_contain_text("This view stays at its step")
    browser.take_back(fixed)


def test_the_list_in_the_place_of_the_lanes_has_the_changes_of_projections(bare: BarePage) -> None:
    bare.widen(600)
    expect(bare.root.get_by_role("button", name="changed by FundsWithdrawn in BankTotals")).to_be_visible()
    bare.widen(1200)

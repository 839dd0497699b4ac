"""The comparison of two branches under the hands of a person."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.accessibility import axe
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.views.test_comparison import edited_bank


def test_branches_are_compared_by_mouse_and_by_keyboard_and_a_difference_leads_to_its_moment(
    browser: Browser,
) -> None:
    page = browser.page()
    lab = edited_bank()
    bare = BarePage(page, lab)
    bare.press("Compare main")  # the first and only action, at the branch below the slider
    panel = bare.root.get_by_role("tabpanel", name="Compare")
    expect(panel).to_contain_text("'main' and 'poor' part after step 15")
    events = panel.get_by_role("list", name="Events")
    expect(events.get_by_role("listitem")).to_have_count(6)
    panel.get_by_role("button", name="2 more").click()
    expect(events.get_by_role("listitem")).to_have_count(8)

    panel.get_by_role("button", name="Go to step 15").click()
    bare.settle()
    assert (bare.moment, lab.trace.branch.name) == (15, "poor")
    # What only the other branch has is there: the lab goes to that branch, and what is compared stays.
    events.get_by_role("button", name="main: TransferInitiated BankAccount-alice, step 22").first.click()
    bare.settle()
    assert (bare.moment, lab.trace.branch.name) == (22, "main")
    assert [box.input_value() for box in panel.get_by_role("combobox").all()] == ["main", "poor"]
    absent = events.get_by_role("button", name="poor: TransferInitiated BankAccount-alice, not there").first
    expect(absent).to_have_attribute("aria-disabled", "true")
    # So does a mark in the lanes, which opens its message, too.
    lanes = panel.get_by_role("listbox", name="Lanes of both branches")
    name = "poor: FundsDeposited in BankAccount-alice, step 18, changed: amount: 10000 → 70"
    lanes.get_by_role("option", name=name).click()
    bare.settle()
    assert (bare.moment, lab.trace.branch.name) == (18, "poor")
    expect(bare.root.locator(".cl-details")).to_contain_text("FundsDeposited")
    bare.root.get_by_role("button", name="Close the details").click()
    panel.get_by_role("combobox", name="Second branch").select_option("main")
    expect(panel).to_contain_text("'main' and 'main' never part; nothing differs")

    browser.take_back(bare)


def test_branches_are_compared_by_the_keyboard(browser: Browser) -> None:
    page = browser.page()
    lab = edited_bank()
    bare = BarePage(page, lab)
    bare.root.get_by_role("tab", name="State").focus()
    page.keyboard.press("ArrowLeft")  # Explore is the last tab, Compare the one before
    page.keyboard.press("ArrowLeft")
    panel = bare.root.get_by_role("tabpanel", name="Compare")
    expect(panel).to_contain_text("part after step 15")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="Go to step 15")).to_be_focused()
    page.keyboard.press("Enter")
    bare.settle()
    assert bare.moment == 15
    # The first mark that differs in the lanes; the arrow keys move on, here to the other branch.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    bare.settle()
    assert (bare.moment, lab.trace.branch.name) == (18, "main")
    page.keyboard.press("Escape")  # closes the message, and leads back to the mark
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    bare.settle()
    assert (bare.moment, lab.trace.branch.name) == (18, "poor")
    assert axe(page, ".cl-compare") == []
    browser.take_back(bare)

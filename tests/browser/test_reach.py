"""What is out of sight is neither drawn nor asked for, and is there as soon as somebody goes to it."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Locator, expect

from calamity_lab import Lab
from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount, DepositFunds
from calamity_lab.views.state import state
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.lab_widget import scroll_through

FOCUSED = "(root) => root.contains(document.activeElement)"


def a_page(browser: Browser, deposits: Sequence[int] = range(40)) -> BarePage:
    """Forty accounts, and deposits to these that wait."""
    lab = Lab(bank)
    lab.send(*[CreateAccount(f"{n:02}", "Ada") for n in range(40)])
    lab.resume()
    lab.send(*[DepositFunds(f"{n:02}", 5) for n in deposits])
    return BarePage(browser.page(width=1000, height=900), lab)


def scroll(bare: BarePage, pane: Locator, top: int) -> None:
    pane.evaluate("(pane, top) => { pane.scrollTop = top; }", top)
    bare.page.wait_for_timeout(60)
    bare.settle()


def test_cards_come_as_they_are_scrolled_to_and_go_again(browser: Browser) -> None:
    bare = a_page(browser)
    cards, pane = bare.root.locator(".cl-card"), bare.root.get_by_role("group", name="State", exact=True)
    expect(bare.root.locator(".cl-pager").first).to_contain_text("1–24 of 40")
    few = cards.count()  # as many as fill the pane
    assert few < 12
    scroll_through(pane, ".cl-card", 24)
    bare.settle()
    names = [card.get_attribute("aria-label") for card in cards.all()]
    assert names == [row.stream_id for row in state(bare.lab.trace, bare.lab.cursor, limit=24).rows]
    scroll(bare, pane, 0)
    expect(cards).to_have_count(few)
    bare.press("Step over")
    expect(cards).to_have_count(few)
    browser.take_back(bare)


def test_the_room_of_what_is_not_drawn_can_be_scrolled_through(browser: Browser) -> None:
    bare = a_page(browser)
    pane = bare.root.locator(".cl-next .cl-scroll")
    room = pane.evaluate("(pane) => pane.scrollHeight")
    scroll_through(pane, "li", 12)
    whole = pane.evaluate("(pane) => pane.scrollHeight")
    assert 0.7 < room / whole < 1.4
    bare.press("28 more…")
    scroll_through(pane, "li", 36)
    expect(pane.get_by_role("button", name="4 more…")).to_be_visible()
    browser.take_back(bare)


def test_what_comes_while_there_is_room_is_drawn(browser: Browser) -> None:
    bare = a_page(browser, (1, 2, 3, 4))
    bare.page.set_viewport_size({"width": 1000, "height": 1600})
    bare.root.evaluate("(root) => root.style.setProperty('--cl-lab-height', '1400px')")
    entries = bare.root.locator(".cl-next").get_by_role("listitem")
    expect(entries).to_have_count(4)
    bare.lab.send(*[DepositFunds(f"{n:02}", 5) for n in range(4, 20)])
    bare.settle()
    expect(entries.last).not_to_be_in_viewport()
    bare.settle()
    assert 4 < entries.count() <= 12
    browser.take_back(bare)


def test_the_focus_goes_on_to_what_was_not_drawn(browser: Browser) -> None:
    bare = a_page(browser)
    pane = bare.root.locator(".cl-next .cl-scroll")
    bare.root.get_by_role("button", name="Drop DepositFunds").first.focus()
    for _ in range(40):
        bare.page.keyboard.press("Tab")
        bare.settle()
        if not pane.evaluate(FOCUSED):
            break
    expect(pane.get_by_role("listitem")).to_have_count(12)
    # What has the focus stays, wherever it is scrolled.
    pane.get_by_role("button", name="Drop DepositFunds").last.focus()
    scroll(bare, pane, 0)
    expect(pane.get_by_role("listitem")).to_have_count(12)
    browser.take_back(bare)


def test_a_card_that_is_not_drawn_comes_when_its_stream_is_selected(browser: Browser) -> None:
    bare = a_page(browser)
    pane = bare.root.get_by_role("group", name="State", exact=True)
    bare.lab.select("BankAccount-20")
    bare.settle()
    card = bare.root.locator('.cl-card[aria-label="BankAccount-20"]')
    expect(card).to_have_attribute("data-picked", "true")
    expect(card).to_be_in_viewport()
    # One that is on another page is not sought for ever.
    bare.lab.select("BankAccount-30")
    bare.settle()
    expect(bare.root.locator("[data-picked]")).to_have_count(0)
    asked = len(bare.asked)
    bare.page.wait_for_timeout(200)
    assert len(bare.asked) == asked
    # Nor does it leave all cards behind, once the list is where it was.
    scroll(bare, pane, 0)
    few = bare.root.locator(".cl-card").count()
    assert few < 12
    bare.lab.select("BankAccount-31")
    bare.settle()
    expect(bare.root.locator(".cl-card")).to_have_count(few)
    browser.take_back(bare)


def test_a_card_that_leaves_is_drawn_anew_for_the_one_that_comes_but_never_with_the_focus_in_it(
    browser: Browser,
) -> None:
    bare = a_page(browser, (30, 31, 32))
    first = bare.root.locator(".cl-card").first
    bare.press("Step over")
    first.evaluate("(card) => { window.kept = card; }")
    bare.press("Step over")
    expect(first).to_have_attribute("aria-label", "BankAccount-31")
    assert first.evaluate("(card) => card === window.kept")
    first.get_by_role("button", name="Pin BankAccount-31", exact=True).focus()
    bare.lab.step()
    bare.settle()
    expect(first).to_have_attribute("aria-label", "BankAccount-32")
    assert first.evaluate("(card) => card !== window.kept")
    # The keys still belong to the lab, and act on no card.
    expect(bare.root).to_be_focused()
    browser.take_back(bare)

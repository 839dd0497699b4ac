"""The tab "Explore" under the hands of a person, by mouse and by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from calamity_lab import Lab, Stack
from calamity_lab.examples import bank
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.probe.test_explore import order_and_cancel


def explored() -> Lab:
    """A transfer that is pending, and takes money from an account."""
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"), bank.DepositFunds("a", 30))
    lab.resume()
    lab.send(bank.RequestTransfer("t", "a", "b", 20), bank.CreateAccount("b", "Bo"))

    def has_money(stack: Stack) -> bool:
        return bool(stack.aggregates["BankAccount-a"].balance > 0)

    lab.invariant("a has money", has_money)
    lab.invariant("a is rich", lambda stack: stack.aggregates["BankAccount-a"].balance >= 30)
    return lab


def test_exploring_by_mouse_finds_a_path_that_opens_in_the_lab(browser: Browser) -> None:
    page = browser.page()
    lab = explored()
    bare = BarePage(page, lab)
    panel = bare.tab("Explore")
    expect(panel).to_contain_text("RequestTransfer, CreateAccount are pending")
    panel.get_by_text("What is explored").click()
    choose = panel.get_by_role("combobox", name="a has money")
    choose.select_option("not checked")
    panel.get_by_role("checkbox", name="A lost command").check()
    panel.get_by_label("States at most").fill("500")
    panel.get_by_label("Commands deep").press("Tab")
    bare.settle()
    expect(panel.locator("summary")).to_contain_text("1 check, 1 fault, 500 states at most")
    panel.get_by_role("button", name="Explore", exact=True).click()
    bare.settle()
    found = panel.get_by_role("group", name="What was found")
    expect(found).to_contain_text("broken")
    expect(found).to_contain_text("1 check broken; everything that may happen was followed")
    assert bare.fact.startswith("Explored: broken; 1 check broken")
    path = panel.get_by_role("listitem").filter(has_text="a is rich").locator("ol > li")
    expect(path).to_have_count(2)
    expect(path.last).to_have_text(re.compile("^WithdrawFunds.* sent by Transfer-t no way back$"))
    panel.get_by_role("button", name="Open in the lab").click()
    bare.settle()
    assert lab.trace.branch.name == "breaks: a is rich"
    assert bare.fact.startswith("Here it breaks: a is rich")
    panel.get_by_role("button", name="Copy as test").click()
    expect(bare.root.get_by_role("dialog")).to_contain_text("from calamity_lab.testing import given")
    browser.take_back(bare)


def test_a_state_in_which_an_instance_waits_for_ever_opens_and_time_is_chosen(browser: Browser) -> None:
    page = browser.page()
    lab = order_and_cancel()
    bare = BarePage(page, lab)
    panel = bare.tab("Explore")
    panel.get_by_text("What is explored").click()
    panel.get_by_role("combobox", name="Time may pass").select_option("When nothing else can happen")
    panel.get_by_role("combobox", name="Order").select_option("Long paths first")
    bare.settle()
    expect(panel.get_by_role("combobox", name="Processes")).to_be_hidden()
    stuck = panel.get_by_role("group", name="Nothing can happen, and a process manager waits")
    expect(stuck).to_have_count(0)
    panel.get_by_role("button", name="Explore", exact=True).click()
    bare.settle()
    expect(panel).to_contain_text("79 states")
    row = stuck.get_by_role("button", name="Replenishment-teapot waits").first
    row.focus()
    page.keyboard.press("Enter")
    bare.settle()
    expect(row).to_have_attribute("aria-expanded", "true")
    expect(stuck.get_by_role("button", name="Copy as test")).to_have_count(0)
    stuck.get_by_role("button", name="Open in the lab").click()
    bare.settle()
    assert bare.fact.startswith("Nothing can happen here: Replenishment-teapot waits")
    browser.take_back(bare)


def test_exploring_by_keyboard_stops_and_goes_on_and_the_lab_answers_meanwhile(browser: Browser) -> None:
    page = browser.page()
    lab = explored()
    lab.send(*[bank.DepositFunds("a", n) for n in range(1, 10)])
    bare = BarePage(page, lab)
    bare.root.get_by_role("tab", name="State").focus()
    page.keyboard.press("ArrowLeft")  # Explore is the last tab
    panel = bare.root.get_by_role("tabpanel", name="Explore")
    explore = panel.get_by_role("button", name="Explore", exact=True)
    expect(explore).to_be_visible()
    page.keyboard.press("Tab")
    expect(explore).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("Exploring.")
    stop = panel.get_by_role("button", name="Stop")
    page.keyboard.press("Tab")
    expect(stop).to_be_focused()
    before = lab.cursor
    lab.step()  # as a cell does
    bare.root.get_by_role("button", name="Step back", exact=True).click()
    expect(bare.slider).to_have_js_property("value", str(lab.cursor))
    assert lab.cursor > before
    expect(panel).to_contain_text("Exploring.")
    stop.focus()
    page.keyboard.press("Enter")
    bare.settle()
    expect(explore).to_be_focused()
    expect(panel).to_contain_text("stopped, ")
    expect(panel.get_by_role("button", name="Go on")).to_be_visible()
    browser.take_back(bare)

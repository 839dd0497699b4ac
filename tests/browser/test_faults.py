"""Faults: injected from the menu and from a message, by mouse and by keys; listed and taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import Crash, Lose
from calamity_lab.lab import Lab
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.test_hostile_text import FAULTS
from tests.moments import after


def transfer() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(
        CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60)
    )
    lab.resume()
    return lab


@pytest.fixture
def bare(browser: Browser) -> Iterator[BarePage]:
    bare = BarePage(browser.page(width=1300, height=1000), transfer())
    yield bare
    browser.take_back(bare)


def test_a_fault_is_injected_from_the_menu_listed_taken_back_and_carried_out(bare: BarePage) -> None:
    lab, menu = bare.lab, bare.root.get_by_role("group", name="Faults", exact=True)
    toggle = bare.root.get_by_role("button", name="Faults", exact=True)
    toggle.click()
    assert bare.root.evaluate(FAULTS) == []
    menu.get_by_role("button", name="Crash").click()
    bare.settle()
    assert list(lab.faults) == [Crash()]
    expect(menu).to_be_hidden()
    expect(toggle).to_be_focused()
    armed = bare.root.get_by_role("list", name="Armed faults")
    expect(armed).to_contain_text("waits for the next events that are recorded")
    expect(bare.root.get_by_role("status")).to_contain_text("Crash waits for the next events")
    armed.get_by_role("button", name="Take Crash back").click()
    bare.settle()
    assert list(lab.faults) == []
    # By keys: in the menu, the first fault has the focus.
    toggle.focus()
    bare.page.keyboard.press("Enter")
    expect(menu.get_by_role("button").first).to_be_focused()
    bare.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(toggle).to_be_focused()
    bare.page.keyboard.press("Enter")
    menu.get_by_role("button", name="Clock 1 day ahead").focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    bare.press("Step in")
    expect(bare.root.get_by_role("status")).to_contain_text("Injected: the clock jumped ahead by 1 day")


def test_an_event_is_handed_on_again_and_a_pending_command_lost_from_their_details(bare: BarePage) -> None:
    lab, panel = bare.lab, bare.root.get_by_role("dialog")
    bare.root.get_by_role("tab", name="Log").click()
    bare.root.get_by_role("row").filter(has_text="TransferInitiated #").first.get_by_role("button").click()
    bare.settle()
    panel.get_by_role("button", name="Hand on again").click()
    bare.settle()
    bare.press("Resume")
    assert [step.kind for step in lab.steps].count("Injected") == 1
    lab.switch("main")
    lab.goto(after(lab, "Continued"))
    bare.settle()
    bare.root.get_by_role("button", name="DepositFunds", exact=True).click()
    bare.settle()
    panel.get_by_role("button", name="Lose", exact=True).click()
    bare.settle()
    assert isinstance(lab.faults[0], Lose)
    bare.press("Resume")
    assert lab.aggregates["BankAccount-b"].balance == 0
    assert bare.root.evaluate(FAULTS) == []

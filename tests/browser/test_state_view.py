"""The state can be unfolded, pinned and looked back at, by mouse and by keyboard."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, LabWidget, state_in

ORDERS = """
from calamity_lab import Lab
from calamity_lab.examples import fulfilment
lab = Lab(fulfilment)
lab.send(*fulfilment.story())
lab.resume()
lab.goto(60)
lab.state
"""


def card(root: Locator, name: str) -> Locator:
    return root.get_by_role("article", name=name, exact=True)


def press(page: LabPage, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)
        page.page.wait_for_function("() => !document.querySelector('.cl-root[data-asked]')")


def test_what_lies_in_a_value_unfolds_by_the_arrow_keys_and_folds_again(lab_page: LabPage) -> None:
    lab_page.resize(1200, 1400)
    lab_page.open([ORDERS])
    lab_page.run_all()
    root = lab_page.output(0).locator(".cl-root")
    order = card(root, "Order-1001")
    lines = order.get_by_role("button", name="lines, 2 values")
    order.get_by_role("button", name="order_id, history").focus()
    press(lab_page, "ArrowDown", "ArrowDown", "ArrowRight")
    expect(lines).to_be_focused()
    expect(lines).to_have_attribute("aria-expanded", "true")
    press(lab_page, "ArrowRight", "ArrowRight")
    assert state_in(root)["Order-1001"]["unit_price"] == "8.50"
    press(lab_page, "ArrowRight", "Enter")
    expect(order.get_by_role("list", name="lines[0].sku of Order-1001 by version")).to_contain_text("mug")
    press(lab_page, "Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    expect(lines).to_be_focused()
    expect(lines).to_have_attribute("aria-expanded", "false")
    assert "unit_price" not in state_in(root)["Order-1001"]


def test_a_state_can_be_looked_back_at_by_a_numbers_history_and_as_of_a_version(lab_page: LabPage) -> None:
    lab_page.resize(1200, 1400)
    lab_page.open([BANK])
    lab_page.run_all()
    widget = LabWidget(lab_page)
    widget.press("Resume")
    last = widget.moment
    look_as_of_a_version(widget, card(widget.root, "BankAccount-alice"))
    assert widget.moment == last == int(lab_page.python("lab.cursor")), "only the card looked elsewhere"
    follow_a_number(widget, card(widget.root, "BankAccount-bob"))
    widget.press("Restart")
    expect(card(widget.root, "BankAccount-bob").get_by_text("not there yet")).to_be_visible()
    assert list(state_in(widget.root)) == ["BankAccount-bob"], "what is pinned stays on top, there or not"


def look_as_of_a_version(widget: LabWidget, alice: Locator) -> None:
    now = state_in(widget.root)["BankAccount-alice"]["balance"]
    version = alice.get_by_role("button", name="see BankAccount-alice as of another version")
    version.focus()
    press(widget.page, "Enter")
    alice.get_by_role("slider", name="Version of BankAccount-alice").focus()
    press(widget.page, "Home", "ArrowRight", "ArrowRight")
    expect(alice.get_by_text("as of version 2 of 4")).to_be_visible()
    assert state_in(widget.root)["BankAccount-alice"]["balance"] == "10000" != now
    alice.get_by_role("button", name="Now, not as of a version").click()
    expect(alice.get_by_text("as of version")).to_be_hidden()
    expect(version).to_be_focused()
    assert state_in(widget.root)["BankAccount-alice"]["balance"] == now


def follow_a_number(widget: LabWidget, bob: Locator) -> None:
    bob.get_by_role("button", name="Pin BankAccount-bob").click()
    bob.get_by_role("button", name="balance, history").click()
    spark = bob.get_by_role("slider", name="balance of BankAccount-bob by version")
    expect(spark).to_have_attribute("aria-valuetext", "version 6: 5000, now")
    spark.focus()
    press(widget.page, "ArrowLeft", "ArrowLeft")
    text = spark.get_attribute("aria-valuetext") or ""
    press(widget.page, "Enter")
    widget.settle()
    expect(spark).to_have_attribute("aria-valuetext", f"{text}, now")
    versions = "lab.stepper.moment.stack.aggregate_versions"
    assert widget.page.python(f"{versions}['BankAccount-bob']") == "4"
    assert bob.locator(".cl-spark-later").get_attribute("d")

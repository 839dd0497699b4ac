"""The state can be unfolded, pinned and looked back at, by mouse and by keyboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, expect

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.messages import command
from calamity_lab.lab import Lab
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.moments import after


@command(to="Shelf", by="id")
@dataclass(frozen=True)
class Fill:
    id: str
    items: tuple[int, ...]
    boxes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Filled:
    id: str
    items: tuple[int, ...]
    boxes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Shelf:
    id: str
    items: tuple[int, ...] = ()
    boxes: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def new(cls, aggregate_id: str) -> Shelf:
        return cls(aggregate_id)

    def execute(self, given: Fill) -> Filled:
        return Filled(given.id, given.items, given.boxes)

    def apply(self, event: Filled) -> Shelf:
        return Shelf(event.id, event.items, event.boxes)


def a_lab(model: Any) -> Lab:
    """A model's story, before its first step."""
    lab = Lab(model)
    lab.send(*model.story())
    return lab


def card(root: Locator, name: str) -> Locator:
    return root.get_by_role("article", name=name, exact=True)


def press(bare: BarePage, *keys: str) -> None:
    for key in keys:
        bare.page.keyboard.press(key)
        bare.page.wait_for_function("() => !document.querySelector('.cl-root[data-asked]')")


def test_what_lies_in_a_value_unfolds_by_the_arrow_keys_and_folds_again(browser: Browser) -> None:
    lab = a_lab(fulfilment)
    lab.resume()
    lab.goto(after(lab, "PlaceOrder", 2))
    bare = BarePage(browser.page(width=1200, height=1400), lab, lab.state)
    root = bare.root
    order = card(root, "Order-1001")
    lines = order.get_by_role("button", name="lines, 2 values")
    order.get_by_role("button", name="order_id, history").focus()
    press(bare, "ArrowDown", "ArrowDown", "ArrowRight")
    expect(lines).to_be_focused()
    expect(lines).to_have_attribute("aria-expanded", "true")
    press(bare, "ArrowRight", "ArrowRight")
    assert bare.state()["Order-1001"]["unit_price"] == "8.50"
    press(bare, "ArrowRight", "Enter")
    expect(order.get_by_role("list", name="lines[0].sku of Order-1001 by version")).to_contain_text("mug")
    press(bare, "Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    expect(lines).to_be_focused()
    expect(lines).to_have_attribute("aria-expanded", "false")
    assert "unit_price" not in bare.state()["Order-1001"]
    browser.take_back(bare)


def test_a_line_that_is_drawn_anew_for_another_field_has_a_history_where_that_has_one(
    browser: Browser,
) -> None:
    lab = Lab(aggregates=[Shelf], commands=[Fill], events=[Filled])
    short = Fill("a", tuple(range(20)), ((1, 2),))
    lab.send(Fill("a", tuple(range(21)), ()), short, short)
    lab.step()
    long = lab.cursor
    lab.resume()
    bare = BarePage(browser.page(width=1200, height=1400), lab)
    shelf = card(bare.root, "Shelf-a")
    shelf.get_by_role("button", name="boxes, 1 value").click()
    bare.settle()
    lab.goto(long)
    bare.settle()
    shelf.get_by_role("button", name="items, 21 values").click()
    bare.settle()
    expect(shelf.get_by_role("button", name="1 more, 1 value")).to_be_visible()
    # For the rest of a long list, which has no history of its own, comes what lies in a box, and back.
    for _ in range(2):
        lab.goto(lab.trace.last)
        bare.settle()
        box = shelf.locator(".cl-line", has_text="(1, 2)").last
        expect(box.get_by_role("button", name="History of")).to_have_count(1)
        lab.goto(long)
        bare.settle()
        rest = shelf.locator(".cl-line", has_text="1 more")
        expect(rest.get_by_role("button", name="History of")).to_have_count(0)
    browser.take_back(bare)


def test_a_state_can_be_looked_back_at_by_a_numbers_history_and_as_of_a_version(browser: Browser) -> None:
    bare = BarePage(browser.page(width=1200, height=1400), a_lab(bank))
    bare.press("Resume")
    last = bare.moment
    look_as_of_a_version(bare, card(bare.root, "BankAccount-alice"))
    assert bare.moment == last == bare.lab.cursor, "only the card looked elsewhere"
    follow_a_number(bare, card(bare.root, "BankAccount-bob"))
    bare.press("Rewind")
    expect(card(bare.root, "BankAccount-bob").get_by_text("not there yet")).to_be_visible()
    assert list(bare.state()) == ["BankAccount-bob"], "what is pinned stays on top, there or not"
    browser.take_back(bare)


def look_as_of_a_version(bare: BarePage, alice: Locator) -> None:
    now = bare.state()["BankAccount-alice"]["balance"]
    version = alice.get_by_role("button", name="see BankAccount-alice as of another version")
    version.focus()
    press(bare, "Enter")
    alice.get_by_role("slider", name="Version of BankAccount-alice").focus()
    press(bare, "Home", "ArrowRight", "ArrowRight")
    expect(alice.get_by_text("as of version 2 of 4")).to_be_visible()
    assert bare.state()["BankAccount-alice"]["balance"] == "10000" != now
    alice.get_by_role("button", name="Now, not as of a version").click()
    expect(alice.get_by_text("as of version")).to_be_hidden()
    expect(version).to_be_focused()
    assert bare.state()["BankAccount-alice"]["balance"] == now


def follow_a_number(bare: BarePage, bob: Locator) -> None:
    bob.get_by_role("button", name="Pin BankAccount-bob").click()
    bob.get_by_role("button", name="balance, history").click()
    spark = bob.get_by_role("slider", name="balance of BankAccount-bob by version")
    expect(spark).to_have_attribute("aria-valuetext", "version 6: 5000, now")
    spark.focus()
    press(bare, "ArrowLeft", "ArrowLeft")
    text = spark.get_attribute("aria-valuetext") or ""
    press(bare, "Enter")
    bare.settle()
    expect(spark).to_have_attribute("aria-valuetext", f"{text}, now")
    assert bare.lab.stepper.moment.stack.aggregate_versions["BankAccount-bob"] == 4
    assert bob.locator(".cl-spark-later").get_attribute("d")

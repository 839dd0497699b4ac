"""Time that passes in the widget, by mouse and by keys: the list "Due", the button Wait, what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from calamity_lab.lab import Lab
from tests import holds
from tests.browser.accessibility import axe
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.holds import HoldSeat, theatre


@pytest.fixture
def bare(browser: Browser) -> Iterator[BarePage]:
    bare = BarePage(browser.page(width=1300, height=1000), Lab(holds, stack=theatre()), width=1200)
    yield bare
    browser.take_back(bare)


def test_a_person_sees_what_is_due_and_lets_time_pass(bare: BarePage) -> None:
    wait, due = bare.button("Wait"), bare.root.get_by_role("group", name="Due", exact=True)
    expect(wait).to_have_attribute("aria-disabled", "true")
    expect(wait).to_have_attribute("title", "Let time pass to the next deadline. No deadline is set (w)")
    expect(due).to_be_hidden()
    bare.lab.send(HoldSeat("A1"))
    bare.lab.resume()
    expect(due).to_contain_text("reminder")
    expect(due).to_contain_text("in 9 min 59 s")
    expect(wait).to_have_attribute(
        "title", "Wait until reminder of Holding-A1 is due: 2026-01-01 00:10:00 UTC (in 9 min 59 s) (w)"
    )
    assert axe(bare.page, ".cl-next") == []
    bare.press("Wait")
    assert [type(each).__name__ for each in bare.lab.agenda] == ["RemindGuest"]
    expect(bare.root.get_by_role("status")).to_contain_text("9 min 59 s passed")
    expect(bare.root.locator(".cl-next")).to_contain_text("deadline reminder: SeatHeld #1 by Holding-A1")
    bare.press("Step over")
    expect(due.get_by_role("button", name="ExpireHold")).to_be_visible()
    # The details of a deadline, and the way to wait for it.
    due.get_by_role("button", name="ExpireHold").click()
    bare.root.get_by_role("button", name="Wait until this").click()
    bare.settle()
    assert [type(each).__name__ for each in bare.lab.agenda] == ["ExpireHold"]
    # The sequence has a line where time passed, and a note where the deadlines were set.
    bare.tab("Sequence").click()
    messages = bare.root.get_by_role("listbox", name="Messages, in order")
    line = messages.locator(".cl-message-time-passed").first
    expect(line).to_contain_text("9 min 59 s passed")
    expect(messages).to_contain_text("after 10 min: reminder; after 15 min: ExpireHold")
    wide = line.evaluate("row => row.querySelector('.cl-message-line').getBBox().width")
    assert wide == bare.root.locator(".cl-message-plot").evaluate("plot => plot.clientWidth")
    # The process graph says after how long.
    bare.tab("Process graph").click()
    edge = bare.root.get_by_role("img", name="Holding to ExpireHold, after 15 min:")
    expect(edge.locator("text")).to_have_text("after 15 min")


def test_time_passes_by_keys_too_and_for_a_time_that_a_person_gives(bare: BarePage) -> None:
    bare.lab.send(HoldSeat("A1"))
    bare.lab.resume()
    bare.settle()
    bare.root.focus()
    bare.page.keyboard.press("w")
    bare.settle()
    assert [type(each).__name__ for each in bare.lab.agenda] == ["RemindGuest"]
    bare.page.keyboard.press(".")
    bare.settle()
    bare.root.get_by_label("Wait for", exact=True).select_option("until…")
    field = bare.root.get_by_label("Wait until, as in")
    expect(field).to_be_focused()
    field.fill("2026-01-01 00:16")
    field.press("Enter")
    bare.settle()
    assert [each.event_type for each in bare.lab.events] == ["SeatHeld", "GuestReminded", "HoldExpired"]
    bare.lab.send(HoldSeat("B2"))
    bare.lab.resume()
    bare.root.get_by_label("Wait for", exact=True).select_option("Resume through deadlines")
    bare.settle()
    assert not bare.lab.deadlines
    expect(bare.root.get_by_role("group", name="Due", exact=True)).to_be_hidden()

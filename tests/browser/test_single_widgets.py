"""Each view in a cell of its own: all on one cursor."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab_widget import BANK, LabWidget, state_in
from tests.browser.plain_page import PlainPage

VIEWS = ("controls", "form", "state", "timeline", "process_graph", "table")


def test_all_views_follow_one_cursor(plain_page: PlainPage) -> None:
    plain_page.resize(1200, 3200)
    plain_page.open([BANK, *[f"lab.{view}" for view in VIEWS]])
    plain_page.run_all()
    composite, controls = LabWidget(plain_page), LabWidget(plain_page, 1)
    controls.press("Step over")
    controls.press("Step over")
    composite.settle()
    for cell in range(len(VIEWS) + 1):
        expect(plain_page.output(cell).get_by_role("status")).to_have_text(composite.fact)
    assert state_in(plain_page.output(3)) == composite.state() != {}
    rows = plain_page.output(6).get_by_role("row")
    expect(rows).to_have_count(3)
    rows.nth(1).click()
    plain_page.page.wait_for_timeout(300)
    composite.settle()
    assert composite.moment == controls.moment == int(plain_page.python("lab.cursor"))
    assert "AccountCreated" in composite.fact


def test_two_displays_of_one_widget_show_the_same(plain_page: PlainPage) -> None:
    plain_page.resize(1200, 2400)
    plain_page.open([BANK, "lab"])
    plain_page.run_all()
    first, second = LabWidget(plain_page), LabWidget(plain_page, 1)
    second.press("Step over")
    second.tab("Log")
    expect(first.root.get_by_role("tabpanel", name="Log")).to_be_visible()
    first.press("Step over")
    second.settle()
    assert first.fact == second.fact


def test_a_view_at_a_moment_says_so_and_stays_there_under_keys_presses_and_steps(
    plain_page: PlainPage,
) -> None:
    plain_page.resize(1200, 3200)
    plain_page.open([BANK, "for _ in range(5): lab.step()", "lab.at(9).timeline", "lab.at(9).table"])
    plain_page.run_all()
    composite = LabWidget(plain_page)
    fixed = plain_page.output(2).locator(".cl-root")
    before = composite.moment
    expect(fixed.locator(".cl-foot-fixed")).to_have_text(f"stays at step 9 of {before}")
    drawn = fixed.locator(".cl-plot").inner_html()
    fixed.focus()
    for key in (".", ",", "Home", "]", ">"):
        plain_page.page.keyboard.press(key)
    composite.press("Step over")
    plain_page.output(3).get_by_role("row").nth(1).click()
    expect(plain_page.output(3).locator(".cl-foot")).to_contain_text("This view stays at step 9")
    assert fixed.locator(".cl-plot").inner_html() == drawn
    expect(fixed.locator(".cl-foot-fixed")).to_have_text(f"stays at step 9 of {before}")
    assert int(plain_page.python("lab.cursor")) > before

"""What a widget shows while Python is busy with a later cell: all that came with it, and what waits."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, state_in

START = "void window.jupyterapp.commands.execute('notebook:run-all-cells')"
BUSY = "from pathlib import Path\nfrom time import sleep\nwhile not Path('go-on').exists(): sleep(0.05)"

HELD = """() => {
  const [now, answers] = [window.python, new Promise((resolve) => { window.answer = resolve; })];
  window.python = (message) => answers.then(() => now(message));
}"""


def foot(root: Locator) -> Locator:
    return root.get_by_role("status")


def test_run_all_with_a_long_cell_at_the_end_shows_all_that_is_known_and_which_presses_wait(
    lab_page: LabPage,
) -> None:
    lab_page.resize(1200, 3600)
    cells = [BANK, "lab.state", "lab.timeline", "lab.form", "lab.controls", "lab.process_graph", "lab.table"]
    lab_page.open([*cells, "lab.step()", BUSY])
    signal = lab_page.server.root / "go-on"
    lab_page.page.evaluate(START)
    roots = lab_page.page.locator(".cl-root")
    expect(roots).to_have_count(len(cells))
    composite = roots.nth(0)
    # The last cell that is done stepped on; all of them follow it, though none of them was answered.
    for root in (composite, roots.nth(3), roots.nth(4)):
        expect(foot(root)).to_have_text(re.compile("Python is busy. What you press waits"))
    assert composite.get_by_role("slider", name="Moment").input_value() == "5"
    expect(composite.locator(".cl-where")).to_contain_text("of 5")
    assert state_in(composite) == state_in(roots.nth(1)) != {}
    expect(composite.get_by_role("group", name="Command")).to_contain_text("account_id")
    expect(composite.get_by_text("No command is known here")).to_have_count(0)
    expect(roots.nth(2).get_by_role("option").first).to_be_visible()
    expect(roots.nth(6).get_by_role("row").nth(1)).to_contain_text("AccountCreated")
    expect(lab_page.page.locator("[data-calamity-still]").first).to_be_hidden()

    step_over = composite.get_by_role("button", name="Step over", exact=True)
    step_over.click()
    step_over.click()
    expect(foot(composite)).to_have_text(re.compile(r"^Waiting for Python: Step over \(2 times\)"))
    composite.press("Home")
    expect(foot(composite)).to_have_text(re.compile(r"Step over \(2 times\), Rewind"))
    assert "NaN" not in composite.inner_text()
    assert "undefined" not in composite.inner_text()

    signal.touch()
    expect(foot(composite)).to_have_text("Nothing has happened yet")
    for root in roots.all():
        expect(root).not_to_have_attribute("data-asked", "")
    assert lab_page.python("(lab.cursor, len(lab.trace))") == "(0, 16)"
    signal.unlink()


def test_what_came_with_the_widget_is_not_sent_again(bare: BarePage) -> None:
    assert bare.asked[0] == {"verb": "ready", "has": 1, "seq": bare.asked[0]["seq"]}
    bare.press("Step over")
    assert bare.moment == bare.lab.cursor


def test_a_press_that_waits_for_long_says_what_may_be_wrong(browser: Browser) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    bare = BarePage(browser.page(apart=True), lab)
    bare.page.clock.install()
    bare.page.evaluate(HELD)
    bare.button("Step over").click()
    bare.page.clock.run_for(1_100)
    expect(foot(bare.root)).to_have_text("Waiting for Python: Step over")
    bare.page.clock.run_for(7_000)
    expect(foot(bare.root)).to_have_text(
        "Waiting for Python: Step over. Python is busy, or the kernel was stopped. "
        "If it was stopped, run the cell again."
    )
    bare.page.evaluate("answer()")
    expect(foot(bare.root)).to_contain_text("Step 5")
    bare.check()
    bare.page.close()

"""The lab in a panel beside the notebook."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK

PANELS = "return [...app.shell.widgets('main')].map(({title}) => title.label).slice(1)"


def test_a_docked_lab_is_beside_the_notebook_once_and_leaves_a_picture_when_it_is_closed(
    lab_page: LabPage,
) -> None:
    lab_page.resize(1600)
    lab_page.open([BANK.replace("\nlab\n", "\n"), "dock = lab.dock()"])
    lab_page.run_all()
    root = lab_page.page.locator(".jupyterlab-sidecar .cl-root")
    picture = lab_page.output(1).locator("[data-calamity-docked]")
    root.get_by_role("button", name="Step over", exact=True).click()
    expect(root.get_by_role("status")).to_contain_text("BankAccount-alice is new")
    expect(picture).to_be_hidden()
    assert lab_page.python("lab.cursor") == "5"
    assert lab_page.script(PANELS) == ["Lab"]
    lab_page.run_cell("lab.dock('Bank')")
    expect(root.get_by_role("status")).to_contain_text("BankAccount-alice is new")
    assert lab_page.script(PANELS) == ["Bank"]
    lab_page.run_cell("dock.close()")
    expect(root).to_have_count(0)
    expect(picture).to_be_visible()
    assert lab_page.script(PANELS) == []

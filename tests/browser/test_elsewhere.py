"""Where else the lab lives: Notebook 7 and marimo, each with a server of its own."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.accessibility import faint
from tests.browser.browser import Browser, Guard
from tests.browser.jupyter import NotebookServer
from tests.browser.lab_widget import BANK, LabWidget, state_in
from tests.browser.marimo_server import MarimoServer


def test_notebook_7_shows_the_lab_steps_it_and_hides_its_picture(browser: Browser, tmp_path: Path) -> None:
    with NotebookServer(tmp_path) as server:
        page = browser.lab_page(server)
        page.open([BANK])
        # Notebook's own shortcuts raise where they are loaded before the settings.
        page.guard.errors.clear()
        page.run_all()
        widget = LabWidget(page)
        expect(page.output(0).locator("[data-calamity-still]")).to_have_count(1)
        expect(page.output(0).locator("[data-calamity-still]")).to_be_hidden()
        widget.press("Step over")
        assert widget.moment == int(page.python("lab.cursor")) > 0
        assert widget.state()["BankAccount-alice"]["name"] == "Alice"
        assert faint(widget.root) == []
        page.theme("dark")
        expect(widget.root).to_have_css("color-scheme", "dark")
        assert faint(widget.root) == []
        page.check()
        page.close()


def test_marimo_shows_the_lab_and_its_views_on_one_cursor_in_its_own_theme(
    browser: Browser, tmp_path: Path
) -> None:
    with MarimoServer(
        tmp_path, [BANK.replace("\nlab\n", "\n"), "lab", "lab.state", "lab.timeline"]
    ) as server:
        page = browser.page(height=2400)
        guard = Guard(page)
        page.goto(server.address("/"))
        roots = page.locator(".cl-root")
        expect(roots).to_have_count(3)
        composite, state, timeline = roots.all()
        composite.get_by_role("button", name="Step over", exact=True).click()
        for root in (composite, state, timeline):
            expect(root.get_by_role("status")).to_contain_text("BankAccount-alice is new")
        assert state_in(state) == state_in(composite)
        assert state_in(state)["BankAccount-alice"]["name"] == "Alice"
        expect(timeline.get_by_role("option").first).to_be_visible()
        expect(page.locator("[data-calamity-still]")).to_have_count(0)
        expect(composite.get_by_role("status")).to_have_attribute("aria-live", "polite")
        expect(state.get_by_role("status")).to_have_attribute("aria-live", "off")
        expect(composite).to_have_css("color-scheme", "dark")
        assert faint(roots) == []
        guard.check()
        page.close()

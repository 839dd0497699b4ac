"""A notebook's outputs on a page without JupyterLab; the kernel and its messages are real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.browser import Guard, listen
from tests.browser.lab_page import NotebookPage, Theme
from tests.browser.notebook_run import NotebookRun

SCRIPT = Path(__file__).with_name("plain_page.js").read_text(encoding="utf-8")
PAGE = '<!doctype html><html lang="en"><title>A notebook</title><body><main></main><footer>Below</footer>'
THEME = """
([light, paper]) => {
  document.body.dataset.jpThemeLight = light;
  document.body.style.background = paper;
}
"""
PAPERS: dict[Theme, str] = {"light": "white", "dark": "#111418"}


class PlainPage(NotebookPage):
    """One browser page with the outputs of a notebook; what is pressed there reaches the kernel."""

    def __init__(self, page: Page, run: NotebookRun, *, theme: Theme = "light") -> None:
        super().__init__(page, Guard(page))
        self.run = run
        page.set_content(PAGE)
        listen(page, self._hear)
        page.add_script_tag(type="module", content=SCRIPT)
        page.wait_for_function("() => 'takeOver' in window")
        self.theme(theme)
        self.show()

    def open(self, notebook: Sequence[str], *, theme: Theme = "light") -> None:
        """Append these cells."""
        self.run.load(notebook)
        self.theme(theme)
        self.show()

    def run_all(self) -> None:
        try:
            self.run.run_all()
        finally:
            self.show()

    def run_cell(self, source: str) -> int:
        self.run.load([source])
        index = len(self.run.cells) - 1
        try:
            self.run.run(index)
        finally:
            self.show()
        return index

    def python(self, expression: str) -> str:
        answer = self.run.python(expression)
        self.show()
        return answer

    def theme(self, theme: Theme) -> None:
        self.page.evaluate(THEME, [str(theme == "light").lower(), PAPERS[theme]])

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Cell").nth(index)

    def show(self) -> None:
        """Have the page take over what has happened."""
        self.page.evaluate("events => takeOver(events)", self._events())

    def _hear(self, message: dict[str, Any] | None) -> str:
        if message is not None:
            self.run.tell(message["model"], message["content"])
        return self._events()

    def _events(self) -> str:
        return json.dumps(self.run.catch_up())

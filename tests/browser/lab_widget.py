"""A lab's composite, in a cell or elsewhere, in the words of who sits in front of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from playwright.sync_api import Locator, expect

from tests.browser.lab_page import NotebookPage

BANK = """
from calamity_lab import Lab
from calamity_lab.examples import bank
lab = Lab(bank)
lab.send(*bank.story())
lab
"""


class Composite(ABC):
    """What is read of a composite and pressed in it, wherever it is shown."""

    root: Locator

    @abstractmethod
    def settle(self) -> None:
        """Wait until all that was asked is answered and shown, as of the moment at which Python is."""

    def press(self, name: str) -> None:
        """Press a button and wait until what it asked for is shown."""
        self.button(name).click()
        self.settle()

    def button(self, name: str) -> Locator:
        """The button with exactly this name."""
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def slider(self) -> Locator:
        """The scrubber."""
        return self.root.get_by_role("slider", name="Moment")

    @property
    def moment(self) -> int:
        """The moment that is shown."""
        return int(self.slider.input_value())

    @property
    def fact(self) -> str:
        """What the foot says: the last fact."""
        return self.root.get_by_role("status").inner_text().strip()

    def tab(self, name: str) -> Locator:
        """Open a tab; its panel."""
        self.root.get_by_role("tab", name=name).click()
        panel = self.root.get_by_role("tabpanel", name=name)
        panel.wait_for()
        return panel

    def state(self) -> dict[str, dict[str, str]]:
        """The fields shown of every stream, by its id; a changed one as it is now."""
        return state_in(self.root)


class LabWidget(Composite):
    """The widget in one cell of an open notebook."""

    def __init__(self, page: NotebookPage, cell: int = 0) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".cl-root")
        self.root.wait_for()

    def settle(self) -> None:
        """Wait until all that was asked is answered, and the page shows the moment at which Python is.

        JupyterLab lets a kernel answer widgets beside its cells, so what Python says alone proves nothing.
        """
        self.page.output(self.cell).locator(".cl-root:not([data-asked])").wait_for()
        expect(self.slider).to_have_js_property("value", self.page.python("lab.cursor"))


def state_in(root: Locator) -> dict[str, dict[str, str]]:
    """The fields shown of every stream, by its id."""
    shown: dict[str, dict[str, str]] = root.locator(".cl-card").evaluate_all(
        """cards => Object.fromEntries(cards.map(card => [card.querySelector('h3').textContent,
          Object.fromEntries([...card.querySelectorAll('dl > div')].map(line =>
            [line.querySelector('dt').textContent, line.querySelector('ins').textContent]))]))"""
    )
    return shown


def scroll_through(pane: Locator, selector: str, wanted: int) -> None:
    """Scroll to the end of a list that grows as it is scrolled to, until it has so many of these."""
    pane.page.wait_for_function(
        """([pane, selector, wanted]) => {
          pane.scrollTop = pane.scrollHeight;
          return pane.querySelectorAll(selector).length === wanted;
        }""",
        arg=[pane.element_handle(), selector, wanted],
    )


def number(text: str) -> int:
    """The first number in a text."""
    found = re.search(r"\d[\d,]*", text)
    assert found, text
    return int(found.group().replace(",", ""))

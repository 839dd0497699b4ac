"""Every view of a lab in one notebook, at a moment with something of everything: to look at and to check."""

from __future__ import annotations

from playwright.sync_api import Locator

from calamity_lab.lab.displays import Displays
from calamity_lab.lab.lab import Lab
from tests.browser.lab_page import NotebookPage
from tests.browser.lab_widget import LabWidget

# Two branches, rejections, a process manager at work and one that is done, a command in progress and another
# pending, a field that has just changed, and a future.
STORY = """
from calamity_lab import Lab, seeded_ids, ticking_clock
from calamity_lab.examples import bank
lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
lab.send(*bank.story())
lab.resume()
lab.goto(45)
lab.send(bank.DepositFunds("alice", amount=20_00))
lab.resume()
lab.goto(62)
lab
"""
# As it takes to have all of them on the page at once: JupyterLab draws what is in sight only.
HEIGHT = 6000


def single_views() -> list[str]:
    """The names of the single views, as a lab has them."""
    return [
        name
        for name, member in {**vars(Lab), **vars(Displays)}.items()
        if isinstance(member, property)
        and member.fget.__annotations__.get("return") == "ViewWidget"
        and name != "view"
    ]


class Gallery:
    """The composite in the first cell, and each single view in a cell of its own."""

    def __init__(self, page: NotebookPage, *, width: int = 1700) -> None:
        page.resize(width, HEIGHT)
        self.page = page
        self.singles = single_views()
        page.open([STORY, *[f"lab.{name}" for name in self.singles]])
        page.run_all()
        self.lab = LabWidget(page)
        for name in self.singles:
            self.single(name).wait_for()
        self.settle()

    @property
    def tabs(self) -> list[str]:
        """The names of the composite's tabs."""
        return self.lab.root.get_by_role("tab").all_inner_texts()

    @property
    def widgets(self) -> Locator:
        """The roots of all widgets on the page."""
        return self.page.page.locator(".cl-root")

    def single(self, name: str) -> Locator:
        """A single view."""
        return self.page.output(self.singles.index(name) + 1).locator(".cl-root")

    def widen(self, width: int) -> None:
        """Give every widget this width, in CSS pixels."""
        self.page.page.evaluate(
            "width => document.querySelectorAll('.cl-frame').forEach(f => { f.style.width = `${width}px`; })",
            width,
        )
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn, in every widget."""
        self.page.page.wait_for_timeout(60)
        self.page.page.wait_for_function("() => !document.querySelector('.cl-root[data-asked]')")
        self.page.page.wait_for_timeout(60)

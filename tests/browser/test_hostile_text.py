"""Hostile text in a browser: nothing of it becomes markup or runs, and nothing leaves its box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.hostile import MARKUP, hostile_lab

# What is wrong with the texts in a lab: elements that are not ours, and boxes wider than their frame.
FAULTS = """
root => {
  const seen = [...root.querySelectorAll('*')].filter(node => node.getClientRects().length);
  const tell = node => `${node.outerHTML.slice(0, 90)} ${node.scrollWidth} > ${node.clientWidth}`;
  const foreign = seen.filter(node => node.matches('script, img, b, a, iframe, style, foreignObject')
    || [...node.attributes].some(each => each.name.startsWith('on')));
  const scrolls = node => ['auto', 'scroll'].includes(getComputedStyle(node).overflowX);
  const sideways = seen.filter(node => scrolls(node) && node.scrollWidth > node.clientWidth + 1
    && !node.matches('.cl-graph-scroll'));
  const frame = root.getBoundingClientRect();
  const hides = node => getComputedStyle(node).overflowX !== 'visible';
  const cut = node => node !== root && (hides(node) || cut(node.parentElement));
  const outside = seen.filter(node => {
    const box = node.getBoundingClientRect();
    return (box.right > frame.right + 1 || box.left < frame.left - 1) && !cut(node.parentElement);
  });
  const page = document.documentElement;
  return [...[...foreign, ...sideways, ...outside].map(tell),
    ...(page.scrollWidth > innerWidth ? ['the page scrolls sideways'] : []),
    ...('broken' in window ? ['a script of the text ran'] : [])];
}
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which a dialog is a failure."""
    page = browser.page(width=1240, height=1400)
    opened: list[str] = []

    def note(dialog: Any) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    yield page
    browser.close(page)
    assert opened == []


def tabs(root: Locator) -> Iterator[str]:
    """Opens one tab after the other."""
    for name in root.get_by_role("tab").all_inner_texts():
        root.get_by_role("tab", name=name, exact=True).click()
        root.get_by_role("tabpanel", name=name).wait_for()
        yield name


@pytest.mark.parametrize(("width", "theme"), [(1200, "light"), (420, "dark")])
def test_hostile_text_is_text_within_its_box_in_every_tab_of_the_lab(
    page: Page, width: int, theme: str
) -> None:
    bare = BarePage(page, hostile_lab(), width=width, theme=theme)
    for moment in (98, 16, 202):
        bare.lab.goto(moment)
        for name in tabs(bare.root):
            bare.settle()
            assert bare.root.evaluate(FAULTS) == [], (moment, name)
    bare.check()


def test_markup_in_a_field_of_the_form_is_text_and_so_is_what_is_said_of_it(page: Page) -> None:
    bare = BarePage(page, hostile_lab())
    form = bare.root.get_by_role("group", name="Command")
    form.get_by_label("id").fill(MARKUP)
    form.get_by_label("times").fill(MARKUP)
    form.get_by_role("button", name="Send").click()
    bare.settle()
    expect(form.get_by_text("<script>window.broken")).to_be_visible()
    assert bare.root.evaluate(FAULTS) == []
    bare.check()


def test_hostile_text_is_text_within_its_box_in_every_tab_of_a_page(page: Page, tmp_path: Path) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(error.message))
    page.goto(hostile_lab().to_html(tmp_path / "run.html", title=MARKUP).as_uri())
    root = page.locator(".cl-root")
    root.wait_for()
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    for name in tabs(root):
        assert root.evaluate(FAULTS) == [], name
    assert complaints == []

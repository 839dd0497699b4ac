"""The process graph as it is drawn: in the words of Python, each mark with its sign, each name in its box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import fulfilment
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.process_graph import ProcessGraphView, process_graph
from tests.browser.browser import Browser

# Of each node what is written above it, and how it is named to those who do not see it.
NODES = """
graph => Object.fromEntries([...graph.querySelectorAll(".cl-node")].map(node => {
  const word = node.querySelector(".cl-node-word").textContent;
  return [node.getAttribute("aria-label"), [word, node.querySelectorAll(".cl-sign-line").length]];
}))
"""
OUTSIDE = """
graph => [...graph.querySelectorAll(".cl-node")].filter(node => {
  const parts = [".cl-node-shape", ".cl-node-name"].map(part => node.querySelector(part));
  const [box, name] = parts.map(part => part.getBoundingClientRect());
  const isHigh = name.top < box.top - 1 || name.bottom > box.bottom + 1;
  return isHigh || name.left < box.left || name.right > box.right;
}).map(node => node.getAttribute("aria-label"))
"""


@pytest.fixture
def lab() -> Lab:
    lab = Lab(fulfilment, clock=ticking_clock())
    lab.send(*fulfilment.story())
    lab.resume()
    return lab


@pytest.fixture
def root(browser: Browser, lab: Lab, tmp_path: Path) -> Iterator[Locator]:
    page: Page = browser.page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(error.message))
    page.goto(lab.to_html(tmp_path / "run.html").as_uri())
    yield page.locator(".cl-root")
    page.close()
    assert complaints == []


def goto(root: Locator, moment: int) -> None:
    field = root.get_by_label("Go to")
    field.fill(str(moment))
    field.press("Enter")


def opened(root: Locator, tab: str) -> Locator:
    root.get_by_role("tab", name=tab).click()
    return root.get_by_role("tabpanel", name=tab)


def shows(panel: Locator, graph: ProcessGraphView) -> None:
    """Raise an AssertionError where the panel tells anything else than the view."""
    expect(panel.locator(".cl-stage")).to_have_text(graph.story, use_inner_text=False)
    marks = {mark.key: mark for mark in graph.marks}
    expected = {node.name: graph.word(node, marks[node.key]) for node in graph.nodes if node.key in marks}
    found = panel.locator(".cl-graph").evaluate(NODES)
    words = {label.split(": ")[0].rsplit(" ", 1)[1]: note for label, note in found.items()}
    assert {name: word for name, (word, signs) in words.items() if signs} == expected
    assert not panel.locator(".cl-graph").evaluate(OUTSIDE)


def test_the_graph_says_what_python_says_and_follows_what_is_picked_out(lab: Lab, root: Locator) -> None:
    panel = opened(root, "Process graph")
    for moment in (17, 58, 104, 150, 210):
        goto(root, moment)
        shows(panel, process_graph(lab.trace, moment, lab.model))
    goto(root, 150)
    panel.get_by_label("Instance", exact=True).select_option("OrderFulfilment-1002")
    shows(panel, process_graph(lab.trace, 150, lab.model, instance="1002"))
    opened(root, "State").get_by_role("button", name="Replenishment-teapot").first.click()
    panel = opened(root, "Process graph")
    shows(panel, process_graph(lab.trace, 150, lab.model, manager="Replenishment"))
    expect(panel.get_by_label("Instance", exact=True)).to_have_value("Replenishment-teapot")

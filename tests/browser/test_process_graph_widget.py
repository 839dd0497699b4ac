"""The process graph as it is drawn: in the words of Python, each mark with its sign, each name in its box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.process_graph import ProcessGraphView, process_graph
from calamity_lab.widgets.view_widget import ViewWidget
from tests.browser.accessibility import BUT_CONTRAST, axe
from tests.browser.bare_page import BarePage
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
    browser.close(page)
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


def node(bare: BarePage, kind: str, name: str) -> Locator:
    return bare.root.get_by_role("button", name=f"{kind} {name}:")


def test_a_node_takes_a_breakpoint_by_mouse_and_gives_it_back_by_keys(browser: Browser) -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story())
    lab.resume()
    bare = BarePage(browser.page(width=1300, height=1000), lab, width=1200)
    panel, keys, cursor = bare.root.get_by_role("dialog"), bare.page.keyboard, lab.cursor
    bare.tab("Process graph")
    lab.select("Transfer-rent")
    bare.settle()
    instance = bare.root.get_by_label("Instance", exact=True)
    expect(instance).to_have_value("Transfer-rent")

    withdraw = node(bare, "command", "WithdrawFunds")
    withdraw.click()
    bare.settle()
    expect(panel).to_have_accessible_name("WithdrawFunds")
    bare.press("Break here: every WithdrawFunds")
    expect(withdraw).to_have_accessible_name(re.compile("; breakpoint$"))
    expect(bare.root.get_by_role("checkbox", name="breakpoint WithdrawFunds")).to_be_checked()
    expect(instance).to_have_value("Transfer-rent")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    assert axe(bare.page, ".cl-graph-scroll", BUT_CONTRAST) == []

    bare.root.get_by_role("checkbox", name="breakpoint WithdrawFunds").click()
    bare.settle()
    expect(withdraw).to_have_accessible_name(re.compile("; breakpoint, switched off$"))
    bare.root.get_by_role("checkbox", name="breakpoint WithdrawFunds").click()
    bare.settle()
    keys.press("Escape")
    withdraw.focus()
    for key, kind, name in (
        ("ArrowRight", "aggregate", "BankAccount"),
        ("ArrowRight", "event", "FundsWithdrawn"),
        ("ArrowDown", "event", "TransferCancelled"),
        ("ArrowRight", "process manager", "Transfer"),
        ("ArrowRight", "process manager", "Transfer"),
    ):
        keys.press(key)
        expect(node(bare, kind, name)).to_be_focused()
    assert bare.root.locator(".cl-node[tabindex='0']").count() == 1
    keys.press("Space")
    bare.settle()
    expect(panel.get_by_role("heading", level=2, name="Transfer")).to_be_focused()
    panel.get_by_role("button", name="Transfer-gift").click()
    bare.settle()
    expect(panel).to_have_accessible_name("Transfer-gift")
    keys.press("Escape")
    bare.settle()
    expect(node(bare, "process manager", "Transfer")).to_be_focused()

    withdraw.focus()
    keys.press("Enter")
    expect(panel.get_by_role("heading", level=2, name="WithdrawFunds")).to_be_focused()
    bare.settle()
    remove = panel.get_by_role("button", name="Remove the breakpoint on WithdrawFunds")
    for _ in range(5):  # past the other actions
        keys.press("Tab")
        if remove.evaluate("button => button === document.activeElement"):
            break
    expect(remove).to_be_focused()
    keys.press("Enter")
    bare.settle()
    assert len(lab.breakpoints) == 0
    expect(withdraw).not_to_have_accessible_name(re.compile("breakpoint"))
    bare.press("Show in the log")
    expect(panel).to_be_hidden()
    expect(bare.root.get_by_role("tab", name="Log")).to_be_focused()
    expect(bare.root.get_by_label("Search the log")).to_have_value("WithdrawFunds")
    assert lab.cursor == cursor, "to look at a type moves nothing"
    browser.take_back(bare)


def test_the_instance_below_a_process_manager_opens_by_a_press(browser: Browser, lab: Lab) -> None:
    bare = BarePage(browser.page(width=900, height=1000), lab, ViewWidget(lab, "process_graph"), width=800)
    shown = process_graph(lab.trace, lab.cursor, lab.model).found
    assert shown is not None
    bare.root.locator(".cl-node-instance").filter(has_text=shown.id).click()
    bare.settle()
    expect(bare.root.get_by_role("dialog")).to_have_accessible_name(shown.stream_id)
    bare.press(f"Break on {shown.stream_id}")
    assert [point.target.name for point in lab.breakpoints] == [shown.stream_id]
    browser.take_back(bare)


def test_a_page_shows_a_type_whole_and_promises_nothing_that_it_cannot_do(lab: Lab, root: Locator) -> None:
    panel = opened(root, "Process graph")
    graph = process_graph(lab.trace, lab.cursor, lab.model)
    name = next(each.name for each in graph.nodes if each.kind == "command" and each.count)
    panel.get_by_role("button", name=f"command {name}:").click()
    found = root.get_by_role("dialog")
    expect(found).to_have_accessible_name(name)
    expect(found).to_contain_text("on this branch")
    expect(found.get_by_role("group", name="Actions")).to_be_hidden()
    found.get_by_role("group", name="Latest commands").get_by_role("button").last.click()
    expect(found).to_contain_text("command id")

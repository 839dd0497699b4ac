"""The harness itself: a bare widget answers a click, and nothing that a page does wrong stays unseen."""

from __future__ import annotations

import pytest

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.kept_page import Keeper
from tests.browser.lab_page import CellFailed, LabPage, Theme

GREETER = """
import ipywidgets
said = ipywidgets.Label("silence")
greet = ipywidgets.Button(description="Greet")
greet.on_click(lambda _: setattr(said, "value", "hello"))
ipywidgets.VBox([greet, said])
"""
# A page of the server that loads no JupyterLab: the guard stands around any page.
PLAIN = "/static/favicons/favicon.ico"
OPEN = "return [[...app.shell.widgets('main')].length, document.body.dataset.jpThemeLight, innerWidth]"
# What a test may leave on a page, and what takes it away again.
TRACES = {
    "window.left = 1": "delete window.left",
    "localStorage.setItem('left', '')": "localStorage.removeItem('left')",
    "document.body.append(document.createElement('p'))": "document.body.lastChild.remove()",
    "document.body.classList.add('left')": "document.body.classList.remove('left')",
    "app.shell.collapseLeft()": "app.shell.expandLeft()",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_button_in_a_notebook_reaches_python_and_back(lab_page: LabPage, theme: Theme) -> None:
    lab_page.open([GREETER], theme=theme)
    lab_page.run_all()
    output = lab_page.output(0)
    output.get_by_text("silence").wait_for()
    lab_page.button("Greet").click()
    output.get_by_text("hello").wait_for()
    assert lab_page.python("said.value") == "'hello'"
    assert lab_page.page.evaluate("document.body.dataset.jpThemeLight") == str(theme == "light").lower()


def test_a_cell_that_raises_fails_the_run_with_its_traceback(lab_page: LabPage) -> None:
    lab_page.open(["fine = 1", "1 / 0", "never = 2"])
    with pytest.raises(CellFailed, match=r"cell 1:[\s\S]*ZeroDivisionError: division by zero"):
        lab_page.run_all()


def test_a_cell_far_below_the_screen_can_be_looked_at(lab_page: LabPage) -> None:
    lab_page.open([*["print('line\\n' * 40)"] * 20, GREETER])
    lab_page.run_all()
    assert lab_page.cell(-1).get_by_role("button", name="Greet").is_visible()


def test_a_cell_can_be_added_and_run_later(lab_page: LabPage) -> None:
    lab_page.open(["balance = 60"])
    lab_page.run_all()
    index = lab_page.run_cell("balance + 40")
    assert lab_page.output(index).inner_text().strip().endswith("100")


@pytest.mark.parametrize(
    "reach",
    [
        "fetch(url).catch(() => null)",
        "new Image().src = url",
        "document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', href: url}))",
        "new WebSocket(url.replace('http', 'ws'))",
        "new Worker(URL.createObjectURL(new Blob([`fetch('${url}')`])))",
    ],
    ids=["fetch", "image", "stylesheet", "websocket", "worker"],
)
def test_the_guard_sees_a_request_to_another_machine(
    browser: Browser, jupyter_server: JupyterServer, reach: str
) -> None:
    # A page of its own, since the guard of the fixture would rightly fail this test.
    page = browser.lab_page(jupyter_server)
    page.page.goto(jupyter_server.address(PLAIN))
    page.check()
    page.page.evaluate(f"url => {{ {reach} }}", "http://calamity.invalid/asked")
    for _ in range(100):
        if not page.guard.outside:
            page.page.wait_for_timeout(50)
    with pytest.raises(AssertionError, match=r"another machine for: \w+://calamity\.invalid/asked"):
        page.check()
    page.close()


def test_the_guard_sees_an_error_that_nobody_catches(browser: Browser, jupyter_server: JupyterServer) -> None:
    page = browser.lab_page(jupyter_server)
    page.page.goto(jupyter_server.address(PLAIN))
    page.page.evaluate("setTimeout(() => { throw new Error('lost') })")
    with pytest.raises(AssertionError, match="lost"):
        page.check()
    page.close()


def test_a_page_is_handed_on_as_it_was_loaded_with_a_kernel_and_a_guard_of_its_own(keeper: Keeper) -> None:
    first = keeper.take()
    first.resize(640)
    first.open(["kept = 1"], theme="dark")
    first.run_all()
    keeper.give_back(first)
    second = keeper.take()
    assert second.page is first.page
    second.open(["fresh = 1"])
    second.run_all()
    assert second.python("'kept' in globals()") == "False"
    assert second.script(OPEN) == [1, "true", 1200]
    second.script("setTimeout(() => { throw new Error('lost') })")
    with pytest.raises(AssertionError, match="lost"):
        second.check()
    first.check()
    second.guard.errors.clear()
    keeper.give_back(second)


def test_a_page_on_which_something_was_left_is_not_handed_on(keeper: Keeper) -> None:
    page = keeper.take()
    page.open([])
    for leave, undo in TRACES.items():
        page.script(leave)
        assert not page.leave(), leave
        page.script(undo)
    keeper.give_back(page)
    again = keeper.take()
    assert again.page is page.page, "all was undone"
    keeper.give_back(again)


def test_a_page_of_a_test_that_failed_is_not_handed_on(
    browser: Browser, jupyter_server: JupyterServer
) -> None:
    keeper = Keeper(browser, jupyter_server)
    page = keeper.take()
    page.spoiled = True
    keeper.give_back(page)
    assert page.page.is_closed()
    other = keeper.take()
    assert other.page is not page.page
    keeper.give_back(other)

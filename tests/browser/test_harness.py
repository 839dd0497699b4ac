"""The harness itself: a bare widget answers a click, and nothing that a page does wrong stays unseen."""

from __future__ import annotations

import pytest

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import CellFailed, LabPage, Theme

GREETER = """
import ipywidgets
said = ipywidgets.Label("silence")
greet = ipywidgets.Button(description="Greet")
greet.on_click(lambda _: setattr(said, "value", "hello"))
ipywidgets.VBox([greet, said])
"""


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
    page.page.goto(jupyter_server.address("/lab"), wait_until="domcontentloaded")
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
    page.page.goto(jupyter_server.address("/lab"), wait_until="domcontentloaded")
    page.page.evaluate("setTimeout(() => { throw new Error('lost') })")
    with pytest.raises(AssertionError, match="lost"):
        page.check()
    page.close()

"""One server and one browser for all browser tests; each test gets a page of its own, guarded."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import LabPage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A JupyterLab on a copy of the tutorials."""
    with JupyterServer(tmp_path_factory.mktemp("jupyter"), ROOT / "notebooks") as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with Browser() as started:
        yield started


@pytest.fixture
def lab_page(jupyter_server: JupyterServer, browser: Browser) -> Iterator[LabPage]:
    """An empty page, 1200 by 900, for one test; open a notebook in it."""
    page = browser.lab_page(jupyter_server)
    yield page
    page.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test fails when its page asked another machine for anything, or raised an error nobody caught."""
    result = yield
    page = pyfuncitem.funcargs.get("lab_page")
    if isinstance(page, LabPage):
        page.check()
    return result

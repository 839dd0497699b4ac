"""One server, one browser and one page for all browser tests; each test meets it as loaded, and guarded."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.kept_page import Keeper, KeptLabPage
from tests.browser.kernel_fork import KernelFork
from tests.browser.lab_page import LabPage
from tests.browser.notebook_run import NotebookRun
from tests.browser.plain_page import PlainPage

ROOT = Path(__file__).resolve().parents[2]

# Long enough for a machine on which others work, too. Nobody waits longer than what is waited for takes.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def kernel_fork() -> Iterator[KernelFork]:
    """The process that forks the kernels."""
    with KernelFork() as fork:
        yield fork


@pytest.fixture(scope="session")
def jupyter_server(
    tmp_path_factory: pytest.TempPathFactory, kernel_fork: KernelFork
) -> Iterator[JupyterServer]:
    """A JupyterLab on a copy of the tutorials."""
    folder = tmp_path_factory.mktemp("jupyter")
    with JupyterServer(folder, ROOT / "notebooks", fork=kernel_fork) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with Browser() as started:
        yield started


@pytest.fixture(scope="session")
def keeper(jupyter_server: JupyterServer, browser: Browser) -> Iterator[Keeper]:
    """Who hands the page on."""
    keeper = Keeper(browser, jupyter_server)
    yield keeper
    keeper.close()


@pytest.fixture
def lab_page(keeper: Keeper) -> Iterator[LabPage]:
    """A page, 1200 by 900, for one test; open a notebook in it. A second one loads JupyterLab anew."""
    page = keeper.take()
    yield page
    keeper.give_back(page)


@pytest.fixture
def plain_page(browser: Browser, kernel_fork: KernelFork, tmp_path: Path) -> Iterator[PlainPage]:
    """A page without JupyterLab, 1200 by 900, for one test; open a notebook in it, which has a kernel."""
    with NotebookRun(kernel_fork, tmp_path) as run:
        page = PlainPage(browser.page(), run)
        yield page
        browser.take_back(page)


@pytest.fixture
def bare(browser: Browser) -> Iterator[BarePage]:
    """The bank's story before its first step, without a notebook, for one test."""
    lab = Lab(bank)
    lab.send(*bank.story())
    bare = BarePage(browser.page(), lab)
    yield bare
    browser.take_back(bare)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test fails when its page asked another machine for anything, or raised an error nobody caught."""
    page = pyfuncitem.funcargs.get("lab_page")
    if not isinstance(page, KeptLabPage):
        return (yield)
    # Until the test has passed.
    page.spoiled = True
    result = yield
    page.check()
    page.spoiled = False
    return result

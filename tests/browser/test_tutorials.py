"""A reader runs a tutorial, sees what is committed, and steps through it with the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from scripts import execute_notebooks as tutorials
from tests.browser.browser import Browser
from tests.browser.kernel_fork import KernelFork
from tests.browser.lab_page import LabPage, NotebookPage
from tests.browser.notebook_run import NotebookRun
from tests.browser.plain_page import PlainPage

LABS = {"03-a-history-as-data": "day", "08-a-real-history": "what_if"}
"""Variables whose lab is shown in a cell, where it is not `lab`."""

WITHOUT_A_LAB = {"07-a-real-store", "09-actors", "10-a-cluster"}
"""Nothing to step through: databases, threads and processes."""

PRESSES = 5

PATHS = tutorials.tutorials()
WITH_A_LAB = [path for path in PATHS if path.stem not in WITHOUT_A_LAB]
IN_JUPYTERLAB = "02-a-transfer"


@dataclass(frozen=True)
class Tutorial:
    """A tutorial that has been run: its file, what its cells showed at the end, and its kernel."""

    path: Path
    ran: Any
    run: NotebookRun


@pytest.fixture(scope="module")
def tutorial(
    request: pytest.FixtureRequest, kernel_fork: KernelFork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tutorial]:
    """One run for all tests of a tutorial, as `make notebooks` runs it."""
    notebook, folder = tutorials.read(request.param), tmp_path_factory.mktemp("tutorial")
    settings = tutorials.settings(folder / "home")
    (folder / "here").mkdir()
    words = [tutorials.INLINE]
    with NotebookRun(kernel_fork, folder / "here", words, names_cells=False, **settings) as run:
        run.load(notebook.cells)
        run.run_all()
        yield Tutorial(request.param, deepcopy(notebook), run)


def each(paths: list[Path]) -> pytest.MarkDecorator:
    """A test for each of these tutorials."""
    return pytest.mark.parametrize(
        "tutorial", paths, indirect=True, scope="module", ids=lambda path: path.stem
    )


class ShownLab:
    """A lab in a cell's output, used as a reader does: by the names of its buttons."""

    def __init__(self, output: Locator) -> None:
        self.slider = output.get_by_role("slider", name="Moment", exact=True)
        self.state = output.get_by_role("tabpanel")
        self._output = output

    def button(self, name: str) -> Locator:
        return self._output.get_by_role("button", name=name, exact=True)

    def press(self, name: str, *, times: int = 1) -> None:
        """Click, and wait until another moment is shown."""
        slider, button = self.slider.element_handle(), self.button(name)
        for _ in range(times):
            before = slider.input_value()
            button.click()
            # expect() would look again after a tenth of a second, then ever more rarely.
            button.page.wait_for_function(
                "([slider, before]) => slider.value !== before", arg=[slider, before]
            )

    def press_to_the_end(self, name: str) -> None:
        """As a reader does: some presses, and of a long story the rest at once."""
        for _ in range(PRESSES):
            if self.is_at_the_end(name):
                return
            self.press(name)
        if not self.is_at_the_end(name):
            self.press("Resume")

    def is_at_the_end(self, name: str) -> bool:
        return self.button(name).get_attribute("aria-disabled") == "true"


def shown_lab(page: NotebookPage, path: Path, variable: str) -> ShownLab:
    """The lab of the first cell that ends with this variable."""
    last_lines = [cell.source.rpartition("\n")[2] for cell in tutorials.read(path).cells]
    shown = ShownLab(page.output(last_lines.index(variable)))
    expect(shown.slider).to_be_visible()
    return shown


@each(PATHS)
def test_running_a_tutorial_again_changes_nothing_and_gives_every_widget_a_still_picture(
    tutorial: Tutorial,
) -> None:
    committed, ran = tutorials.read(tutorial.path), tutorial.ran
    assert tutorials.difference(committed, tutorials.settled(ran, committed)) is None
    widgets = 0
    for number, cell in enumerate(ran.cells):
        shown = [output.get("data", {}) for output in cell.get("outputs", ())]
        live = sum(tutorials.WIDGET in data for data in shown)
        stills = sum(len(tutorials.TOKEN.findall(data.get("text/html", ""))) for data in shown)
        assert live == stills, f"cell {number} shows {live} widgets and {stills} still pictures"
        widgets += live
    assert len(tutorials.TOKEN.findall(tutorials.written(committed).replace('\\"', '"'))) == widgets


@each(WITH_A_LAB)
def test_forward_to_the_end_back_to_the_start_and_forward_again_shows_the_same_state(
    browser: Browser, tutorial: Tutorial
) -> None:
    page = PlainPage(browser.page(), tutorial.run)
    steps_there_and_back(page, tutorial.path)
    browser.take_back(page)


def test_in_jupyterlab_forward_back_and_forward_again_shows_the_same_state(lab_page: LabPage) -> None:
    (path,) = [path for path in PATHS if path.stem == IN_JUPYTERLAB]
    lab_page.open(path.name)
    lab_page.run_all()
    steps_there_and_back(lab_page, path)


def steps_there_and_back(page: NotebookPage, path: Path) -> None:
    """Press through a tutorial's lab; raise an AssertionError where the same moment shows another state."""
    variable = LABS.get(path.stem, "lab")
    lab = shown_lab(page, path, variable)

    lab.press("Rewind")
    at_the_start = lab.state.inner_text()
    lab.press_to_the_end("Step over")
    at_the_end, states = lab.state.inner_text(), page.python(f"dict({variable}.aggregates)")
    assert lab.slider.input_value() == page.python(f"{variable}.trace.last")
    assert at_the_end != at_the_start

    lab.press("Step back", times=3)
    lab.press("Rewind")
    assert lab.state.inner_text() == at_the_start
    assert page.python(f"{variable}.aggregates == {variable}.trace[0].stack.aggregates") == "True"

    lab.press("Step in", times=3)
    lab.press("Resume")
    assert lab.state.inner_text() == at_the_end
    assert page.python(f"dict({variable}.aggregates)") == states


def test_the_first_command_of_tutorial_1_is_stepped_with_one_click_after_one_page_of_reading(
    lab_page: LabPage,
) -> None:
    (path,) = [path for path in PATHS if path.stem.startswith("01-")]
    cells = tutorials.read(path).cells
    shows = next(n for n, cell in enumerate(cells) if cell.source.rpartition("\n")[2] == "lab")
    read = [cell.source for cell in cells[: shows + 1] if cell.cell_type == "markdown"]
    assert sum(len(text.split()) for text in read) < 250
    lab_page.open(path.name)
    lab_page.cell(0).click()
    for _ in range(shows + 1):
        lab_page.page.keyboard.press("Shift+Enter")
    lab = ShownLab(lab_page.output(shows))
    expect(lab.slider).to_be_visible()
    lab.press("Step over")  # the one click in the lab
    expect(lab_page.output(shows).get_by_role("status").first).to_contain_text("DepositFunds accepted")
    assert lab_page.python("lab.aggregates['Account-alice'].balance") == "100"

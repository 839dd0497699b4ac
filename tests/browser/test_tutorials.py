"""A reader runs a tutorial in JupyterLab and steps through it with the mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from scripts import execute_notebooks as tutorials
from tests.browser.lab_page import LabPage

LABS = {"03-a-history-as-data": "day", "08-a-real-history": "what_if"}
"""Variables whose lab is shown in a cell, where it is not `lab`."""

WITHOUT_A_LAB = {"07-a-real-store", "09-actors", "10-a-cluster"}
"""Nothing to step through: databases, threads and processes. tests/notebooks runs them."""

PRESSES = 5

PATHS = [path for path in tutorials.tutorials() if path.stem not in WITHOUT_A_LAB]


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


def shown_lab(lab_page: LabPage, path: Path, variable: str) -> ShownLab:
    """The lab of the first cell that ends with this variable."""
    last_lines = [cell.source.rpartition("\n")[2] for cell in tutorials.read(path).cells]
    shown = ShownLab(lab_page.output(last_lines.index(variable)))
    expect(shown.slider).to_be_visible()
    return shown


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_forward_to_the_end_back_to_the_start_and_forward_again_shows_the_same_state(
    lab_page: LabPage, path: Path
) -> None:
    variable = LABS.get(path.stem, "lab")
    lab_page.open(path.name)
    lab_page.run_all()
    lab = shown_lab(lab_page, path, variable)

    lab.press("Rewind")
    at_the_start = lab.state.inner_text()
    lab.press_to_the_end("Step over")
    at_the_end, states = lab.state.inner_text(), lab_page.python(f"dict({variable}.aggregates)")
    assert lab.slider.input_value() == lab_page.python(f"{variable}.trace.last")
    assert at_the_end != at_the_start

    lab.press("Step back", times=3)
    lab.press("Rewind")
    assert lab.state.inner_text() == at_the_start
    assert lab_page.python(f"{variable}.aggregates == {variable}.trace[0].stack.aggregates") == "True"

    lab.press("Step in", times=3)
    lab.press("Resume")
    assert lab.state.inner_text() == at_the_end
    assert lab_page.python(f"dict({variable}.aggregates)") == states


def test_the_first_command_of_tutorial_1_is_stepped_with_one_click_after_one_page_of_reading(
    lab_page: LabPage,
) -> None:
    (path,) = [each for each in PATHS if each.stem.startswith("01-")]
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

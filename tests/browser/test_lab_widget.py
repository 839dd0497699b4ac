"""The composite in a real JupyterLab: moved by a cell, in its stylesheet, opened again with its kernel."""

from __future__ import annotations

import pytest

from tests.browser.lab_page import CellFailed, LabPage, NotebookPage
from tests.browser.lab_widget import BANK, LabWidget
from tests.browser.plain_page import PlainPage


def opened(page: NotebookPage, *cells: str) -> LabWidget:
    page.open([BANK, *cells])
    page.run_all()
    return LabWidget(page)


def test_a_lab_moved_from_python_shows_where_it_is(plain_page: PlainPage) -> None:
    widget = opened(plain_page)
    plain_page.run_cell("for _ in range(200):\n    lab.step_in() if not lab.stepper.at_end else None")
    widget.settle()
    assert widget.moment > 60
    assert "BankAccount-bob" in widget.state()


def test_nothing_is_cut_off_at_900_pixels(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()\nlab.goto(40)")
    widget.settle()
    widget.root.evaluate("root => { root.parentElement.style.width = '900px'; }")
    lab_page.page.wait_for_timeout(300)
    sticking_out = widget.root.evaluate(
        """root => { const right = root.getBoundingClientRect().right + 0.5;
          return [...root.querySelectorAll('button, input, select, h2, .cl-card, [role=tab]')]
            .filter(node => node.checkVisibility() && node.getBoundingClientRect().right > right)
            .map(node => node.outerHTML.slice(0, 80)); }"""
    )
    assert sticking_out == []
    assert widget.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    too_small = widget.root.evaluate(
        """root => [...root.querySelectorAll('button, select, input:not([type=checkbox])')]
            .filter(node => node.checkVisibility())
            .map(node => [node, node.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || box.width < 24)
            .map(([node]) => node.outerHTML.slice(0, 80))"""
    )
    assert too_small == []


PLOTS = """
[...document.querySelectorAll('.cl-timeline')].map(pane => {
  const rows = pane.querySelector('.cl-scroll'), plot = pane.querySelector('.cl-plot');
  const labels = pane.querySelector('.cl-lane-labels');
  return [plot.getBoundingClientRect().width, rows.clientWidth - labels.offsetWidth];
})
"""


SHOW = "shown => { document.querySelector('main').style.display = shown ? '' : 'none'; }"


def test_a_timeline_whose_events_came_before_it_could_be_seen_is_as_wide_as_its_place(
    plain_page: PlainPage,
) -> None:
    plain_page.resize(1900, 2000)
    plain_page.open([BANK])
    plain_page.run_all()
    LabWidget(plain_page).press("Resume")
    # As when a notebook is opened again with its kernel: Python knows already what the page will ask for.
    plain_page.page.evaluate(SHOW, False)
    plain_page.run_cell("lab")
    plain_page.page.wait_for_timeout(500)
    plain_page.page.evaluate(SHOW, True)
    LabWidget(plain_page, 1).settle()
    plain_page.page.wait_for_timeout(300)
    plots = plain_page.page.evaluate(PLOTS)
    assert len(plots) == 2
    assert all(plot == place > 500 for plot, place in plots), plots


def test_a_notebook_opened_again_with_its_kernel_shows_the_timeline_as_wide_as_its_place(
    lab_page: LabPage,
) -> None:
    lab_page.resize(1900, 2000)
    lab_page.open([BANK])
    lab_page.run_all()
    LabWidget(lab_page).press("Resume")
    path = lab_page.page.evaluate(
        "async () => { const shown = window.jupyterapp.shell.currentWidget.context;"
        " await shown.save(); return shown.path; }"
    )
    lab_page.open(path)
    reopened = LabWidget(lab_page)
    reopened.settle()
    assert reopened.moment > 60, "the kernel lives on"
    lab_page.page.wait_for_timeout(300)
    assert all(plot == place > 500 for plot, place in lab_page.page.evaluate(PLOTS))


def test_a_model_that_raises_names_its_cell_and_line_at_the_foot_and_below_the_cell(
    plain_page: PlainPage,
) -> None:
    broken = "def execute(self, command):\n    return {}['x']\nbank.BankAccount.execute = execute"
    plain_page.open([BANK, broken])
    plain_page.run_all()
    widget = LabWidget(plain_page)
    widget.press("Step over")
    widget.settle()
    assert "BankAccount.execute raised KeyError: 'x' in cell In [2], line 2, for " in widget.fact
    with pytest.raises(CellFailed) as failed:
        plain_page.run_cell("lab.step()")
    shown = str(failed.value).splitlines()[1:]
    assert shown[:4] == [
        "Cell In [3], line 1",
        "----> lab.step()",
        "Cell In [2], line 2, in execute",
        "----> return {}['x']",
    ]
    assert len(shown) < 12

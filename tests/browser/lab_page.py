"""JupyterLab as a person at the screen has it: an open notebook, its cells and the widgets in them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from playwright.sync_api import Locator, Page

from tests.browser.jupyter import JupyterServer

Theme = Literal["light", "dark"]
THEMES: dict[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

# Functions that each script below may use: the notebook in front, be the focus there or in a panel beside it,
# and waiting with an end to it.
PRELUDE = """
const app = window.jupyterapp;
const panel = () => [app.shell.currentWidget, ...app.shell.widgets('main')].find((each) => each?.context);
const until = async (what, probe) => {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`timed out after ${timeout} ms waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const within = (what, promise) => Promise.race([promise, new Promise((_, reject) =>
  setTimeout(() => reject(new Error(`timed out after ${timeout} ms waiting for ${what}`)), timeout))]);
const kernel = () => panel()?.sessionContext?.session?.kernel;
"""
CONNECT = """
await until('the notebook to open', () => panel()?.context?.isReady && panel().context.path === given);
await panel().context.ready;
await within('the kernel to be ready', panel().sessionContext.ready);
await until('the kernel to connect', () => kernel()?.connectionStatus === 'connected');
await until('the kernel to be idle', () => kernel().status === 'idle');
"""
RUN_ALL = """
await within('all cells to run', app.commands.execute('notebook:run-all-cells'));
await until('the kernel to be idle', () => kernel().status === 'idle');
"""
# What is wrong with the cells that ran: the first error among the outputs, or a cell that did not run.
FAULTS = """
const faults = [];
panel().content.widgets.forEach((cell, index) => {
  if (cell.model.type !== 'code' || !cell.model.sharedModel.getSource().trim()) return;
  const outputs = cell.model.outputs.toJSON();
  for (const output of outputs) {
    if (output.output_type === 'error') faults.push({index, text: output.traceback.join('\\n')});
  }
  if (cell.model.executionCount === null && !faults.length) {
    faults.push({index, text: 'the cell was not run'});
  }
});
return faults;
"""
RUN_CELL = """
const notebook = panel().content;
const index = notebook.model.cells.length;
notebook.model.sharedModel.insertCell(index, {cell_type: 'code', source: given, metadata: {}});
notebook.activeCellIndex = index;
await within('the cell to run', app.commands.execute('notebook:run-cell'));
await until('the kernel to be idle', () => kernel().status === 'idle');
return index;
"""
PYTHON = """
const future = kernel().requestExecute({
  code: '', silent: false, store_history: false, user_expressions: {value: given}});
const reply = await within('the kernel to answer', future.done);
return reply.content.user_expressions.value;
"""
THEME = """
await app.commands.execute('apputils:change-theme', {theme: given});
await until('the theme to change', () => document.body.dataset.jpThemeName === given);
"""


class CellFailed(AssertionError):
    """A cell of the notebook raised an error, or never ran; the message is its traceback."""


class Watched(Protocol):
    """What tells whether the page behaved."""

    outside: list[str]
    errors: list[str]

    def check(self) -> None: ...

    def rest(self) -> None: ...


class NotebookPage(ABC):
    """One browser page with one notebook open, in whatever shows it.

    ``page`` is playwright's own, for everything that has no word here.
    """

    def __init__(self, page: Page, guard: Watched) -> None:
        self.page = page
        self.guard = guard

    @abstractmethod
    def open(self, notebook: Sequence[str], *, theme: Theme = "light") -> None:
        """Open a notebook, given by its code cells, in this theme."""

    @abstractmethod
    def run_all(self) -> None:
        """Run every cell and wait until all are done; CellFailed carries the traceback of one that is not."""

    @abstractmethod
    def run_cell(self, source: str) -> int:
        """Add a cell at the end, run it and wait for it; its index."""

    @abstractmethod
    def python(self, expression: str) -> str:
        """The `repr` of a Python expression in the notebook's kernel, asked beside the cells."""

    @abstractmethod
    def theme(self, theme: Theme) -> None:
        """Change the theme and wait until it shows."""

    @abstractmethod
    def cell(self, index: int) -> Locator:
        """The cell at this index (-1 is the last), so that it is drawn."""

    def output(self, index: int) -> Locator:
        """What the cell at this index shows below its source."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def widget(self, role: Any, name: str | None = None, *, cell: int | None = None) -> Locator:
        """What has this role and exactly this accessible name in the outputs, not in JupyterLab's bars."""
        within = self.page.locator(".jp-Cell-outputArea") if cell is None else self.output(cell)
        return within.get_by_role(role, name=name, exact=True) if name else within.get_by_role(role)

    def button(self, name: str, *, cell: int | None = None) -> Locator:
        """The button with this name in the outputs."""
        return self.widget("button", name, cell=cell)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size, in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def screenshot(self, path: Path | str, *, of: Locator | None = None) -> None:
        """Save a picture (PNG) of the window, or of one thing on it."""
        if of is None:
            self.page.screenshot(path=path)
        else:
            of.screenshot(path=path)

    def check(self) -> None:
        """Raise an AssertionError if the page asked another machine for anything, or raised an error."""
        # One round trip, after which the page has reported everything before.
        self.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 0))")
        self.guard.check()


class LabPage(NotebookPage):
    """One browser page with one notebook open in JupyterLab."""

    def __init__(self, page: Page, server: JupyterServer, guard: Watched) -> None:
        super().__init__(page, guard)
        self.server = server
        self.opened: list[str] = []

    def open(self, notebook: str | Sequence[str], *, theme: Theme = "light") -> None:
        """Open a notebook, given as its path on the server or as its cells, and wait for its kernel."""
        path = notebook if isinstance(notebook, str) else self.server.write_notebook(notebook)
        self.opened.append(path)
        self.reach(path)
        self.script(CONNECT, path)
        self.theme(theme)

    def reach(self, path: str) -> None:
        """Load the server's page with this notebook."""
        self.page.goto(self.server.address(self.server.place(path)), wait_until="domcontentloaded")
        self.page.wait_for_function("() => window.jupyterapp?.shell !== undefined", timeout=60_000)
        self.page.evaluate("async () => { await window.jupyterapp.restored; }")

    def run_all(self, *, timeout: float = 120.0) -> None:
        self.script(RUN_ALL, timeout=timeout)
        self._raise_faults()

    def run_cell(self, source: str, *, timeout: float = 60.0) -> int:
        index = int(self.script(RUN_CELL, source, timeout=timeout))
        self._raise_faults()
        return index

    def python(self, expression: str, *, timeout: float = 60.0) -> str:
        answer = self.script(PYTHON, expression, timeout=timeout)
        if answer["status"] != "ok":
            raise CellFailed(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return str(answer["data"]["text/plain"])

    def theme(self, theme: Theme) -> None:
        self.script(THEME, THEMES[theme])

    def cell(self, index: int) -> Locator:
        """The cell, scrolled into sight: JupyterLab draws what is near."""
        shown = self.script(
            "const all = panel().content.widgets; const index = given < 0 ? all.length + given : given;"
            "await panel().content.scrollToItem(index, 'smart'); return index;",
            index,
        )
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{shown}"]')

    def close(self) -> None:
        """Close the page and end its kernels."""
        self.page.close()
        self.server.end_kernels(self.opened)

    def _raise_faults(self) -> None:
        for fault in self.script(FAULTS):
            raise CellFailed(f"cell {fault['index']}:\n{ESCAPES.sub('', fault['text'])}")

    def script(self, body: str, given: Any = None, *, timeout: float = 60.0) -> Any:
        """Run a script with `PRELUDE`'s functions in the page; what it returns."""
        script = f"async ([given, timeout]) => {{ {PRELUDE} {body} }}"
        return self.page.evaluate(script, [given, int(timeout * 1000)])

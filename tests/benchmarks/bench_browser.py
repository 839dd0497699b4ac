"""A step by button in a real JupyterLab, against a bare ipywidgets button on the same page."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Locator

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import LabPage

CLICKS = 21
WARM_UP = 5
CELLS = (
    """
import ipywidgets
from itertools import count
clicks = count(1)
said = ipywidgets.Label("0")
bare = ipywidgets.Button(description="Bare")
bare.on_click(lambda _: setattr(said, "value", str(next(clicks))))
ipywidgets.VBox([bare, said])
""",
    """
from calamity_lab import Lab
from calamity_lab.examples import bank

def lab_at(moments):
    lab = Lab(bank)
    lab.send(*bank.random_commands(moments + 200, accounts=50))
    while lab.cursor < moments:
        lab.step_in()
    return lab

short = lab_at(10)
short
""",
    "long = lab_at(10_000)\nlong",
)
# From the click to the first change in what is watched; no frame is waited for, since hidden tabs have none.
TIMED = """
async (button, selector) => {
  const watched = button.closest('.jp-Cell-outputArea').querySelector(selector);
  return await new Promise((resolve, reject) => {
    const begun = performance.now();
    const observer = new MutationObserver(() => {
      observer.disconnect();
      resolve(performance.now() - begun);
    });
    observer.observe(watched, {childList: true, characterData: true, subtree: true});
    setTimeout(() => reject(new Error('nothing changed within 10 s')), 10000);
    button.click();
  });
}
"""


def run() -> list[str]:
    """Click-to-change times as lines: each median, and how it compares with the bare button's."""
    with JupyterServer(Path(tempfile.mkdtemp())) as server, Browser() as browser:
        page = browser.lab_page(server, width=1400, height=2400)
        page.open(CELLS)
        page.run_all()
        faces = {
            "bare button and label": (page.button("Bare", cell=0), ".widget-label"),
            "step over at 10 moments": (page.button("Step over", cell=1), "[role=status]"),
            "step over at 10,000 moments": (page.button("Step over", cell=2), "[role=status]"),
        }
        times = _times(page, faces)
        page.close()
    return _told(times)


def _times(page: LabPage, faces: dict[str, tuple[Locator, str]]) -> dict[str, list[float]]:
    """The times of each face, taken in turns, so that what the machine does meanwhile hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in faces}
    for _ in range(WARM_UP + CLICKS):
        for name, (button, watched) in faces.items():
            times[name].append(float(button.evaluate(TIMED, watched)))
            page.page.wait_for_timeout(40)
    return {name: taken[WARM_UP:] for name, taken in times.items()}


def _told(times: dict[str, list[float]]) -> list[str]:
    bare, few, many = (median(taken) for taken in times.values())
    lines = [f"{name}: {median(taken):.1f} ms (of {len(taken)} clicks)" for name, taken in times.items()]
    return [
        *lines,
        f"a step at 10 moments takes {few / bare:.2f} times a bare button's change (aim: at most 1.5)",
        f"a step at 10,000 moments takes {many / bare:.2f} times a bare button's change (aim: at most 1.5)",
        f"10,000 moments against 10: {many / few:.2f} times (aim: no growth)",
    ]


if __name__ == "__main__":
    print("\n".join(run()))

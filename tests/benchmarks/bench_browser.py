"""The lab in a real JupyterLab: a step, a drag and the first sight, at 10 moments and at 100,000.

A step by button is measured against a bare ipywidgets button that stands above the lab, both in sight and
clicked in turns, each to the frame in which it is painted; a drag of the scrubber from the input to the frame
in which the lanes are; the first sight from the cell's start to the lanes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import WebSocket

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import LabPage

CLICKS = 21
WARM_UP = 5
PAUSE = 60  # ms between two clicks
DRAGS = 60
SIZES = (10, 10_000, 100_000)
EVENTS = 100_000

BARE = """
import ipywidgets
from itertools import count

def bare():
    clicks = count(1)
    said = ipywidgets.Label("0")
    button = ipywidgets.Button(description="Bare")
    button.on_click(lambda _: setattr(said, "value", str(next(clicks))))
    return ipywidgets.VBox([button, said])
"""
LABS = """
from calamity_lab import Lab
from calamity_lab.examples import bank

def lab_at(moments):
    lab = Lab(bank, checked=False)
    lab.send(*bank.random_commands(moments + 200, accounts=50))
    lab.resume(limit=moments)
    return lab
"""
HISTORY = f"""
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.stack import Stack

def history(events, lanes):
    store = InMemoryEventStore()
    for lane in range(lanes):
        amounts = [bank.FundsDeposited(f"A{{lane:04}}", n) for n in range(1, events // lanes)]
        created = bank.AccountCreated(f"A{{lane:04}}", "Ada")
        store = store.append(f"BankAccount-A{{lane:04}}", [created, *amounts])
    return Stack(event_store=store)

stack = history({EVENTS}, 1_000)
"""
# From the click to the frame in which the first change in what is watched is painted.
STEP = """
async (button, selector) => {
  const watched = button.closest('.jp-Cell-outputArea').querySelector(selector);
  return await new Promise((resolve, reject) => {
    const begun = performance.now();
    const observer = new MutationObserver(() => {
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
    });
    observer.observe(watched, {childList: true, characterData: true, subtree: true});
    setTimeout(() => reject(new Error('nothing changed within 10 s')), 10000);
    button.click();
  });
}
"""
# From each input to the frame after it, in which the lanes are painted; and to where Python has answered all.
DRAG = """
async (slider, drags) => {
  const root = slider.closest('.cl-root');
  const frame = () => new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
  });
  const lanes = [];
  let begun = 0;
  for (let n = 1; n <= drags; n += 1) {
    await frame();
    begun = performance.now();
    slider.value = String(Math.round((slider.max * n) / (drags + 1)));
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    lanes.push((await frame()) - begun);
  }
  slider.dispatchEvent(new Event('change', {bubbles: true}));
  while ('asked' in root.dataset) await new Promise((resolve) => setTimeout(resolve, 1));
  return {lanes, rest: performance.now() - begun};
}
"""


class Wire:
    """How much the server has sent to the page."""

    def __init__(self, page: LabPage) -> None:
        self.bytes = 0
        page.page.on("websocket", self._connected)

    def _connected(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._received)

    def _received(self, payload: str | bytes) -> None:
        self.bytes += len(payload)

    def since(self, before: int) -> str:
        return f"{(self.bytes - before) / 1000:,.0f} kB"


def run() -> list[str]:
    """Times as lines, each with what it is measured against or what is aimed at."""
    with JupyterServer(Path(tempfile.mkdtemp())) as server, Browser() as browser:
        lines, took = [], []
        for size in SIZES:
            page = browser.lab_page(server, width=1400, height=1200)
            page.open([BARE, LABS, "bare()", f"lab = lab_at({size})\nlab"])
            page.run_all()
            bare, step = _times(page)
            took.append(step)
            lines.append(
                f"a step over at {size:,} moments: {step:.1f} ms, {step / bare:.2f} times the bare button's "
                f"{bare:.1f} ms (aim: at most 1.5)"
            )
            if size == SIZES[-1]:
                lines.append(f"{size:,} moments against {SIZES[0]}: {step / took[0]:.2f} times (aim: flat)")
                lines += _drag(page)
            page.close()
        page = browser.lab_page(server, width=1400, height=3200)
        wire = Wire(page)
        page.open([LABS, HISTORY])
        page.run_all()
        lines += _first_sight(page, wire)
        page.close()
    return lines


def _times(page: LabPage) -> tuple[float, float]:
    """How long a bare button and a step take, clicked in turns: what the machine does meanwhile hits both."""
    bare, step = page.button("Bare", cell=2), page.button("Step over", cell=3)
    bare.evaluate("(button) => button.closest('.jp-Cell').scrollIntoView({block: 'start'})")
    times: list[tuple[float, float]] = []
    for _ in range(WARM_UP + CLICKS):
        pair = []
        for button, watched in ((bare, ".widget-label"), (step, "[role=status]")):
            pair.append(float(button.evaluate(STEP, watched)))
            page.page.wait_for_timeout(PAUSE)
        times.append((pair[0], pair[1]))
    kept = times[WARM_UP:]
    return median(bare for bare, _ in kept), median(step for _, step in kept)


def _drag(page: LabPage) -> list[str]:
    cell = 3
    page.resize(1400, 1000)  # as much as a person has in sight: every frame paints all of it
    slider = page.widget("slider", "Moment", cell=cell)
    lines = []
    for what in ("as it opens", "the whole run"):
        if what == "the whole run":
            page.button("Show the whole run", cell=cell).click()
        took = slider.evaluate(DRAG, DRAGS)
        lines.append(
            f"a drag over {SIZES[-1]:,} moments, {what}: lanes painted after {_spread(took['lanes'])} "
            f"(aim: 33 ms each), all else {took['rest']:.0f} ms after the last input"
        )
    return lines


def _spread(times: Sequence[float]) -> str:
    ordered = sorted(times)
    return f"{median(ordered):.1f} ms, 95 of 100 within {ordered[int(0.95 * len(ordered))]:.1f} ms"


def _first_sight(page: LabPage, wire: Wire) -> list[str]:
    before = wire.bytes
    cell = page.run_cell(
        "import time\nbegun = time.time()\nmany = Lab(bank, stack=stack, checked=False)\nmany", timeout=120
    )
    page.output(cell).locator(".cl-marks").first.wait_for()
    took = float(page.python("time.time()")) - float(page.python("begun"))
    lines = [
        f"a lab with {EVENTS:,} events in 1,000 lanes is seen {took:.2f} s after its cell starts "
        f"(aim: at most 3 s), {wire.since(before)} sent (aim: at most 1,000 kB)"
    ]
    page.run_cell("many.send(*bank.random_commands(50))\nNone")
    page.page.wait_for_timeout(500)
    before, button = wire.bytes, page.button("Step over", cell=cell)
    for _ in range(20):
        button.evaluate(STEP, "[role=status]")
        page.page.wait_for_timeout(60)
    return [*lines, f"20 steps there: {wire.since(before)} in all (aim: at most 400 kB)"]


if __name__ == "__main__":
    print("\n".join(run()))

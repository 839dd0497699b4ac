"""The still picture beside the live widget: hidden while that lives, shown where there is no kernel."""

from __future__ import annotations

import json
import re
from typing import Any

from nbconvert import HTMLExporter
from playwright.sync_api import expect

from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, LabWidget

STILL = "[data-calamity-still]"
SAVE = """
async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.save();
  return panel.context.path;
}
"""


def saved(lab_page: LabPage) -> str:
    lab_page.open([BANK, "lab.step()", "lab.timeline"])
    lab_page.run_all()
    LabWidget(lab_page)
    return str(lab_page.page.evaluate(SAVE))


def test_a_live_widget_hides_its_picture(lab_page: LabPage) -> None:
    saved(lab_page)
    for cell in (0, 2):
        lab_page.output(cell).locator(".cl-root").wait_for()
        expect(lab_page.output(cell).locator(STILL)).to_have_count(1)
        expect(lab_page.output(cell).locator(STILL)).to_be_hidden()


def test_a_notebook_reopened_without_its_kernel_shows_the_pictures_and_no_error(lab_page: LabPage) -> None:
    path = saved(lab_page)
    lab_page.server.end_kernels()
    lab_page.open(path)
    for cell in (0, 2):
        expect(lab_page.output(cell).locator(STILL)).to_be_visible()
        expect(lab_page.output(cell).get_by_text("Error displaying widget")).to_be_hidden()
    expect(lab_page.output(2).get_by_role("img", name="Timeline: 1 event in 1 lane")).to_be_visible()


def test_a_page_made_by_nbconvert_shows_the_pictures(lab_page: LabPage) -> None:
    path = saved(lab_page)
    exporter: Any = HTMLExporter
    html, _ = exporter().from_filename(str(lab_page.server.root / path))
    shown = re.findall(r'<div class="calamity-still"[^>]*>', html)
    assert len(shown) == 2
    # The picture of the lab, above, follows the step too, if there was time for it before the notebook was
    # saved.
    own = html.split('<div class="calamity-still"')[2]
    assert own.count('alt="Timeline: 1 event in 1 lane, 1 of them up to this moment"') == 1
    assert "CreateAccount accepted, 1 event" in html
    assert not any("display:none" in tag for tag in shown)


def test_what_is_saved_is_the_moment_that_was_seen_last(lab_page: LabPage) -> None:
    path = saved(lab_page)
    lab = LabWidget(lab_page)
    for _ in range(3):
        lab.press("Step over")
    lab_page.page.wait_for_timeout(2_500)
    lab_page.page.evaluate(SAVE)
    notebook = json.loads((lab_page.server.root / path).read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell["outputs"]]
    htmls = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    pictures = [html for html in htmls if "data-calamity-still" in html]
    step = int(lab_page.python("lab.cursor"))
    assert len(pictures) == 2
    for picture in pictures:
        assert f"Picture of step {step} of {step}. Run the notebook to use the lab." in picture
    expect(lab_page.output(0).locator(STILL)).to_be_hidden()

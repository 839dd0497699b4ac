"""A move over a slow model: its button pauses it, the foot and the slider show how far it is."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from calamity_lab.widgets import actions
from tests.browser.bare_page import BarePage
from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, LabWidget

SLOW = """
from time import sleep
quick = bank.BankAccount.execute
def slow(self, command):
    sleep(0.15)
    return quick(self, command)
bank.BankAccount.execute = slow
"""

INTERRUPTED = """
const future = kernel().requestExecute({ code: given });
await new Promise((resolve) => setTimeout(resolve, 700));
await kernel().interrupt();
await within('the cell to end', future.done);
"""


@pytest.fixture
def slow(bare: BarePage, monkeypatch: pytest.MonkeyPatch) -> BarePage:
    """A lab of which each step is a part, and each answer takes a tenth of a second."""
    monkeypatch.setattr(actions, "PART", 0.0)
    bare.page.evaluate("latency = 100")
    return bare


def reaches(bare: BarePage, moment: int) -> None:
    """Wait until the slider is there, or further."""
    bare.page.wait_for_function(
        "([slider, moment]) => slider.valueAsNumber >= moment", arg=[bare.slider.element_handle(), moment]
    )


def verbs(bare: BarePage) -> list[str]:
    return [message["verb"] for message in bare.asked]


@pytest.mark.parametrize("pause", ["its button", "p", ">"])
def test_resume_shows_how_far_it_is_and_is_paused_by_its_button_and_by_keys(
    slow: BarePage, pause: str
) -> None:
    slow.button("Resume").click()
    foot = slow.root.get_by_role("status")
    expect(foot).to_contain_text(re.compile(r"Resume: \d+ steps? so far, 9 pending"))
    expect(foot).to_have_attribute("aria-busy", "true")
    pausing = slow.button("Pause")
    expect(pausing).to_be_visible()
    expect(slow.button("Resume")).to_have_count(0)
    for other in ("Step over", "Rewind", "Play"):
        expect(slow.button(other)).to_have_attribute("aria-disabled", "true")
    slow.root.press("]")
    reaches(slow, 3)
    if pause == "its button":
        pausing.click()
    else:
        slow.root.press(pause)
    expect(foot).to_contain_text("Paused. Step ")
    expect(foot).not_to_have_attribute("aria-busy", "true")
    slow.settle()
    stands = slow.lab.cursor
    assert slow.moment == stands < 60
    assert "step_in" not in verbs(slow)
    slow.page.wait_for_timeout(300)
    assert slow.lab.cursor == stands
    expect(slow.button("Step over")).not_to_have_attribute("aria-disabled", "true")
    slow.button("Resume").click()
    expect(foot).to_contain_text("so far")
    slow.page.evaluate("latency = 0")
    expect(foot).to_contain_text("Step 68: WithdrawFunds")
    expect(slow.button("Resume")).to_be_visible()


def test_the_slider_and_a_command_from_the_form_end_it_and_the_tabs_do_not(slow: BarePage) -> None:
    slow.button("Resume").click()
    slow.root.get_by_role("tab", name="Log").click()
    expect(slow.button("Pause")).to_be_visible()
    reaches(slow, 4)
    slow.slider.fill("1")
    slow.settle()
    expect(slow.button("Resume")).to_be_visible()
    assert slow.lab.cursor == 1


def test_a_page_that_is_closed_meanwhile_leaves_the_run_where_it_was(slow: BarePage) -> None:
    slow.button("Resume").click()
    expect(slow.button("Pause")).to_be_visible()
    slow.page.evaluate("listeners.splice(0)")
    slow.page.wait_for_timeout(300)
    stands = slow.lab.cursor
    slow.page.wait_for_timeout(300)
    assert slow.lab.cursor == stands < 60


def test_in_a_notebook_a_slow_model_is_paused_and_an_interrupt_says_where_it_stands(
    lab_page: LabPage,
) -> None:
    lab_page.open([BANK + SLOW + "lab"])
    lab_page.run_all()
    widget = LabWidget(lab_page)
    widget.button("Resume").click()
    widget.button("Pause").click()
    expect(widget.root.get_by_role("status")).to_contain_text("Paused. Step ")
    widget.settle()
    paused = widget.moment
    assert 0 < paused < 30
    # A cell, since JupyterLab lets a thread of the kernel answer widgets, which no interrupt reaches.
    lab_page.script(INTERRUPTED, "lab.resume()")
    expect(widget.root.get_by_role("status")).to_contain_text(
        re.compile(r"Stopped at step \d+: interrupted\. lab\.resume\(\) goes on")
    )
    widget.settle()
    assert paused <= widget.moment < 68
    expect(widget.button("Resume")).to_be_visible()

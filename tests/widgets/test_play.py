"""Play asks for moves on that are put together, and no more than it needs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.widgets import actions
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    return lab


def test_playing_three_commands_is_stepping_over_three_times_in_one_answer(lab: Lab) -> None:
    twin = Lab(bank)
    twin.send(*bank.story())
    patch = FrontEnd(ViewWidget(lab, "controls")).ask("play", by="step_over", times=3)
    for _ in range(3):
        twin.step()
    assert patch["controls"]["cursor"] == lab.cursor == twin.cursor


def test_playing_goes_along_what_is_recorded_and_then_on_with_the_agenda(lab: Lab) -> None:
    lab.step()
    recorded = len(lab.trace)
    lab.goto(recorded - 2)
    FrontEnd(ViewWidget(lab, "controls")).ask("play", by="step_in", times=2)
    assert (lab.cursor, len(lab.trace)) == (recorded, recorded + 1)
    assert list(lab.trace.branches) == ["main"]


def test_playing_ends_where_nothing_is_left_and_is_no_error_there(lab: Lab) -> None:
    lab.resume()
    lab.step_back()
    front_end = FrontEnd(ViewWidget(lab, "controls"))
    for _ in range(2):
        front_end.ask("play", by="step_over", times=5)
        assert lab.stepper.at_end
        assert front_end.values["controls"]["tone"] != "error"


def test_a_command_that_takes_long_is_answered_before_the_next_is_begun(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.step()
    lab.restart()
    monkeypatch.setattr(actions, "ENOUGH", 0.0)
    real = time.monotonic
    ticks = iter(range(100))
    monkeypatch.setattr(actions, "monotonic", lambda: real() + next(ticks))
    FrontEnd(ViewWidget(lab, "controls")).ask("play", by="step_over", times=5)
    assert lab.cursor == len(lab.trace) - 1 == 5


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"by": "resume", "times": 1}, "play goes by one of step_in, step_over; found 'resume'"),
        ({"by": ["step_in"], "times": 1}, "play goes by one of"),
        ({"by": "step_in", "times": 0}, "play goes on 1 to 10 times before it answers; found 0"),
        ({"by": "step_in", "times": 10**9}, "play goes on 1 to 10 times"),
        ({"by": "step_in", "times": True}, "found True"),
        ({}, "found None"),
    ],
)
def test_what_cannot_be_played_is_said(lab: Lab, asked: dict[str, Any], answer: str) -> None:
    front_end = FrontEnd(ViewWidget(lab, "controls"))
    front_end.ask("play", **asked)
    assert answer in front_end.values["controls"]["sentence"]
    assert front_end.values["controls"]["tone"] == "error"
    assert lab.cursor == 0

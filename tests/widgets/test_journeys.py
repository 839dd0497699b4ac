"""A move that takes long is made in parts: each says how far it is, and between them it can be paused."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import ModelError
from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    return lab


@pytest.fixture
def twin() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    return lab


@pytest.fixture(autouse=True)
def one_step_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrontEnd, "part", 0.0)


def goes_on(page: FrontEnd) -> bool:
    return bool(page.messages[-1].get("more"))


def to_the_end(page: FrontEnd, verb: str) -> list[str]:
    """What the foot said on the way."""
    said = []
    page.ask(verb)
    while goes_on(page):
        said.append(page.values["controls"]["sentence"])
        page.ask("go_on")
    return said


@pytest.mark.parametrize("verb", ["step_over", "step_out", "resume"])
def test_the_parts_of_a_move_lead_where_the_call_leads(lab: Lab, twin: Lab, verb: str) -> None:
    for each in (lab, twin):
        each.resume(limit=20)
    said = to_the_end(FrontEnd(ViewWidget(lab, "controls")), verb)
    getattr(twin, verb)()
    assert lab.cursor == twin.cursor
    assert len(said) == lab.cursor - 20 - 1
    assert repr(lab.steps) == repr(twin.steps)


def test_each_part_says_how_far_it_is_and_the_last_one_the_fact(lab: Lab) -> None:
    page = FrontEnd(ViewWidget(lab, "controls"))
    said = to_the_end(page, "resume")
    assert said[1] == "Resume: 2 steps so far, 9 pending"
    assert said[5] == "Resume: 1 command so far, 8 pending"
    assert page.values["controls"]["sentence"].startswith(f"Step {lab.cursor}: WithdrawFunds")
    lab.restart()
    assert to_the_end(page, "step_over")[1] == "Step over: 2 steps so far"


def test_a_quick_move_is_one_answer(lab: Lab, twin: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrontEnd, "part", 60.0)
    page = FrontEnd(ViewWidget(lab, "controls"))
    assert to_the_end(page, "resume") == []
    twin.resume()
    assert lab.cursor == twin.cursor
    page.ask("resume")
    assert page.values["controls"]["tone"] != "error", "at the end there is nothing to do"


def test_a_pause_says_where_the_run_stands_and_resume_goes_on_from_there(lab: Lab, twin: Lab) -> None:
    page = FrontEnd(ViewWidget(lab, "controls"))
    page.ask("resume")
    page.ask("go_on")
    page.ask("pause")
    assert not goes_on(page)
    assert page.values["controls"]["sentence"].startswith("Paused. Step 2:")
    page.ask("go_on")
    assert lab.cursor == 2, "nothing is under way"
    to_the_end(page, "resume")
    twin.resume()
    assert lab.cursor == twin.cursor


@pytest.mark.parametrize(
    "elsewhere",
    [Lab.step_in, Lab.restart, lambda lab: lab.send(bank.CreateAccount("eve"))],
    ids=["a step", "a move back", "a command"],
)
def test_what_somebody_else_does_meanwhile_ends_it(lab: Lab, elsewhere: Any) -> None:
    page = FrontEnd(ViewWidget(lab, "controls"))
    page.ask("resume")
    page.ask("go_on")
    elsewhere(lab)
    stands = lab.cursor
    page.ask("go_on")
    assert not goes_on(page)
    assert lab.cursor == stands
    assert "so far" not in page.values["controls"]["sentence"]


def test_looking_around_meanwhile_does_not_end_it(lab: Lab) -> None:
    page = FrontEnd(ViewWidget(lab))
    page.ask("resume")
    page.ask("set_options", view="tabs", shown="log")
    page.ask("select", stream_id="BankAccount-alice")
    page.ask("go_on")
    assert goes_on(page)
    assert lab.cursor == 2


def test_a_model_that_fails_ends_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    page = FrontEnd(ViewWidget(lab, "controls"))
    page.ask("resume")
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    while goes_on(page):
        page.ask("go_on")
    assert "returned 42" in page.values["controls"]["sentence"]
    assert isinstance(lab.stepper.error, ModelError)


def test_an_interrupt_leaves_the_lab_at_the_last_whole_step_and_every_widget_says_so(
    lab: Lab, twin: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    page, state = FrontEnd(ViewWidget(lab, "controls")), FrontEnd(ViewWidget(lab, "state"))
    lab.step()
    state.seen()
    with monkeypatch.context() as patched:
        patched.setattr(bank.BankAccount, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt) as raised:
            to_the_end(page, "resume")
    state.seen()
    stands = "Stopped at step 7: interrupted. lab.resume() goes on"
    assert raised.value.__notes__ == [stands]
    assert not goes_on(page)
    for sentence in (page.values["controls"]["sentence"], state.values["fact"]["sentence"]):
        assert sentence == stands
    lab.resume()
    twin.resume()
    assert lab.cursor == twin.cursor
    page.seen()
    assert page.values["controls"]["sentence"].startswith(f"Step {lab.cursor}:")


def test_an_interrupt_while_an_answer_is_made_leaves_nobody_waiting(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = FrontEnd(ViewWidget(lab, "controls"))
    changes, interrupts = page.widget.contents.changes, [KeyboardInterrupt]

    def interrupted_once() -> Any:
        if interrupts:
            raise interrupts.pop()
        return changes()

    monkeypatch.setattr(page.widget.contents, "changes", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        page.ask("resume")
    assert not goes_on(page)
    assert page.values["controls"]["sentence"] == "Stopped at step 1: interrupted. lab.resume() goes on"

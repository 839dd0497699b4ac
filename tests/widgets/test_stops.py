"""Breakpoints and watches in the widget: set, seen, switched and removed; moves say why they stopped."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.examples.bank import WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.details import actions_on
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story())
    return lab


@pytest.fixture
def page(lab: Lab) -> FrontEnd:
    return FrontEnd(lab.view)


def rows(page: FrontEnd) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["name"], row["value"]) for row in page.values["stops"]["rows"]]


def test_a_breakpoint_is_set_and_stops_resume_and_the_foot_says_why(page: FrontEnd, lab: Lab) -> None:
    page.ask("break_on", kind="command", name="WithdrawFunds")
    assert rows(page) == [("breakpoint", "WithdrawFunds", "")]
    assert page.values["controls"]["sentence"] == "Breakpoint on WithdrawFunds is set"
    page.ask("resume")
    assert lab.cursor == 25
    said = "Stopped at step 25: breakpoint on WithdrawFunds. Step 25: WithdrawFunds dispatched"
    assert page.values["controls"]["sentence"].startswith(said)
    assert page.values["controls"]["is_stopped"]
    assert rows(page) == [("breakpoint", "WithdrawFunds", "stopped 1 time")]
    page.ask("step_in")
    assert page.values["controls"]["sentence"].startswith("Step 26")
    assert not page.values["controls"]["is_stopped"]
    page.ask("reverse")
    assert lab.cursor == 25
    assert page.values["controls"]["sentence"].startswith("Stopped at step 25")


def test_a_move_in_parts_stops_at_a_breakpoint(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrontEnd, "part", 0.0)
    page = FrontEnd(lab.view)
    lab.break_on(WithdrawFunds)
    lab.resume()
    for verb in ("resume", "step_out"):
        lab.goto(20)
        page.ask(verb)
        while page.messages[-1].get("more"):
            page.ask("go_on")
        assert lab.cursor == 25
        assert page.values["controls"]["sentence"].startswith("Stopped at step 25")


def test_a_breakpoint_set_on_the_way_does_not_end_the_move(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrontEnd, "part", 0.0)
    page = FrontEnd(lab.view)
    page.ask("resume")
    page.ask("break_on", kind="command", name="WithdrawFunds")
    assert page.messages[-1].get("more")
    while page.messages[-1].get("more"):
        page.ask("go_on")
    assert lab.cursor == 25


def test_play_ends_at_a_breakpoint(page: FrontEnd, lab: Lab) -> None:
    lab.break_on(WithdrawFunds)
    lab.goto(lab.resume().index - 5)
    page.ask("play", by="step_in", times=10)
    assert lab.cursor == 25
    assert page.values["controls"]["is_stopped"]


def test_a_field_is_watched_and_its_changes_stop(page: FrontEnd, lab: Lab) -> None:
    field = {"name": "BankAccount-alice", "field": "balance"}
    page.ask("break_on", kind="field", **field)
    page.ask("watch_field", **field)
    page.ask("watch_field", **field)
    page.ask("resume")
    assert rows(page) == [
        ("watch", "BankAccount-alice.balance", "10000"),
        ("breakpoint", "BankAccount-alice.balance", "stopped 1 time"),
    ]
    lab.restart()
    page.seen()
    assert rows(page)[0] == ("watch", "BankAccount-alice.balance", "–")


def test_each_is_switched_off_and_on_and_removed(page: FrontEnd, lab: Lab) -> None:
    lab.break_on(WithdrawFunds)
    lab.invariant("few", lambda stack: len(stack.aggregates) < 2)
    page.seen()
    keys = [row["key"] for row in page.values["stops"]["rows"]]
    assert keys == ["watch few", "breakpoint 1"]
    for key in keys:
        page.ask("switch_stop", key=key, on=False)
    assert [row["is_on"] for row in page.values["stops"]["rows"]] == [False, False]
    page.ask("resume")
    assert lab.stepper.at_end
    page.ask("switch_stop", key="watch few", on=True)
    assert rows(page)[0] == ("invariant", "few", "does not hold")
    assert page.values["stops"]["rows"][0]["is_broken"]
    for key in keys:
        page.ask("remove_stop", key=key)
    assert rows(page) == []
    page.ask("remove_stop", key="watch few")
    assert page.values["controls"]["sentence"] == "there is no 'watch few' any more"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"verb": "break_on", "kind": "command", "name": "Nothing"}, "no such stream, and no class"),
        ({"verb": "break_on", "kind": "command", "name": 3}, "needs a text as 'name'"),
        ({"verb": "watch_field", "name": "", "field": ""}, "."),
        ({"verb": "switch_stop", "key": "breakpoint 1", "on": 3}, "needs true or false"),
        ({"verb": "reverse"}, "cannot go back"),
    ],
)
def test_a_message_that_makes_no_sense_is_answered(
    page: FrontEnd, message: dict[str, Any], says: str
) -> None:
    page.ask(**message)
    assert says in page.values["controls"]["sentence"]


def labels(lab: Lab) -> list[str]:
    actions = actions_on(lab.trace, lab.stepper.selection)
    return [action.label for action in actions if action.verb == "break_on"]


def test_what_is_selected_offers_its_breakpoints_and_each_can_be_set(page: FrontEnd, lab: Lab) -> None:
    lab.resume()
    lab.select(4)
    assert labels(lab) == ["Break here: every FundsDeposited", "Break on BankAccount-alice"]
    lab.select(lab.steps[35])
    assert labels(lab) == [
        "Break here: every RequestTransfer",
        "Break on every rejection",
        "Break on BankAccount-alice",
    ]
    lab.select("BankAccount-bob")
    assert labels(lab) == ["Break on BankAccount-bob"]
    page.seen()
    for action in page.values["stops"]["offers"] + page.values["stops"]["choices"]:
        page.ask(action["verb"], **action["arguments"])
        assert page.values["controls"]["sentence"].endswith("is set")
    assert len(lab.breakpoints) == len(page.values["stops"]["choices"]) + 1


def test_a_pending_command_offers_a_breakpoint(lab: Lab) -> None:
    lab.select(lab.agenda.pending[0])
    assert labels(lab) == ["Break here: every CreateAccount"]


def test_a_watch_that_is_interrupted_does_not_hang_the_widget(lab: Lab) -> None:
    page = FrontEnd(lab.view)

    def endless(stack: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.watch("endless", endless)
    page.ask("step_in")
    assert rows(page) == [("watch", "endless", "off")]

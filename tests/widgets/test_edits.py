"""Edits in a widget: what can be done about a submitted command, and what the foot and the details say."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab import seeded_ids
from calamity_lab.errors import CalamityError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.stores import SQLEventStore
from calamity_lab.widgets.view_widget import ViewWidget
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.story())
    lab.resume()
    return lab


def select(front_end: FrontEnd, number: int) -> dict[str, Any]:
    """Select a submitted command at the step at which it was accepted; the actions by their labels."""
    lab: Any = front_end.widget.contents.lab
    command_id = lab.submitted[number].command_id
    step = next(
        s.index for s in lab.steps if s.pending.command_id == command_id and (s.decides or s.recorded)
    )
    front_end.ask("select", mark=f"step {step}", details=True)
    return {each["label"]: each for each in front_end.values["details"]["actions"]}


def press(front_end: FrontEnd, action: dict[str, Any]) -> str:
    """Press the button of an action; what the foot says."""
    front_end.ask(action["verb"], **action["arguments"], label=action["label"])
    return str(front_end.values["controls"]["sentence"])


def test_a_command_is_left_out_and_the_answer_links_each_command_that_is_decided_otherwise(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    said = press(front_end, select(front_end, 3)["Leave out"])
    assert said.startswith("9 commands replayed on 'without DepositFunds'; the first difference is at step ")
    answer = front_end.values["details"]["answer"]
    assert answer["title"] == "Replay: without DepositFunds"
    assert (
        "Not sent any more: WithdrawFunds (2 times), DepositFunds (2 times), RefundTransfer"
        in answer["sentence"]
    )
    first = answer["links"][0]
    assert (first["label"], first["detail"]) == (
        "RequestTransfer",
        "is now rejected: insufficient funds (balance 0)",
    )
    front_end.ask("select", mark=first["mark"], go=True)
    assert lab.trace[lab.cursor].step.rejected.reason == "insufficient funds"
    assert front_end.values == front_end.expected()


def test_a_command_is_changed_in_the_form_and_what_is_wrong_with_a_field_loses_nothing(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    press(front_end, select(front_end, 3)["Change…"])
    editing = front_end.values["form"]["editing"]
    assert (editing["title"], editing["command"]) == ("Change DepositFunds", "DepositFunds")
    assert (editing["fields"]["account_id"], editing["fields"]["amount"]) == ("alice", 10_000)
    front_end.ask("send", command="DepositFunds", fields={**editing["fields"], "amount": "much"})
    assert front_end.values["form"]["errors"].keys() == {"amount"}
    assert front_end.values["form"]["editing"] == editing
    front_end.ask("send", command="DepositFunds", fields={**editing["fields"], "amount": "1"})
    assert lab.submitted[3].command == DepositFunds("alice", 1)
    assert lab.trace.branch.name == "DepositFunds changed"
    assert front_end.values["form"]["editing"] is None
    front_end.ask("send", command="DepositFunds", fields={**editing["fields"], "amount": "2"})
    assert list(lab.agenda) == [DepositFunds("alice", 2)], "the form sends again"


def test_a_command_is_inserted_and_moved_and_the_first_cannot_go_earlier(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    assert "Move earlier" not in select(front_end, 0)
    assert "Move later" not in select(front_end, len(lab.submitted) - 1)
    press(front_end, select(front_end, 3)["Insert before…"])
    front_end.ask("send", command="WithdrawFunds", fields={"account_id": "bob", "amount": "1"})
    assert lab.submitted[3].command == WithdrawFunds("bob", 1)
    moved = lab.submitted[4].command
    press(front_end, select(front_end, 4)["Move earlier"])
    assert lab.submitted[3].command == moved
    # The command stays selected, so that it can be moved on.
    assert "DepositFunds accepted" in front_end.values["details"]["title"]
    later = next(each for each in front_end.values["details"]["actions"] if each["label"] == "Move later")
    press(front_end, later)
    assert lab.submitted[4].command == moved
    assert len(lab.branches) == 4


def test_a_form_that_was_opened_for_a_change_can_be_left(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    press(front_end, select(front_end, 3)["Change…"])
    front_end.ask("close_form")
    assert front_end.values["form"]["editing"] is None
    assert len(lab.branches) == 1


def test_a_pending_command_that_was_submitted_can_be_edited_and_one_of_a_process_manager_cannot() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.story())
    front_end = FrontEnd(ViewWidget(lab))
    front_end.ask("select", command_id=lab.agenda.pending[1].command_id, details=True)
    offered = {each["label"]: each for each in front_end.values["details"]["actions"]}
    assert (
        press(front_end, offered["Leave out"])
        == "0 commands replayed on 'without CreateAccount'; no difference"
    )
    assert len(lab.agenda) == len(bank.story()) - 1
    lab.resume()
    started = after(lab, "Started")
    sent = next(step.commands[0].command_id for step in lab.steps if step.index == started)
    decided = next(step.index for step in lab.steps if step.pending.command_id == sent and step.decides)
    for mark in (decided, started):
        front_end.ask("select", mark=f"step {mark}", details=True)
        labels = {each["label"] for each in front_end.values["details"]["actions"]}
        assert not labels & {"Leave out", "Change…", "Insert before…", "Move earlier", "Move later"}


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("leave_out", {"which": "nobody"}, "There is no such submitted command on the branch 'main'"),
        ("leave_out", {}, "There is no such submitted command"),
        ("change", {"which": 3}, "There is no such submitted command"),
        ("insert", {"which": None}, "There is no such submitted command"),
        ("move", {"which": "first"}, "move needs a whole number as 'by'"),
        ("move", {"which": "first", "by": -1}, "there is no submitted command -1"),
        ("rename", {"branch": "main", "name": ""}, "a text of 1 to 100 characters"),
        ("rename", {"branch": "nowhere", "name": "x"}, "there is no branch 'nowhere'"),
        ("remove", {"branch": "main"}, "this branch is looked at"),
        ("switch", {"branch": "nowhere"}, "there is no branch 'nowhere'"),
    ],
)
def test_an_edit_that_names_nothing_is_told_in_the_foot_and_changes_nothing(
    lab: Lab, verb: str, arguments: dict[str, Any], said: str
) -> None:
    front_end, trace = FrontEnd(ViewWidget(lab)), lab.trace
    if arguments.get("which") == "first":
        arguments = {**arguments, "which": lab.submitted[0].command_id}
    front_end.ask(verb, **arguments)
    assert said in front_end.values["controls"]["sentence"]
    assert front_end.values["controls"]["tone"] == "error"
    assert lab.trace is trace


def test_a_form_left_open_on_another_branch_says_that_the_command_is_not_there(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    press(front_end, select(front_end, 3)["Change…"])
    editing = front_end.values["form"]["editing"]
    lab.replay(without=3)
    front_end.ask("send", command="DepositFunds", fields=editing["fields"])
    assert (
        "no such submitted command on the branch 'without DepositFunds'"
        in front_end.values["controls"]["sentence"]
    )
    assert front_end.values["form"]["editing"] == editing
    lab.switch("main")
    front_end.ask("send", command="DepositFunds", fields={**editing["fields"], "amount": "7"})
    assert lab.submitted[3].command == DepositFunds("alice", 7)


def test_a_lab_over_a_store_that_keeps_what_was_recorded_refuses_edits_and_says_why(tmp_path: Any) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path / 'bank.db'}") as store:
        lab = Lab(bank, stack=Stack(event_store=store), checked=False)
        lab.send(*bank.story())
        lab.resume()
        front_end = FrontEnd(ViewWidget(lab))
        said = press(front_end, select(front_end, 3)["Leave out"])
        assert "of the moments after it" in said
        assert list(lab.branches) == ["main"]
        with pytest.raises(CalamityError):
            lab.replay(without=3)


def test_a_view_that_stays_at_a_moment_offers_no_edits(lab: Lab) -> None:
    fixed = FrontEnd(lab.at(20).table)
    decided = next(step.index for step in lab.steps if step.decides)
    fixed.ask("select", mark=f"step {decided}", details=True)
    assert not {each["verb"] for each in fixed.values["details"]["actions"]} & {
        "leave_out",
        "change",
        "insert",
        "move",
    }

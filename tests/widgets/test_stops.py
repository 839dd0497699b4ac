"""Breakpoints and watches in the widget: set, seen, switched and removed; moves say why they stopped."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.examples.bank import WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.details import actions_on
from calamity_lab.widgets.view_widget import FACES, ViewWidget
from tests.moments import after
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


def actions(page: FrontEnd) -> dict[str, dict[str, Any]]:
    return {action["label"]: action for action in page.values["details"]["actions"]}


@pytest.mark.parametrize(
    ("key", "label", "target", "at"),
    [
        ("command:WithdrawFunds", "Break here: every WithdrawFunds", "WithdrawFunds", 25),
        ("event:FundsWithdrawn", "Break here: every FundsWithdrawn", "FundsWithdrawn", 27),
        ("aggregate:BankAccount", "Break here: every command to BankAccount", "commands to BankAccount", 1),
        ("process manager:Transfer", "Break here: every reaction of Transfer", "Transfer", 23),
    ],
)
def test_a_type_takes_a_breakpoint_and_gives_it_back(
    page: FrontEnd, lab: Lab, key: str, label: str, target: str, at: int
) -> None:
    page.ask("select", type=key, details=True)
    set_it = actions(page)[label]
    page.ask(set_it["verb"], **set_it["arguments"])
    assert [row["target"] for row in page.values["stops"]["rows"]] == [key]
    page.ask("resume")
    assert lab.cursor == at
    assert label not in actions(page)
    remove = actions(page)[f"Remove the breakpoint on {target}"]
    page.ask(remove["verb"], **remove["arguments"])
    assert page.values["controls"]["sentence"] == f"The breakpoint on {target} was removed"
    assert rows(page) == []
    assert label in actions(page)


def test_a_breakpoint_with_a_condition_can_be_removed_and_a_plain_one_set_beside_it(
    page: FrontEnd, lab: Lab
) -> None:
    lab.break_on(WithdrawFunds, when=lambda moment: True)
    page.ask("select", type="command:WithdrawFunds", details=True)
    names = [label for label in actions(page) if "reak" in label]
    assert names == [
        "Break here: every WithdrawFunds",
        "Remove the breakpoint on WithdrawFunds, with a condition",
    ]
    lab.breakpoints[0].is_on = False
    page.seen()
    assert [label for label in actions(page) if "reak" in label] == names[:1]


def test_a_message_or_a_stream_gives_its_breakpoint_back_too(page: FrontEnd, lab: Lab) -> None:
    lab.resume()
    lab.break_on("BankAccount-bob")
    page.ask("select", stream_id="BankAccount-bob", details=True)
    assert "Remove the breakpoint on BankAccount-bob" in actions(page)
    assert page.values["stops"]["rows"][0]["target"] == "stream:BankAccount-bob"


def test_a_fixed_view_offers_nothing_that_changes_the_run_for_a_type(lab: Lab) -> None:
    lab.resume()
    page = FrontEnd(lab.at(9).process_graph)
    page.ask("select", type="command:WithdrawFunds", details=True)
    assert page.values["details"]["title"] == "WithdrawFunds"
    assert set(actions(page)) == {"Why not?"}


def test_the_messages_of_a_type_are_shown_in_the_log_in_place_of_the_details(
    page: FrontEnd, lab: Lab
) -> None:
    lab.resume()
    page.ask("select", type="event:FundsWithdrawn", details=True)
    shown = actions(page)["Show in the log"]
    page.ask(shown["verb"], **shown["arguments"])
    assert page.values["tabs"]["shown"] == "log"
    assert not page.values["details"]["shown"]
    assert {row["name"] for row in page.values["log"]["rows"]} == {"FundsWithdrawn"}
    page.ask("show_in_log", only="letters", query="x")
    assert "must be one of" in page.values["controls"]["sentence"]


@pytest.mark.parametrize("key", ["command:Nothing", "letter:WithdrawFunds", "WithdrawFunds", ""])
def test_a_type_that_the_branch_does_not_have_selects_nothing(page: FrontEnd, key: str) -> None:
    page.ask("select", type=key, details=True)
    assert page.values["selected"]["kind"] == ""
    assert set(actions(page)) == {"Note…"}
    assert page.values["stops"]["offers"] == []
    page.ask("select", type=3)
    assert "needs a text as 'type'" in page.values["controls"]["sentence"]


@pytest.mark.parametrize("face", sorted(set(FACES) - {"lab"}))
def test_every_single_view_knows_the_breakpoints_and_shows_the_watches_at_its_cursor(
    lab: Lab, face: str
) -> None:
    lab.break_on(WithdrawFunds)
    lab.watch("accounts", lambda stack: len(stack.aggregates))
    page = FrontEnd(ViewWidget(lab, face))
    assert rows(page) == [("watch", "accounts", "0"), ("breakpoint", "WithdrawFunds", "")]
    assert [row["target"] for row in page.values["stops"]["rows"]] == ["", "command:WithdrawFunds"]
    lab.resume()
    page.seen()
    assert rows(page)[0] == ("watch", "accounts", "3")


def test_why_a_command_was_not_sent_is_answered_with_links_to_moments(page: FrontEnd, lab: Lab) -> None:
    lab.resume()
    page.ask("select", type="command:RefundTransfer", details=True)
    lab.goto(after(lab, "Started"))
    ask = actions(page)["Why not?"]
    page.ask(ask["verb"], **ask["arguments"])
    answer = page.values["details"]["answer"]
    assert answer["title"] == "Why not: RefundTransfer"
    assert answer["sentence"] == "RefundTransfer was not sent; it could be sent by Transfer"
    (link,) = answer["links"]
    assert (link["kind"], link["label"]) == ("process manager", "Transfer-rent")
    assert "waits for FundsWithdrawn" in link["detail"]
    assert link["detail"].endswith("(sends it on a rejection)")
    page.ask("select", mark=link["mark"], go=True)
    assert page.values["selected"]["moment"] == link["moment"] == lab.cursor
    assert page.values["details"]["answer"] == answer


def test_why_not_is_asked_from_the_form_and_of_a_process_manager_that_waits(page: FrontEnd, lab: Lab) -> None:
    page.ask("why_not", name="WithdrawFunds", type="command:WithdrawFunds")
    assert page.values["details"]["title"] == "WithdrawFunds"
    (link,) = page.values["details"]["answer"]["links"]
    assert (link["label"], link["mark"], link["type"]) == ("Transfer", None, "process manager:Transfer")
    assert link["detail"].startswith("has not started: it waits for TransferInitiated")
    page.ask("why_not", name="RequestTransfer", type="command:RequestTransfer")
    said = "RequestTransfer was sent, and is pending"
    assert page.values["details"]["answer"]["sentence"] == said
    assert page.values["details"]["answer"]["links"] == []
    lab.resume()
    page.ask("select", stream_id="Transfer-rent", details=True)
    asks = [label for label in actions(page) if label.startswith("Why not")]
    assert asks == [
        f"Why not {name}?" for name in ("DepositFunds", "WithdrawFunds", "CancelTransfer", "RefundTransfer")
    ]
    ask = actions(page)["Why not WithdrawFunds?"]
    page.ask(ask["verb"], **ask["arguments"])
    answer = page.values["details"]["answer"]
    assert answer["sentence"].startswith("WithdrawFunds was sent: 3 times, the last one dispatched at step ")
    assert answer["links"][0]["label"] == "WithdrawFunds at step 65"
    page.ask("why_not", name="Nothing")
    assert "Nothing" in page.values["controls"]["sentence"]


def test_a_note_is_kept_with_the_moment_that_is_shown_and_what_is_selected(page: FrontEnd, lab: Lab) -> None:
    lab.resume()
    lab.goto(30)
    page.ask("select", type="event:FundsWithdrawn", details=True)
    note = actions(page)["Note…"]
    assert note["asks"]
    page.ask(note["verb"], **note["arguments"], text=" the money is on its way ")
    assert page.values["controls"]["sentence"] == "The note is kept with step 30"
    (kept,) = lab.notes
    assert (kept.text, kept.moment.index) == ("the money is on its way", 30)
    assert kept.selection.type == "event:FundsWithdrawn"
    assert [row["text"] for row in page.values["agenda"]["notes"]] == ["the money is on its way"]
    page.ask("note", text=" ")
    assert "the text is empty" in page.values["controls"]["sentence"]
    page.ask("note")
    assert "needs a text as 'text'" in page.values["controls"]["sentence"]
    assert len(lab.notes) == 1

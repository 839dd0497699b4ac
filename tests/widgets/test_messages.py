"""A widget answers what the front end asks, with what changed and nothing else."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from time import sleep
from typing import Any

import pytest

from calamity_lab.errors import CalamityError, InvalidModel
from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.trace import stepper as stepper_module
from calamity_lab.views.details import Answer
from calamity_lab.widgets import view_widget
from calamity_lab.widgets.view_widget import FACES, ViewWidget
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd

SINGLE = [face for face in FACES if face != "lab"]


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    return lab


@pytest.mark.parametrize("face", FACES)
def test_ready_is_answered_with_every_part_in_sight(lab: Lab, face: str) -> None:
    widget = ViewWidget(lab, face)
    front_end = FrontEnd(widget)
    assert front_end.values == front_end.expected()


@pytest.mark.parametrize("face", FACES)
def test_a_widget_comes_with_all_that_it_shows(lab: Lab, face: str) -> None:
    lab.step()
    widget = ViewWidget(lab, face)
    page = FrontEnd.of_first(widget)
    assert page.values == page.expected()
    assert page.ask("ready", has=widget.first["seq"]) == {}, "it has all of this"


def test_who_has_seen_another_state_is_sent_all_of_it(lab: Lab) -> None:
    widget = ViewWidget(lab, "controls")
    FrontEnd(widget).ask("step_over")
    late = FrontEnd.of_first(widget)
    assert late.values["controls"]["cursor"] == 0
    late.ask("ready", has=widget.first["seq"])
    assert late.values == late.expected()
    assert late.values["controls"]["cursor"] == lab.cursor > 0


def test_a_widget_that_is_shown_before_anybody_asks_follows_what_a_cell_does(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_widget, "PAUSE", 0.0)
    monkeypatch.setattr(view_widget, "SHARE", 0)
    widget = ViewWidget(lab, "state")
    before = widget.first
    lab.step()
    assert widget.first == before, "nobody sees it yet"
    widget.show()
    for _ in range(2):
        lab.step()
        page = FrontEnd.of_first(widget)
        assert page.values == page.expected()


def test_where_a_cell_ends_is_shown_without_an_answer(lab: Lab) -> None:
    never_shown, shown, live = (ViewWidget(lab, "state") for _ in range(3))
    shown.show()
    page = FrontEnd(live)
    for _ in range(3):
        lab.step()
    for widget in (never_shown, shown, live):
        widget.after_cell()
    assert page.values == page.expected()
    for widget in (never_shown, shown):
        assert FrontEnd.of_first(widget).values == page.values


def test_a_widget_that_follows_a_cell_before_anybody_asks_takes_a_small_part_of_its_time(lab: Lab) -> None:
    widget = ViewWidget(lab)
    widget.show()
    renewed = {id(widget.first)}
    for _ in range(60):
        lab.step_in()
        renewed.add(id(widget.first))
    assert len(renewed) < 30


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("step_in", Lab.step_in),
        ("step_over", Lab.step),
        ("step_out", Lab.step_out),
        ("resume", Lab.resume),
        ("step_back", Lab.step_back),
        ("step_back_over", Lab.step_back_over),
        ("restart", Lab.restart),
        ("end", lambda lab: lab.goto(-1)),
    ],
)
def test_each_move_does_what_the_call_of_the_lab_does(
    lab: Lab, verb: str, call: Callable[[Lab], object]
) -> None:
    twin = Lab(bank)
    twin.send(*bank.story())
    for each in (lab, twin):
        each.resume()
        each.goto(there := after(each, "DepositFunds", 2))
    FrontEnd(ViewWidget(lab, "controls")).ask(verb)
    call(twin)
    assert lab.cursor == twin.cursor != there


def test_resume_and_step_out_run_on(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab, "controls"))
    lab.goto(0)
    for _ in range(5):
        front_end.ask("step_out")
    assert lab.moment.rests
    assert not any(type(command).__name__ == "DepositFunds" for command in lab.agenda)
    front_end.ask("resume")
    assert lab.stepper.at_end


def test_goto_choose_drop_and_switch_reach_the_stepper(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    front_end.ask("choose", index=2)
    assert lab.agenda[0] == bank.CreateAccount("carol", name="Carol")
    front_end.ask("drop", index=0)
    assert bank.CreateAccount("carol", name="Carol") not in list(lab.agenda)
    front_end.ask("resume")
    front_end.ask("goto", moment=after(lab, "Completed"))
    assert lab.cursor == after(lab, "Completed")
    front_end.ask("drop", index=0)
    assert len(lab.branches) == 2
    front_end.ask("switch", branch="main")
    assert lab.trace.branch.name == "main"


@pytest.mark.parametrize("face", FACES)
def test_what_the_front_end_puts_together_from_patches_is_what_python_has(lab: Lab, face: str) -> None:
    widget = ViewWidget(lab, face)
    front_end = FrontEnd(widget)
    moves = (
        ["step_over"] * 9
        + ["step_back"] * 5
        + ["step_in"] * 3
        + ["resume", "restart", "end", "step_back_over"]
    )
    for verb in moves:
        front_end.ask(verb)
        assert front_end.values == front_end.expected(), verb


def test_a_patch_holds_only_what_changed(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    front_end.ask("step_over")
    patch = front_end.ask("set_options", view="state", query="")
    assert patch == {}
    patch = front_end.ask("step_in")
    assert set(patch) == {"controls", "agenda", "state"}, "a command that is only dispatched records no event"
    assert not {"branch", "rejections", "at_end"} & set(patch["controls"])
    assert "form" not in patch


def test_a_page_follows_a_long_move_of_a_cell_now_and_then(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    page = FrontEnd(ViewWidget(lab))
    known = len(page.messages)
    lab.resume()
    assert len(page.messages) == known + 1, "a quick move is one message"
    lab.restart()
    monkeypatch.setattr(stepper_module, "BETWEEN", 0.02)
    monkeypatch.setattr(view_widget, "PAUSE", 0.0)
    monkeypatch.setattr(stepper_module, "SHARE", 0)
    page.widget._pause = 0.0
    known = len(page.messages)
    lab.stepper.passing = lambda moment: sleep(0.005)
    lab.resume()
    parts = [message["patch"].get("controls", {}) for message in page.messages[known:]]
    came = [part["cursor"] for part in parts if "cursor" in part]
    assert len(came) > 3
    assert came == sorted(came)
    assert came[-1] == lab.cursor


def test_rows_that_stay_come_as_their_index(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab, "log"))
    for _ in range(3):
        front_end.ask("step_over")
    rows = front_end.ask("step_over")["log"]["rows"]["rows"]
    assert rows[:6] == [0, 1, 2, 3, 4, 5]
    assert [row["name"] for row in rows[6:]] == ["DepositFunds", "FundsDeposited"]


def test_views_behind_another_tab_are_not_sent_until_they_are_looked_at(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab))
    assert "log" not in front_end.values
    front_end.ask("step_over")
    patch = front_end.ask("set_options", view="tabs", shown="log")
    assert patch["tabs"]["shown"] == "log"
    assert patch["log"]["rows"][0]["name"] == "CreateAccount"
    assert "state" not in front_end.ask("step_over")


def test_options_change_what_one_widget_shows_and_no_other(lab: Lab) -> None:
    lab.resume()
    searching, other = FrontEnd(ViewWidget(lab, "state")), FrontEnd(ViewWidget(lab, "state"))
    searching.ask("set_options", view="state", query="alice")
    assert {row["stream_id"] for row in searching.values["state"]["rows"]} >= {"BankAccount-alice"}
    assert searching.values["state"]["matching"] < other.values["state"]["matching"]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"verb": "fly"}, "no verb 'fly'"),
        ({"verb": "goto", "moment": 99_999}, "no moment 99999"),
        ({"verb": "goto", "moment": "7"}, "whole number"),
        ({"verb": "choose", "index": 99}, "There is no pending command at index 99"),
        ({"verb": "set_options", "view": "attic"}, "no view 'attic'"),
        ({"verb": "set_options", "view": "state", "colour": 1}, "'colour'"),
        ({"verb": "set_options", "view": "log", "limit": -1}, "whole number from 1"),
        (
            {"verb": "set_options", "view": "pointed", "mark": "here"},
            "must be a mark in the lanes, such as 'event 12'",
        ),
        (
            {"verb": "select", "mark": "here"},
            "select needs a mark in the lanes, such as 'event 12' or 'step 57'",
        ),
        ({"verb": "select", "mark": -7}, "as 'mark'; found -7"),
        ({"verb": "select", "mark": "event 2", "until": "all"}, "a whole number as 'until'; found 'all'"),
        ({"verb": "select", "position": True}, "whole number as 'position'"),
        ({"verb": "select", "stream_id": 7}, "select needs a text as 'stream_id'; found 7"),
        ({"verb": "switch", "branch": "nowhere"}, "no branch 'nowhere'"),
        ({"verb": "send", "command": "Fly", "fields": {}}, "no command 'Fly'"),
        ({}, "no verb None"),
    ],
)
def test_an_error_is_said_in_every_widget_and_the_widget_goes_on(
    lab: Lab, face: str, message: dict[str, Any], sentence: str
) -> None:
    front_end = FrontEnd(ViewWidget(lab, face))
    front_end.ask(message.get("verb"), **{name: value for name, value in message.items() if name != "verb"})  # type: ignore[arg-type]
    foot = front_end.values.get("controls") or front_end.values["fact"]
    assert foot["tone"] == "error"
    assert sentence in foot["sentence"]
    front_end.ask("step_over")
    assert foot["tone"] != "error"
    assert lab.cursor > 0


def test_an_error_of_the_model_is_said_where_it_happened_and_the_cursor_stays() -> None:
    @dataclass(frozen=True)
    class Break:
        id: str

        def aggregate(self) -> tuple[type, str]:
            return Fragile, self.id

    @dataclass(frozen=True)
    class Fragile:
        id: str

        @classmethod
        def new(cls, aggregate_id: str) -> Fragile:
            return cls(aggregate_id)

        def execute(self, command: Break) -> None:
            raise ZeroDivisionError("oh")

        def apply(self, event: object) -> Fragile:
            return self

    lab = Lab(aggregates=[Fragile], commands=[Break])
    lab.send(Break("1"))
    stepping, watching = FrontEnd(ViewWidget(lab, "controls")), FrontEnd(ViewWidget(lab, "state"))
    stepping.ask("step_over")
    for values in (stepping.values["controls"], watching.values["fact"]):
        assert values["tone"] == "error"
        assert "Fragile.execute" in values["sentence"]
    assert stepping.values["controls"]["cursor"] == lab.cursor < 3


def test_an_error_that_nobody_expects_is_said_and_raised(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    front_end = FrontEnd(ViewWidget(lab, "controls"))
    monkeypatch.setattr(view_widget, "perform", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        front_end.widget.hear({"verb": "step_in", "seq": 7})
    assert front_end.messages[-1]["answers"] == 7
    assert front_end.values["controls"]["sentence"] == "ZeroDivisionError: division by zero"


def test_a_view_that_breaks_is_said_and_logged_and_does_not_stop_the_stepper(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    widget = ViewWidget(lab, "state")
    front_end = FrontEnd(widget)
    monkeypatch.setattr(widget.contents, "views", lambda: 1 / 0)
    lab.step()
    assert lab.cursor > 0
    assert "ZeroDivisionError" in front_end.values["fact"]["sentence"]
    assert "cannot be shown" in caplog.text


def test_a_command_with_wrong_fields_is_not_sent_and_each_field_tells_why(lab: Lab) -> None:
    front_end = FrontEnd(ViewWidget(lab, "agenda"))
    pending = len(lab.agenda)
    front_end.ask("send", command="DepositFunds", fields={"account_id": "", "amount": "abc"})
    assert set(front_end.values["form"]["errors"]) == {"account_id", "amount"}
    assert "‘abc’" in front_end.values["form"]["errors"]["amount"]
    assert front_end.values["fact"]["tone"] == "error"
    assert len(lab.agenda) == pending
    front_end.ask("send", command="DepositFunds", fields={"account_id": "dan", "amount": "12"})
    assert front_end.values["form"]["errors"] == {}
    assert front_end.values["form"]["sent"] == 1
    assert lab.agenda[-1] == bank.DepositFunds("dan", 12)
    assert front_end.values["fact"]["sentence"] == "DepositFunds is on the agenda"


def test_what_happens_elsewhere_is_put_together_until_the_front_end_has_seen_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_widget, "PAUSE", 1_000.0)
    front_end = FrontEnd(ViewWidget(lab))
    before = len(front_end.messages)
    for _ in range(20):
        lab.step_in()
    assert len(front_end.messages) == before + 1
    assert "answers" not in front_end.messages[-1]
    front_end.seen()
    assert len(front_end.messages) == before + 2
    assert front_end.values["controls"]["cursor"] == 20
    front_end.seen()
    assert len(front_end.messages) == before + 2


def test_a_slow_film_is_shown_picture_by_picture(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_widget, "PAUSE", 0.0)
    front_end = FrontEnd(ViewWidget(lab))
    for moment in range(1, 5):
        lab.step_in()
        assert front_end.values["controls"]["cursor"] == moment


def test_a_widget_that_nobody_displayed_sends_nothing(lab: Lab) -> None:
    widget = ViewWidget(lab, "state")
    widget.send = lambda *_: pytest.fail("nobody listens")
    lab.step()


def test_a_closed_widget_no_longer_follows(lab: Lab) -> None:
    widget = ViewWidget(lab, "state")
    front_end = FrontEnd(widget)
    widget.close()
    before = len(front_end.messages)
    lab.step()
    assert len(front_end.messages) == before


def test_a_widget_whose_connection_others_closed_no_longer_follows(lab: Lab) -> None:
    widget = ViewWidget(lab)
    page = FrontEnd(widget)
    comm: Any = widget.comm
    comm._closed = True
    before = len(page.messages)
    lab.step()
    lab.step()
    assert len(page.messages) == before
    assert widget.comm is None


def test_a_closed_widget_is_not_kept_alive_by_the_lab(lab: Lab) -> None:
    widget = ViewWidget(lab, "state")
    gone = weakref.ref(widget)
    widget.close()
    del widget
    gc.collect()
    assert gone() is None


def test_all_widgets_of_a_lab_follow_one_cursor(lab: Lab) -> None:
    front_ends = [FrontEnd(ViewWidget(lab, face)) for face in SINGLE]
    front_ends[0].ask("step_over")
    for front_end in front_ends:
        where = front_end.values.get("controls") or front_end.values["fact"]
        assert where["cursor"] == lab.cursor


def test_a_widget_tells_shortly_what_it_is(lab: Lab) -> None:
    assert repr(ViewWidget(lab, "state")) == "the widget 'state' at moment 0 of 0"


def test_every_error_of_the_project_is_shown_and_not_raised(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise CalamityError("not today")

    front_end = FrontEnd(ViewWidget(lab, "controls"))
    monkeypatch.setattr(view_widget, "perform", refuse)
    front_end.ask("step_in")
    assert front_end.values["controls"]["sentence"] == "not today"


def test_the_form_refuses_a_command_whose_class_a_cell_defined_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_end = FrontEnd(lab.view)
    again = type("DepositFunds", (bank.DepositFunds,), {"__module__": bank.DepositFunds.__module__})
    monkeypatch.setattr(sys.modules[bank.DepositFunds.__module__], "DepositFunds", again)
    front_end.ask("send", command="DepositFunds", fields={"account_id": "1", "amount": "5"})
    assert (
        "DepositFunds was defined again, and this branch keeps the earlier class"
        in front_end.values["controls"]["sentence"]
    )
    assert len(lab.agenda) == len(bank.story())


def test_a_command_that_broke_is_taken_back_and_the_foot_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(bank)
    lab.send(bank.DepositFunds("1", 5))
    front_end = FrontEnd(lab.view)
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    front_end.ask("step_over")
    assert "returned 42" in front_end.values["controls"]["sentence"]
    assert front_end.values["controls"]["sentence"].endswith("press the ✕ beside it under Next")
    front_end.ask("abandon")
    assert front_end.values["agenda"]["in_progress"] is None
    assert len(lab.agenda) == 0
    front_end.ask("abandon")
    assert "No command is in progress" in front_end.values["controls"]["sentence"]


def test_a_widget_without_the_agenda_names_the_call_that_takes_a_broken_command_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = Lab(bank)
    lab.send(bank.DepositFunds("1", 5))
    front_end = FrontEnd(ViewWidget(lab, "state"))
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    front_end.ask("step_over")
    assert front_end.values["fact"]["sentence"].endswith("call lab.abandon()")


@pytest.mark.parametrize("verb", ["step_in", "step_over", "step_out", "resume"])
def test_a_model_that_may_go_no_further_is_said_and_everything_else_still_works(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    lab.step()
    front_end = FrontEnd(lab.view)
    before = lab.cursor

    def refuse() -> None:
        raise InvalidModel("BankAccount was defined again; make a new lab")

    with monkeypatch.context() as refusing:
        refusing.setattr(lab.stepper, "guard", refuse)
        front_end.ask(verb)
        assert front_end.values["controls"]["tone"] == "error"
        assert front_end.values["controls"]["sentence"] == "BankAccount was defined again; make a new lab"
        assert front_end.values["controls"]["cursor"] == lab.cursor == before
        front_end.ask("step_back")
        assert front_end.values["controls"]["tone"] != "error"
        assert front_end.values["controls"]["cursor"] == before - 1
        front_end.ask("end")
    front_end.ask(verb)
    assert front_end.values["controls"]["cursor"] > before


def test_what_is_picked_at_one_widget_is_picked_in_all_and_nothing_moves(lab: Lab) -> None:
    lab.resume()
    lab.goto(there := after(lab, "Executed"))
    lanes, table, all_views = (FrontEnd(ViewWidget(lab, face)) for face in ("timeline", "log", "lab"))
    patch = lanes.ask("select", mark="event 4")
    assert set(patch) == {"selected"}, "only what is selected changed"
    for front_end in (lanes, table, all_views):
        assert front_end.values["selected"] == front_end.expected()["selected"]
        assert front_end.values["selected"]["position"] == 4
    assert lab.cursor == there
    assert list(lab.selected) == [lab.trace.index.events[3]]


def test_a_mark_that_is_pressed_is_gone_to_and_so_is_a_step(lab: Lab) -> None:
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    front_end.ask("select", mark="event 4", go=True)
    assert lab.cursor == lab.trace.index.event_moments[3] == front_end.values["selected"]["moment"]
    populated = after(lab, "Populated", 2)
    front_end.ask("select", mark=f"step {populated}", go=True)
    assert lab.cursor == populated == front_end.values["selected"]["moment"]
    assert front_end.values["selected"]["kind"] == "step"


@pytest.mark.parametrize(
    ("picked", "kind"),
    [
        ({"stream_id": "BankAccount-alice"}, "stream"),
        ({"position": 2}, "event"),
        ({"mark": "event 2", "until": 9}, "range"),
        ({"mark": "event 9", "until": 2}, "range"),
        ({"mark": "event 2", "until": 10**9}, "range"),
        ({}, ""),
        ({"mark": "event 0", "go": True}, ""),
        ({"mark": f"event {10**9}", "go": True}, ""),
        ({"mark": "step 0", "go": True}, ""),
        ({"mark": f"step {10**9}", "go": True}, ""),
        ({"position": 10**9}, ""),
        ({"position": -1}, ""),
        ({"stream_id": "nobody"}, ""),
        ({"stream_id": "<b>\ud800</b>"}, ""),
    ],
)
def test_whatever_is_picked_is_there_or_nothing_is_picked(
    lab: Lab, picked: dict[str, Any], kind: str
) -> None:
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    before = lab.cursor
    front_end.ask("select", mark="event 1")
    front_end.ask("select", **picked)
    assert front_end.values["selected"]["kind"] == kind
    assert front_end.values["fact"]["tone"] != "error"
    assert lab.cursor == before


def test_an_event_of_before_the_trace_is_picked_and_not_gone_to() -> None:
    earlier = Lab(bank)
    earlier.send(*bank.story())
    earlier.resume()
    lab = Lab.attach(earlier.stack.event_store, bank)
    lab.send(bank.DepositFunds("alice", 5))
    lab.resume()
    before = lab.cursor
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    front_end.ask("select", mark="event 3", go=True)
    assert front_end.values["selected"]["moment"] == 0
    assert lab.cursor == before


def test_what_a_branch_has_not_is_picked_again_when_it_is_gone_back_to(lab: Lab) -> None:
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    last = len(lab.trace.index.events)
    front_end.ask("select", mark=f"event {last}")
    lab.goto(after(lab, "Executed"))
    lab.send(bank.CreateAccount("dan"))
    front_end.seen()
    assert front_end.values["selected"]["kind"] == ""
    lab.stepper.switch("main")
    front_end.seen()
    assert front_end.values["selected"]["first"] == last


def test_what_is_pointed_at_is_said_in_a_sentence(lab: Lab) -> None:
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    patch = front_end.ask("set_options", view="pointed", mark="event 1")
    assert patch == {"pointed": {"mark": "event 1", "sentence": front_end.values["pointed"]["sentence"]}}
    assert front_end.values["pointed"]["sentence"].startswith("AccountCreated #1: account_id='alice'")
    front_end.ask("set_options", view="pointed", mark=f"event {10**9}")
    assert front_end.values["pointed"]["sentence"] == ""


def test_the_lanes_get_only_what_is_new(lab: Lab) -> None:
    lab.step()
    front_end = FrontEnd(ViewWidget(lab, "timeline"))
    assert "chart" not in front_end.ask("step_in"), "a command that is only dispatched has no mark"
    patch = front_end.ask("step_over")["chart"]
    assert patch["kept"] == [1, 1, 1, 2, 0, 0]
    assert (patch["count"], len(patch["lanes"])) == ([1, 1, 0, 0], 1)
    assert "chart" not in front_end.ask("restart")
    assert "chart" not in front_end.ask("end")


def test_a_cell_that_steps_in_one_thread_and_a_person_in_another_are_said_one_after_the_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_widget, "PAUSE", 0.0)
    front_end = FrontEnd(ViewWidget(lab))
    contents, inside, met = front_end.widget.contents, Lock(), []

    def alone() -> dict[str, Any]:
        met.append(inside.acquire(blocking=False))
        sleep(0.001)
        found = views()
        inside.release()
        return found

    views = contents.views
    monkeypatch.setattr(contents, "views", alone)
    cell = Thread(target=lambda: [lab.step_in() for _ in range(40)])
    cell.start()
    while cell.is_alive():
        front_end.ask("set_options", view="log", limit=40)
    cell.join()
    assert len(met) > 41
    assert all(met), "nobody looks while another does"
    front_end.ask("set_options", view="log", limit=40)
    assert front_end.values == front_end.expected()


def test_what_is_selected_offers_its_actions_which_name_the_command_by_its_id(lab: Lab) -> None:
    widget = ViewWidget(lab, "lab")
    front_end = FrontEnd(widget)
    third = lab.agenda.pending[2]
    front_end.ask("select", command_id=third.command_id, details=True)
    offered = {each["label"]: each for each in front_end.values["details"]["actions"]}
    front_end.ask("choose", **offered["Run next"]["arguments"], label="Run next")
    assert lab.agenda.pending[0] == third
    front_end.ask("drop", **offered["Drop"]["arguments"])
    assert third not in lab.agenda.pending
    assert front_end.values == front_end.expected()


def test_a_view_that_stays_at_a_moment_offers_no_action_that_changes_the_run(lab: Lab) -> None:
    front_end = FrontEnd(lab.at(0).table)
    front_end.ask("select", command_id=lab.agenda.pending[0].command_id, details=True)
    assert front_end.values["details"]["title"]
    assert [action["verb"] for action in front_end.values["details"]["actions"]] == ["why"]


def test_an_answer_stays_until_something_else_is_selected(lab: Lab) -> None:
    widget = ViewWidget(lab, "lab")
    front_end = FrontEnd(widget)
    lab.select(lab.agenda.pending[0])
    widget.contents.answer_with(Answer("As a test", text="def test_it(): ..."))
    front_end.ask("step_over")
    assert front_end.values["details"]["answer"]["text"] == "def test_it(): ..."
    lab.select(lab.agenda.pending[0])
    front_end.ask("ready")
    assert front_end.values["details"]["answer"] is None

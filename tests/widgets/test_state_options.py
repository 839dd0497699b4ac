"""What is pinned, unfolded and looked back at in the state is asked of Python, and lasts with the widget."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.lab import Lab
from calamity_lab.widgets.patches import plain
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd

BOB = "BankAccount-bob"


@pytest.fixture
def front_end() -> FrontEnd:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    return FrontEnd(ViewWidget(lab, "state"))


def test_a_pin_lasts_whatever_happens(front_end: FrontEnd) -> None:
    front_end.ask("set_options", view="state", pinned=[BOB])
    for verb in ("restart", "step_over", "end", "step_back"):
        front_end.ask(verb)
        assert [row["stream_id"] for row in front_end.values["state"]["pinned"]] == [BOB]
    front_end.ask("set_options", view="state", query="carol")
    assert [row["stream_id"] for row in front_end.values["state"]["pinned"]] == [BOB]
    front_end.ask("set_options", view="state", pinned=[])
    assert front_end.values["state"]["pinned"] == []


def test_all_that_can_be_asked_for_together_is_put_together_from_patches() -> None:
    lab = Lab(fulfilment)
    lab.send(*fulfilment.story())
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "state"))
    front_end.ask(
        "set_options",
        view="state",
        pinned=["Order-1002"],
        unfolded=[["Order-1001", "lines"], ["Order-1001", "lines[0]"]],
        histories=[["StockItem-mug", "on_shelf"], ["Order-1002", "status"]],
        as_of=[["StockItem-teapot", 1]],
    )
    for verb in ["restart", *["step_over"] * 7, "step_back", "step_in", "end", "step_back_over"]:
        front_end.ask(verb)
        expected = plain(front_end.widget.contents.views()["state"])
        assert front_end.values["state"] == json.loads(json.dumps(expected)), verb


def test_looking_at_another_version_leaves_the_cursor_where_it_is(front_end: FrontEnd) -> None:
    lab: Any = front_end.widget.contents.lab
    before = lab.cursor
    patch = front_end.ask("set_options", view="state", as_of=[[BOB, 2]])
    assert set(patch) == {"state"}
    assert lab.cursor == before
    row = next(row for row in front_end.values["state"]["rows"] if row["stream_id"] == BOB)
    assert (row["as_of"]["version"], row["as_of"]["last"]) == (2, 6)


def test_a_step_elsewhere_sends_nothing_of_a_long_history() -> None:
    lab = Lab(bank)
    lab.send(*[bank.DepositFunds("a", n) for n in range(1, 100)])
    lab.resume()
    front_end = FrontEnd(ViewWidget(lab, "state"))
    front_end.ask("set_options", view="state", histories=[["BankAccount-a", "balance"]])
    lab.send(bank.DepositFunds("b", 1))
    front_end.ask("step_over")
    sent = json.dumps(front_end.ask("step_over") if not lab.stepper.at_end else front_end.messages[-1])
    assert "BankAccount-b" in sent
    assert len(sent) < 5_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pinned": "BankAccount-bob"}, "a list of texts"),
        ({"pinned": [7]}, "a text of 1,000 characters at most"),
        ({"pinned": [str(n) for n in range(300)]}, "200 at most"),
        ({"unfolded": [["BankAccount-bob"]]}, "pairs that begin with a stream"),
        ({"histories": [["BankAccount-bob", 3]]}, "a text of 1,000"),
        ({"as_of": [["BankAccount-bob", "two"]]}, "whole number"),
    ],
)
def test_options_that_make_no_sense_are_an_error_with_a_message(
    front_end: FrontEnd, options: dict[str, Any], message: str
) -> None:
    front_end.ask("set_options", view="state", **options)
    assert message in front_end.values["fact"]["sentence"]


def test_options_for_what_is_not_there_shows_what_is(front_end: FrontEnd) -> None:
    before = front_end.values["state"]["rows"]
    front_end.ask(
        "set_options",
        view="state",
        unfolded=[[BOB, "no.such[path]"], ["Nobody-1", "x"]],
        histories=[[BOB, "no.such[path]"]],
        as_of=[["Nobody-1", 3]],
    )
    assert front_end.values["state"]["rows"] == before

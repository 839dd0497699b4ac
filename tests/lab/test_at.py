"""`lab.at(n)`: views that stay at a moment, whatever the lab does."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pytest

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.widgets.view_widget import ViewWidget
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd

VIEWS = ("state", "timeline", "process_graph", "sequence", "table")


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story())
    lab.resume()
    return lab


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_at_a_moment_stays_when_the_lab_moves_and_forks(lab: Lab, name: str) -> None:
    moment = after(lab, "FundsWithdrawn")
    page = FrontEnd(getattr(lab.at(moment), name))
    shown, still = page.expected(), page.widget.still()
    assert page.values["fact"]["cursor"] == moment
    lab.step_back()
    lab.goto(moment - 2)
    lab.send(bank.DepositFunds("alice", amount=5_00))
    lab.resume()
    assert lab.trace.branch.name != "main"
    assert page.expected() == shown == page.values
    assert page.widget.still() == still
    assert f"Picture of step {moment} of {page.values['fact']['last']}" in still


def test_results_and_exports_at_a_moment_are_those_of_that_moment(lab: Lab) -> None:
    moment = after(lab, "FundsWithdrawn")
    at = lab.at(moment)
    lab.goto(moment)
    for name in ("aggregates", "process_managers", "events", "agenda", "stack", "moment"):
        assert getattr(at, name) == getattr(lab, name), name
    assert list(at.steps) == list(lab.steps)
    assert at.to_mermaid() == lab.to_mermaid()
    lab.restart()
    assert (
        at.aggregates["BankAccount-alice"].balance
        == lab.trace[moment].stack.aggregates["BankAccount-alice"].balance
    )
    assert len(at.events) > len(lab.events) == 0
    axes = at.plot_timeline()
    assert any(text.get_text() == f"moment {moment}" for text in axes.texts)
    plt.close(axes.figure)


@pytest.mark.parametrize(("given", "index"), [(-1, -1), (0, 0), (7, 7)])
def test_a_moment_is_named_by_its_index(lab: Lab, given: int, index: int) -> None:
    assert lab.at(given).cursor == index % len(lab.trace)
    assert lab.at(lab.trace[given]).cursor == index % len(lab.trace)


def test_a_moment_of_another_branch_is_found_on_that_branch(lab: Lab) -> None:
    moment = lab.moment
    lab.goto(5)
    early = lab.moment
    lab.send(bank.DepositFunds("alice", amount=5_00))
    lab.step()
    assert lab.at(moment).trace.branch.name == "main"
    assert lab.at(moment).cursor == moment.index
    assert lab.at(early).trace.branch.name == lab.trace.branch.name


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        (10_000, OutOfRange, r"no moment 10000; the trace has the moments 0 to \d+"),
        (-10_000, OutOfRange, "no moment -10000"),
        ("60", InvalidValue, r"at\(moment='60'\): give a whole number"),
        (True, InvalidValue, "a whole number"),
        (Lab(bank).moment, InvalidValue, "of another run"),
    ],
)
def test_what_is_no_moment_of_the_lab_is_refused(lab: Lab, given: Any, kind: type, says: str) -> None:
    with pytest.raises(kind, match=says):
        lab.at(given)


@pytest.mark.parametrize("verb", ["step_over", "step_back", "restart", "resume", "end"])
def test_a_view_at_a_moment_refuses_to_move_and_says_why(lab: Lab, verb: str) -> None:
    page = FrontEnd(lab.at(7).state)
    fact = page.ask(verb)["fact"]
    assert fact == {"sentence": "This view stays at step 7. To move, use the lab", "tone": "error"}
    assert page.values["fact"]["cursor"] == 7
    assert lab.cursor == lab.trace.last


def test_a_press_on_a_mark_selects_it_and_leaves_the_view_where_it_is(lab: Lab) -> None:
    page = FrontEnd(lab.at(7).timeline)
    page.ask("select", mark="event 5", go=True)
    assert page.values["selected"]["kind"] == "event"
    assert page.values["fact"]["cursor"] == 7
    assert page.values["fact"]["tone"] != "error"
    assert list(lab.selected) == []


def test_a_command_is_sent_to_the_lab_and_not_to_a_moment(lab: Lab) -> None:
    with pytest.raises(InvalidValue, match=r"lab\.goto\(7\), then lab\.send"):
        lab.at(7).send(bank.DepositFunds("alice", amount=1))


def test_what_is_at_a_moment_says_which_and_has_no_buttons(lab: Lab) -> None:
    at = lab.at(7)
    assert repr(at).startswith(f"Step 7 of {lab.trace.last} on branch 'main'")
    for name in ("view", "controls", "form", "dock", "step", "goto"):
        with pytest.raises(AttributeError, match=f"no '{name}'.*use the lab itself"):
            getattr(at, name)


def test_no_fault_is_offered_or_armed_where_the_cursor_stays(lab: Lab) -> None:
    page = FrontEnd(ViewWidget(lab.at(7), "agenda"))
    assert page.values["agenda"]["faults"] == []
    page.ask("inject", fault="crash")
    assert page.values["fact"]["sentence"] == "This view stays at step 7. To move, use the lab"
    page.ask("select", mark="event 5", details=True)
    assert {action["verb"] for action in page.values["details"]["actions"]} == {
        "why",
        "copy_test",
        "copy_cell",
    }
    assert FrontEnd(ViewWidget(lab, "agenda")).values["agenda"]["faults"] != []

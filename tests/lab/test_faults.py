"""Faults in a lab: what fits the model is armed, at any moment and on any branch, and can be taken back."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

from calamity_lab.errors import CalamityError, InvalidModel, OutOfRange
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RequestTransfer,
)
from calamity_lab.examples.fulfilment import OrderCancelled
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Lose, Redeliver
from calamity_lab.lab import Lab
from tests.trace.test_reload import Notebook


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(
        CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60)
    )
    lab.resume()
    return lab


def test_an_armed_fault_is_listed_with_what_it_waits_for_and_taken_back(lab: Lab) -> None:
    lab.inject(Crash())
    faults = lab.inject(Lose(DepositFunds))
    assert list(faults) == list(lab.faults) == [Crash(), Lose(DepositFunds)]
    assert repr(faults) == (
        "2 armed faults\n"
        "0  Crash(), waits for the next events that are recorded\n"
        "1  Lose(DepositFunds), waits for the next DepositFunds that a process manager sends"
    )
    assert ">Lose(DepositFunds)</td>" in faults._repr_html_()
    assert list(lab.take_back(Crash())) == [Lose(DepositFunds)]
    assert list(lab.take_back(0)) == []
    with pytest.raises(OutOfRange, match="no fault is armed"):
        lab.take_back(0)


def test_a_fault_in_the_past_begins_a_branch_and_the_same_fault_enters_it_again(lab: Lab) -> None:
    for _ in range(2):
        lab.switch("main")
        lab.goto(0)
        lab.inject(Lose(DepositFunds))
        lab.resume()
        assert lab.aggregates["BankAccount-b"].balance == 0
        assert list(lab.branches) == ["main", lab.trace.branch.name]
    lab.switch("main")
    assert lab.aggregates["BankAccount-b"].balance == 60
    assert list(lab.faults) == []


def test_a_fault_stays_with_its_branch_and_its_moments(lab: Lab) -> None:
    before = lab.cursor
    lab.inject(Crash())
    lab.fork("other")
    assert list(lab.faults) == [Crash()]
    lab.take_back(0)
    lab.switch("main")
    assert list(lab.faults) == [Crash()]
    lab.goto(before - 1)
    assert list(lab.faults) == []


def test_going_back_and_forward_again_gives_the_same_moments(lab: Lab) -> None:
    lab.goto(0)
    lab.inject(Redeliver(FundsWithdrawn))
    lab.inject(ConcurrentWriter("BankAccount-a", FundsDeposited("a", 5)))
    lab.resume()
    there = [(lab.trace[n].step, lab.trace[n].run) for n in range(len(lab.trace))]
    lab.restart()
    for n in range(1, len(there)):
        moment = lab.step_in()
        assert (moment.step, moment.run) == there[n]
    assert len(lab.trace) == len(there)


def test_a_replay_with_an_edit_carries_faults_out_as_far_as_they_fit(lab: Lab) -> None:
    lab.goto(0)
    lab.inject(Redeliver(FundsWithdrawn))
    lab.resume()
    lab.replay(edit={3: {"amount": 30}})
    assert lab.aggregates["BankAccount-b"].balance == 60  # 30, twice
    replay = lab.replay(without=2)
    assert list(lab.faults) == [Redeliver(FundsWithdrawn)]
    assert replay.unplayed == ()


def test_an_input_about_what_is_not_there_any_more_is_told(lab: Lab) -> None:
    withdrawn = next(each for each in lab.events if each.event_type == "FundsWithdrawn")
    lab.inject(Redeliver(withdrawn))
    lab.resume()
    replay = lab.replay(without=2)
    assert replay.unplayed == ("injected Redeliver(FundsWithdrawn #5): this event was not recorded",)


def test_a_fault_in_progress_is_abandoned(lab: Lab) -> None:
    lab.inject(Redeliver(lab.events[3]))
    lab.step_in()
    assert lab.stepper.moment.run.progress is not None
    lab.abandon()
    assert (list(lab.faults), lab.stepper.at_end) == ([], True)


def test_a_fault_is_carried_out_again_on_mended_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", notebook.module)
    notebook.run()
    lab = notebook.lab()
    now = notebook.names
    lab.send(notebook.pay(50))
    lab.inject(ConcurrentWriter("Account-a", now["Paid"]("a", now["Money"](7))))
    lab.inject(Redeliver(now["Paid"]))
    lab.inject(Lose(now["Thank"]))
    lab.resume()
    assert lab.aggregates["Account-a"].balance == 57
    notebook.run(("balance=self.balance + money", "balance=self.balance + 2 * money"))
    replay = lab.reload()
    assert (replay.unplayed, list(lab.faults)) == ((), [])
    assert lab.aggregates["Account-a"].balance == 114
    assert [step.kind for step in lab.steps].count("Injected") == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ConcurrentWriter("Nothing-1", FundsWithdrawn("a", 1)), "the stream of no aggregate of the model"),
        (ConcurrentWriter("BankAccount", FundsWithdrawn("a", 1)), "there are: 'BankAccount-...'"),
        (ConcurrentWriter("BankAccount-a", OrderCancelled("1", "")), "BankAccount cannot apply these events"),
        (ConcurrentWriter("BankAccount-a", DepositFunds("a", 1)), "BankAccount cannot apply these events"),
        (Redeliver(DepositFunds), "DepositFunds is a command; give an event or its class"),
        (Crash, "lab.inject(Crash())"),
        ("Crash", "lab.inject(Crash())"),
        (ClockJump(timedelta.max), "leave the years 1 to 9999"),
    ],
)
def test_what_cannot_happen_is_told_and_changes_nothing(lab: Lab, fault: Any, said: str) -> None:
    before = lab.trace
    with pytest.raises(CalamityError) as caught:
        lab.inject(fault)
    assert said in str(caught.value)
    assert lab.trace is before


def test_what_is_not_there_at_this_moment_is_told(lab: Lab) -> None:
    event = lab.events[-1]
    lab.goto(3)
    with pytest.raises(CalamityError, match="this event is not recorded at this moment"):
        lab.inject(Redeliver(event))
    lab.goto(next(moment.index for moment in lab.trace if moment.step and moment.step.commands))
    pending = lab.agenda.pending[0]
    lab.goto(-1)
    with pytest.raises(CalamityError, match="this command is not pending at this moment"):
        lab.inject(Lose(pending))


def test_a_model_without_process_managers_has_no_command_to_lose() -> None:
    lab = Lab(aggregates=[bank.BankAccount], commands=[DepositFunds])
    with pytest.raises(CalamityError, match="no process manager that could send this command"):
        lab.inject(Lose(DepositFunds))


def test_a_class_of_another_definition_is_refused() -> None:
    lab = Lab(fulfilment)
    stranger = type("PickStock", (), {"aggregate": lambda self: (fulfilment.StockItem, "1")})
    with pytest.raises(InvalidModel, match="PickStock"):
        lab.inject(Lose(stranger))

"""A lab on a run, and on a store that keeps what is recorded: what can be taken back, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from calamity_lab import Lab, Stack, command, seeded_ids, ticking_clock
from calamity_lab.errors import InvalidValue, ModelError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.steps import Conflicted
from calamity_lab.views.chart import Charts
from calamity_lab.views.lanes import Lanes, whole
from tests.kernel.outside import OutsideEvents
from tests.moments import after


def live(meanwhile: Any = None) -> tuple[Lab, OutsideEvents]:
    store = OutsideEvents(meanwhile)
    return Lab(bank, stack=Stack(event_store=store, ids=seeded_ids(7), clock=ticking_clock())), store


def balances(lab: Lab) -> dict[str, int]:
    return {name: account.balance for name, account in lab.aggregates.items()}


def runs_of(*commands: Any) -> list[Run]:
    """The run at each of its steps."""
    run = begin(Stack(process_manager_types=(Transfer,), ids=seeded_ids(7), clock=ticking_clock()), *commands)
    runs = [run]
    while not run.idle:
        _, run = advance(run)
        runs.append(run)
    return runs


def test_a_lab_opens_on_a_run_in_the_middle_and_goes_on_to_the_same_end() -> None:
    runs = runs_of(DepositFunds("1", 100), RequestTransfer("t1", "1", "2", 60), WithdrawFunds("2", 1000))
    for run in runs[:-1]:
        lab = Lab(bank, stack=run)
        assert (lab.cursor, len(lab.trace), lab.run.agenda) == (0, 1, run.agenda)
        end = lab.resume()
        assert (end.stack, end.index) == (runs[-1].stack, len(runs) - 1 - run.length)
        assert [step.index for step in lab.steps] == list(range(1, end.index + 1))
        assert (len(lab.history), len(lab.steps)) == (4, end.index)
        assert "BankAccount-2" in lab.view.still()
        assert lab.to_networkx().number_of_nodes() > 0
        assert whole(Lanes(Charts().of(lab.trace))).marks
        lab.step_back_over()
        lab.restart()
        assert lab.run == replace(run, length=0)


def test_the_sources_that_a_lab_is_given_are_those_of_the_run_that_it_goes_on_with() -> None:
    run = begin(Stack(process_manager_types=(Transfer,)), DepositFunds("1", 5))
    lab = Lab(bank, stack=run, ids=seeded_ids(3), clock=ticking_clock("2030-01-01"))
    lab.resume()
    assert lab.events[0].recorded_at.year == 2030
    with pytest.raises(
        InvalidValue, match=r"Lab\(stack=...\) takes a Stack, or a Run to continue; found dict"
    ):
        Lab(bank, stack={})  # type: ignore[arg-type]


def test_a_command_that_was_in_progress_when_the_trace_began_is_not_taken_back() -> None:
    run = runs_of(DepositFunds("1", 100))[2]
    lab = Lab(bank, stack=run)
    lab.step_in()
    with pytest.raises(InvalidValue, match="DepositFunds was in progress when this trace began"):
        lab.abandon()
    assert lab.step_back_over().index == 0
    lab.step()
    lab.send(DepositFunds("1", 1))
    lab.step_in()
    assert lab.abandon() == []


def test_stepping_on_a_live_store_writes_and_looking_back_shows_what_was_there() -> None:
    lab, store = live()
    lab.send(DepositFunds("1", 100), RequestTransfer("t1", "1", "2", 60))
    lab.resume()
    assert len(list(store.stream(ALL))) == len(lab.events) == 4
    assert balances(lab) == {"BankAccount-1": 40, "BankAccount-2": 60}
    lab.step_back_over()
    assert balances(lab) == {"BankAccount-1": 40}
    lab.restart()
    assert (balances(lab), len(lab.events)) == ({}, 0)
    lab.resume()
    assert len(list(store.stream(ALL))) == 4, "going along recorded moments writes nothing"


def test_acting_before_what_a_live_store_keeps_is_rejected_and_nothing_is_written_twice() -> None:
    lab, store = live()
    lab.send(DepositFunds("1", 100), DepositFunds("1", 50))
    lab.resume()
    lab.goto(after(lab, "Dispatched"))
    acts: list[Any] = [
        lambda: lab.send(WithdrawFunds("1", 10)),
        lambda: lab.choose(0),
        lambda: lab.drop(0),
        lab.abandon,
    ]
    for act in acts:
        with pytest.raises(
            InvalidValue, match=r"cannot be changed at moment [01]: .* keeps the 2 events .*Lab\.attach"
        ):
            act()
        assert (lab.cursor, len(lab.branches), len(list(store.stream(ALL)))) == (1, 1, 2)
    lab.goto(-1)
    lab.send(WithdrawFunds("1", 10))
    lab.resume()
    assert balances(lab) == {"BankAccount-1": 140}


def test_where_a_live_store_recorded_nothing_since_the_past_can_be_acted_in() -> None:
    lab, store = live()
    lab.send(WithdrawFunds("1", 10), DepositFunds("1", 5))
    lab.step()
    lab.restart()
    lab.drop(0)
    lab.resume()
    assert (list(lab.branches), len(list(store.stream(ALL)))) == (
        ["main", "branch 1"],
        1,
    )


def test_a_branch_that_a_live_store_has_left_behind_can_be_looked_at_but_does_not_go_on() -> None:
    lab, store = live()
    lab.send(WithdrawFunds("1", 10), DepositFunds("1", 5))
    lab.step()
    lab.restart()
    lab.send(DepositFunds("2", 7))
    lab.resume()
    assert lab.switch("main").index == after(lab, "Completed")
    for act in (lab.step, lab.resume, lambda: lab.send(DepositFunds("1", 1))):
        with pytest.raises(
            InvalidValue,
            match=r"cannot be changed at moment 4: .* keeps the 2 events of the moments after it",
        ):
            act()
    assert len(list(store.stream(ALL))) == 2, "the same deposit lay on both agendas, and was made once"


def test_what_another_writer_did_meanwhile_is_a_step_and_the_command_is_decided_on_it() -> None:
    def meanwhile(store: OutsideEvents) -> None:
        store.append("BankAccount-1", [bank.FundsDeposited("1", 1000)])
        store.append("BankAccount-9", [bank.FundsDeposited("9", 9)])

    lab, _ = live(meanwhile)
    lab.send(DepositFunds("1", 5), WithdrawFunds("1", 900))
    lab.resume()
    assert any(isinstance(step, Conflicted) for step in lab.steps)
    assert balances(lab) == {"BankAccount-1": 105}


def test_a_history_has_no_gap_where_others_wrote_meanwhile() -> None:
    lab, store = live()
    lab.send(DepositFunds("1", 5))
    lab.step()
    store.append("BankAccount-9", [bank.FundsDeposited("9", 9)])
    store.append("BankAccount-1", [bank.FundsDeposited("1", 1000)])
    lab.send(WithdrawFunds("2", 1), DepositFunds("1", 7))
    lab.resume()
    assert list(lab.events) == list(store.stream(ALL))
    assert balances(lab) == {"BankAccount-1": 1012}
    marks = whole(Lanes(Charts().of(lab.trace)))
    assert [mark.x for mark in marks.marks if mark.kind == "event"] == [1, 2, 3, 4]
    assert [row.name for row in marks.rows] == ["BankAccount-1", "BankAccount-2", "BankAccount-9"]
    assert lab.to_networkx().number_of_nodes() == 7
    for cursor in range(len(lab.trace)):
        lab.goto(cursor)
        assert [event.position for event in lab.events] in ([], [1], [1, 2, 3, 4])
        assert "BankAccount-9" in lab.view.still(), "in the timeline, past or still to come"


@dataclass(frozen=True)
class Noted:
    book_id: str


@command(to="Book", by="book_id")
@dataclass(frozen=True)
class Note:
    book_id: str


@dataclass(frozen=True)
class Book:
    book_id: str
    notes: int = 0

    @classmethod
    def new(cls, book_id: str) -> Book:
        return cls(book_id)

    def execute(self, _: Note) -> Noted:
        return Noted(self.book_id)

    def apply(self, _: Noted) -> Book:
        return replace(self, notes=self.notes + 1)


class Reader:
    @classmethod
    def interested(cls, event: Any) -> Any:
        raise RuntimeError("torn page")

    @classmethod
    def new(cls, id: str) -> Reader:  # noqa: A002
        return cls()

    def apply(self, event: Any) -> Reader:
        return self

    def handle(self, event: Any) -> None:
        return None


def test_a_command_whose_events_are_kept_is_not_taken_back_when_a_process_manager_breaks() -> None:
    lab = Lab(aggregates=[Book], process_managers=[Reader], stack=Stack(event_store=OutsideEvents()))
    lab.send(Note("1"))
    with pytest.raises(ModelError, match="torn page"):
        lab.step()
    with pytest.raises(InvalidValue, match="keeps the 1 event of the moments after it"):
        lab.abandon()
    assert lab.aggregates["Book-1"].notes == 1
    assert not lab.stepper.is_stuck, "so that no view offers to take it back"


def test_a_lab_over_a_store_that_keeps_events_is_not_replayed_on_other_classes() -> None:
    lab, store = live()
    with pytest.raises(InvalidValue, match=r"cannot be replayed on other classes, because .* keeps what is"):
        lab.reload()
    lab.send(DepositFunds("1", 5))
    lab.resume()
    with pytest.raises(
        InvalidValue, match=r"The run cannot be changed at moment 0: .* keeps the 1 event .* Lab\.attach"
    ):
        lab.reload()
    assert (list(lab.branches), lab.cursor, len(list(store.stream(ALL)))) == (["main"], lab.trace.last, 1)

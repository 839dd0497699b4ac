"""The kernel on the event store on SQL: a dispatch, a lab, a rebuilt stack, as on the in-memory store."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab import Lab
from calamity_lab.errors import Rejected
from calamity_lab.examples import bank
from calamity_lab.examples.bank import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    Transfer,
    WithdrawFunds,
    story,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from tests.kernel import functions, trading
from tests.kernel import told as told_model
from tests.kernel.running import finish
from tests.kernel.test_several_interests import STORY


def stack(**given: Any) -> Stack:
    return Stack(process_manager_types=(Transfer,), clock=ticking_clock(), ids=seeded_ids(7), **given)


def told(stack: Stack) -> tuple[Stack, list[str]]:
    """The stack after a day at the bank, and the reasons why commands were refused."""
    refusals = []
    for command in story():
        try:
            stack = dispatch(stack, command)
        except Rejected as rejected:
            refusals.append(rejected.reason)
    return stack, refusals


def test_a_day_at_the_bank_is_the_same_as_in_memory(url: str) -> None:
    model, wanted = told(stack())
    with SQLEventStore(url, bank) as store:
        found, refusals = told(stack(event_store=store))
        assert list(store) == list(model.event_store)
        assert (found.aggregates, found.process_managers) == (model.aggregates, model.process_managers)
        assert found.aggregate_versions == model.aggregate_versions
        assert refusals == wanted


SAID = {
    "a context and records": (told_model, (told_model.Desk,), (told_model.OpenTicket("1"),)),
    "several interests": (trading, (trading.Trader,), STORY),
    "policies and a decider": (functions, (functions.welcome, functions.remind), (functions.Open("1"),)),
}


@pytest.mark.parametrize("said", SAID)
def test_what_a_model_can_say_is_the_same_as_in_memory(url: str, said: str) -> None:
    model, managers, commands = SAID[said]
    sources = {"clock": ticking_clock(), "ids": seeded_ids(7), "process_manager_types": managers}
    wanted = Stack(**sources)
    with SQLEventStore(url, model) as store:
        found = Stack(event_store=store, **sources)
        for each in commands:
            wanted, found = dispatch_all(wanted, each), dispatch_all(found, each)
        assert list(store) == list(wanted.event_store)
        assert (found.aggregates, found.process_managers) == (wanted.aggregates, wanted.process_managers)
        types = list({type(aggregate) for aggregate in wanted.aggregates.values()})
        again = recover(Stack(event_store=store, **sources), types).stack
        assert (again.aggregates, again.process_managers) == (wanted.aggregates, wanted.process_managers)


def dispatch_all(stack: Stack, command: Any) -> Stack:
    """The stack after the command and all that it caused, rejections too."""
    return finish(begin(stack, command))[1].stack


def test_two_stacks_on_one_store_decide_on_each_others_events(url: str) -> None:
    with SQLEventStore(url, bank) as store, SQLEventStore(url, bank) as another:
        mine, theirs = Stack(event_store=store), Stack(event_store=another)
        mine = dispatch(mine, DepositFunds("1", 100))
        theirs = dispatch(theirs, WithdrawFunds("1", 70))
        mine = dispatch(mine, WithdrawFunds("1", 30))
        assert mine.aggregates["BankAccount-1"].balance == 0
        assert [recorded.stream_version for recorded in store] == [1, 2, 3]


def test_a_lab_runs_on_it_and_its_events_outlast_the_lab(url: str) -> None:
    with SQLEventStore(url, bank) as store:
        lab = Lab(bank, stack=Stack(event_store=store))
        lab.send(CreateAccount("1"), DepositFunds("1", 100))
        lab.resume()
        assert lab.aggregates["BankAccount-1"].balance == 100
        assert len(lab.history) == len(store) == 2
    with SQLEventStore(url, bank) as store:
        lab = Lab(bank, stack=Stack(event_store=store))
        lab.send(WithdrawFunds("1", 40))
        lab.resume()
        assert lab.aggregates["BankAccount-1"].balance == 60


def test_a_stack_is_rebuilt_from_it_with_and_without_snapshots(url: str) -> None:
    with SQLEventStore(url, bank) as store, SQLSnapshotStore(url, bank) as snapshots:
        before, _ = told(stack(event_store=store))
        take_snapshots(begin(before), snapshots)
        assert snapshots.get("BankAccount-alice", BankAccount) is not None
        for kept in (None, snapshots):
            again = rebuild(stack(event_store=store), [BankAccount], snapshots=kept)
            assert again.aggregates == before.aggregates
            assert again.process_managers == before.process_managers


def test_a_command_on_a_known_aggregate_reads_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SQLEventStore(url, bank) as store:
        stack = dispatch(Stack(event_store=store), DepositFunds("1", 100))
        reads: list[Any] = []
        read = store._database.rows
        monkeypatch.setattr(store._database, "rows", lambda *what: reads.append(what) or read(*what))
        stack = dispatch(stack, WithdrawFunds("1", 30))
        stack = dispatch(stack, DepositFunds("1", 5))
        assert reads == []
        assert stack.aggregates["BankAccount-1"].balance == 75


def test_the_step_of_an_append_has_the_events_as_a_read_finds_them(url: str) -> None:
    with SQLEventStore(url, bank) as store:
        run = begin(Stack(event_store=store), DepositFunds("1", 100))
        steps = []
        while not run.idle:
            step, run = advance(run)
            steps.append(step)
        (appended,) = [step for step in steps if isinstance(step, Appended)]
        assert list(appended.recorded) == list(store)

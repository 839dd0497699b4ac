"""Process managers that run on their own answer what other processes write, each event once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import ProcessManagerWorker, SQLEventStore


def worker_over(url: str) -> ProcessManagerWorker:
    return ProcessManagerWorker(
        Stack(event_store=SQLEventStore(url, bank, poll=0.01), process_manager_types=[Transfer])
    )


def settled(store: SQLEventStore, count: int) -> bool:
    """Whether so many commands of the outbox are settled, after a while."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if [entry.outcome for entry in store.outbox] == ["accepted"] * count:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_events_of_a_process_without_the_manager_are_answered_once(url: str, workers: int) -> None:
    with SQLEventStore(url, bank) as store:
        stack = dispatch(Stack(event_store=store), DepositFunds("a", 100))
        running = [worker_over(url) for _ in range(workers)]
        try:
            for n in range(5):
                stack = dispatch(stack, RequestTransfer(f"t{n}", "a", "b", 10))
            assert settled(store, 10)
        finally:
            for worker in running:
                assert (worker.error, worker.failed) == (None, ())
                worker.close()
                worker.stack.event_store.close()
        accounts = rebuild(Stack(event_store=store), [BankAccount]).aggregates
        assert {account.account_id: account.balance for account in accounts.values()} == {"a": 50, "b": 50}
        causes = [recorded.causation_id for recorded in store]
        assert len(set(causes)) == len(causes)
        elsewhere = Stack(event_store=store, process_managers_begin={"Transfer": "elsewhere"})
        assert recover(elsewhere).idle


def test_what_was_written_while_no_worker_ran_is_answered_when_one_starts(url: str) -> None:
    with SQLEventStore(url, bank) as store:
        with worker_over(url) as worker:
            assert worker.running
        stack = dispatch(Stack(event_store=store), DepositFunds("a", 100))
        dispatch(stack, RequestTransfer("t", "a", "b", 60))
        assert store.outbox == ()
        with worker_over(url) as worker:
            assert settled(store, 2)
            assert worker.wait_for(4, timeout=60)
        assert repr(worker) == "ProcessManagerWorker(Transfer, ended)"


def test_a_command_that_raises_is_tried_again_with_the_next_event(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, plain = [True], BankAccount.execute

    def execute(self: Any, command: Any) -> Any:
        if broken[0] and self.account_id == "b":
            raise KeyError("no such key")
        return plain(self, command)

    with SQLEventStore(url, bank) as store, worker_over(url) as worker:
        monkeypatch.setattr(BankAccount, "execute", execute)
        stack = dispatch(Stack(event_store=store), DepositFunds("a", 100))
        stack = dispatch(stack, RequestTransfer("t", "a", "b", 60))
        assert worker.wait_for(3, timeout=60)
        until = time.monotonic() + 60
        while not worker.failed and time.monotonic() < until:
            time.sleep(0.01)
        (failure,) = worker.failed
        assert failure.pending is not None
        assert failure.pending.command == DepositFunds("b", 60, "t")
        broken[0] = False
        dispatch(rebuild(stack, [BankAccount]), DepositFunds("a", 1))
        assert settled(store, 2)


@pytest.mark.parametrize("wrong", [None, Stack(), Stack(process_manager_types=[Transfer])])
def test_a_stack_that_cannot_be_worked_for_is_told(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="ProcessManagerWorker needs a stack"):
        ProcessManagerWorker(wrong)
    with (
        SQLEventStore("sqlite://", bank) as store,
        pytest.raises(InvalidValue, match="with process managers"),
    ):
        ProcessManagerWorker(Stack(event_store=store))

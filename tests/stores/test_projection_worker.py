"""Projections over a database: kept up to date, told from a checkpoint on, right again after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import pytest

from calamity_lab.errors import InvalidValue, ModelError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount, DepositFunds, FundsWithdrawn, WithdrawFunds
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import ProjectionWorker, SQLEventStore

COMMANDS = [CreateAccount("1"), DepositFunds("1", 50), DepositFunds("2", 5), WithdrawFunds("1", 20)]


@pytest.fixture
def store(tmp_path: Any) -> Iterator[SQLEventStore]:
    with SQLEventStore(f"sqlite:///{tmp_path / 'bank.db'}", bank, poll=0.01) as store:
        yield store


def record(store: SQLEventStore, *commands: Any) -> None:
    stack = Stack(event_store=store)
    for command in commands:
        stack = dispatch(stack, command)


class Table:
    """What somebody keeps of the changes: the last state of each instance, and the positions that came."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.positions: list[int] = []

    def write(self, stream_id: str, state: Any, recorded: RecordedEvent) -> None:
        self.rows[stream_id] = state
        self.positions.append(recorded.position)


def wait(worker: ProjectionWorker, store: SQLEventStore) -> None:
    assert worker.wait_for(store.version(ALL), timeout=60), worker.error


def test_a_worker_has_the_states_of_all_events_and_of_those_to_come(store: SQLEventStore) -> None:
    record(store, *COMMANDS[:2])
    with ProjectionWorker(store, [BankTotals, Turnover]) as worker:
        wait(worker, store)
        assert dict(worker.states) == {"BankTotals": BankTotals(1, 50, 0), "Turnover-1": Turnover("1", 50, 0)}
        record(store, *COMMANDS[2:])
        wait(worker, store)
        assert worker.states["BankTotals"] == BankTotals(1, 35, 0)
        assert worker.states["Turnover-1"] == Turnover("1", 50, 20)
        assert repr(worker) == "ProjectionWorker(BankTotals, Turnover, running)"
    assert (worker.running, worker.error) == (False, None)


def test_a_worker_that_starts_again_has_all_states_and_tells_only_what_is_new(store: SQLEventStore) -> None:
    table = Table()
    record(store, *COMMANDS[:2])
    with ProjectionWorker(store, [Turnover, BankTotals], changed=table.write, name="table") as worker:
        wait(worker, store)
    assert (table.rows, table.positions) == (dict(worker.states), [1, 2, 2])
    with ProjectionWorker(store, [Turnover, BankTotals], changed=table.write, name="table") as worker:
        assert worker.states["BankTotals"] == BankTotals(1, 50, 0), "at once, without a further event"
        assert table.positions == [1, 2, 2]
        record(store, *COMMANDS[2:])
        wait(worker, store)
    assert table.positions == [1, 2, 2, 3, 3, 4, 4]
    assert table.rows == dict(worker.states)
    assert table.rows["Turnover-1"] == Turnover("1", 50, 20)


def test_a_checkpoint_that_is_moved_back_tells_the_changes_again_and_counts_none_twice(
    store: SQLEventStore,
) -> None:
    table = Table()
    record(store, *COMMANDS)
    with ProjectionWorker(store, [BankTotals], changed=table.write, name="table") as worker:
        wait(worker, store)
        store.move_checkpoint("table", 2)
        record(store, DepositFunds("2", 1))
        wait(worker, store)
        assert table.positions[-3:] == [3, 4, 5]
        assert table.rows["BankTotals"] == worker.states["BankTotals"] == BankTotals(1, 36, 0)


def test_a_callback_that_raises_ends_the_worker_and_its_event_comes_again(store: SQLEventStore) -> None:
    table = Table()

    class Deposits(Turnover):
        __slots__ = ()

        def apply(self, event: Any) -> Self:
            if isinstance(event, FundsWithdrawn):
                raise ZeroDivisionError("by nothing")
            return super().apply(event)

    record(store, *COMMANDS)
    with ProjectionWorker(store, [Deposits], changed=table.write, name="table") as worker:
        assert not worker.wait_for(4, timeout=60)
        assert isinstance(worker.error, ModelError)
        assert "Deposits.apply raised ZeroDivisionError: by nothing" in str(worker.error)
    assert table.positions == [2, 3]
    Deposits.apply = Turnover.apply  # type: ignore[method-assign]
    with ProjectionWorker(store, [Deposits], changed=table.write, name="table") as worker:
        wait(worker, store)
    assert table.positions == [2, 3, 4]
    assert table.rows["Deposits-1"].paid_out == 20


def test_events_without_a_class_are_left_out_and_named_in_the_log(
    store: SQLEventStore, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    record(store, *COMMANDS)
    known = [bank.AccountCreated, bank.FundsDeposited]
    with (
        SQLEventStore(f"sqlite:///{tmp_path / 'bank.db'}", known, poll=0.01) as other,
        ProjectionWorker(other, [BankTotals]) as worker,
    ):
        wait(worker, other)
        assert worker.states["BankTotals"] == BankTotals(1, 55, 0)
    assert "leaves out FundsWithdrawn: the store has no class for it" in caplog.text


def test_what_is_no_store_or_no_projection_is_refused(store: SQLEventStore) -> None:
    with pytest.raises(InvalidValue, match="ProjectionWorker needs a store that calls subscribers; found 5"):
        ProjectionWorker(5, [BankTotals])
    with pytest.raises(InvalidValue, match=r"CreateAccount needs a classmethod new\(\) and apply\(event\)"):
        ProjectionWorker(store, [CreateAccount])
    with pytest.raises(InvalidValue, match="changed=3: give a function"):
        ProjectionWorker(store, [BankTotals], changed=3)  # type: ignore[arg-type]

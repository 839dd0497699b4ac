"""Events that were deleted by hand, in SQL: everything else of the history can be used on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab
from calamity_lab.errors import Rejected
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import rebuild, take_snapshots
from calamity_lab.kernel.run import Run, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.placement import one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from calamity_lab.views.versions import history_of
from tests.stores.sql.notes import execute

ACCOUNT = "BankAccount-1"


@pytest.fixture
def store(url: str) -> Iterator[SQLEventStore]:
    """A store in which the account got five deposits of 10, and the first three are deleted."""
    with SQLEventStore(url, bank) as store:
        stack = Stack(event_store=store)
        for _ in range(5):
            stack = dispatch(stack, DepositFunds("1", 10))
        execute(url, "DELETE FROM events WHERE stream_version <= 3")
        yield store


def test_a_stream_whose_first_events_are_deleted_is_written_again(store: SQLEventStore) -> None:
    stack = dispatch(Stack(event_store=store), DepositFunds("1", 7))
    assert (stack.aggregates[ACCOUNT].balance, stack.aggregate_versions[ACCOUNT]) == (27, 6)
    assert [r.stream_version for r in store.stream(ACCOUNT)] == [4, 5, 6]
    with pytest.raises(Rejected):
        dispatch(stack, WithdrawFunds("1", 28))


def test_a_stream_with_a_gap_in_the_middle_is_written_again(url: str) -> None:
    with SQLEventStore(url, bank) as store:
        stack = Stack(event_store=store)
        for _ in range(4):
            stack = dispatch(stack, DepositFunds("1", 10))
        execute(url, "DELETE FROM events WHERE stream_version IN (2, 3)")
        stack = dispatch(Stack(event_store=store), DepositFunds("1", 7))
        assert (stack.aggregates[ACCOUNT].balance, stack.aggregate_versions[ACCOUNT]) == (27, 5)


def test_a_stream_that_is_gone_begins_again(store: SQLEventStore, url: str) -> None:
    known = dispatch(dispatch(Stack(event_store=store), DepositFunds("1", 1)), DepositFunds("2", 5))
    execute(url, f"DELETE FROM events WHERE stream_id = '{ACCOUNT}'")
    for stack in (Stack(event_store=store), known):
        stack = dispatch(stack, DepositFunds("2", 1))
        assert stack.aggregate_versions["BankAccount-2"] in {2, 3}
    after = dispatch(known, DepositFunds("1", 7))
    assert (after.aggregates[ACCOUNT].balance, after.aggregate_versions[ACCOUNT]) == (7, 1)


def test_process_managers_go_on_over_the_gap(store: SQLEventStore) -> None:
    stack = rebuild(Stack(event_store=store, process_manager_types=[Transfer]), [BankAccount])
    assert stack.aggregate_versions[ACCOUNT] == 5
    stack = dispatch(dispatch(stack, DepositFunds("2", 1)), RequestTransfer("t", "1", "2", 15))
    assert [stack.aggregates[f"BankAccount-{n}"].balance for n in "12"] == [5, 16]


def test_snapshots_are_taken_and_used_after_a_deletion(store: SQLEventStore, url: str) -> None:
    with SQLSnapshotStore(url, bank) as snapshots:
        first = Snapshot(ACCOUNT, 2, 2, "deleted since", BankAccount("1", 20))
        snapshots.put(first)
        stack = rebuild(Stack(event_store=store), [BankAccount], snapshots=snapshots)
        assert (stack.aggregates[ACCOUNT].balance, stack.aggregate_versions[ACCOUNT]) == (20, 5)
        take_snapshots(Run(stack), snapshots)
        stack = dispatch(stack, DepositFunds("1", 1))
        again = rebuild(Stack(event_store=store), [BankAccount], snapshots=snapshots)
        assert (again.aggregates, again.aggregate_versions) == (stack.aggregates, stack.aggregate_versions)


def test_actors_take_the_versions_from_the_events(store: SQLEventStore) -> None:
    for _ in range(2):  # the second time the actors are new, and the stream has six events less three
        with ThreadActors() as actors:
            stack = one_for_each(Stack(event_store=store), actors)
            before = store.version(ACCOUNT)
            stack = dispatch(stack, DepositFunds("1", 10))
            assert stack.aggregates[ACCOUNT].balance == (before - 3 + 1) * 10
            assert stack.aggregate_versions[ACCOUNT] == before + 1
            store.append(ACCOUNT, [next(iter(store.stream(ACCOUNT))).event])
            stack = dispatch(stack, DepositFunds("1", 10))
            assert stack.aggregates[ACCOUNT].balance == (before - 3 + 3) * 10


def test_an_overlay_and_a_lab_show_what_is_left(store: SQLEventStore, url: str, tmp_path: Path) -> None:
    overlay = OverlayEventStore(store)
    assert (overlay.version(ACCOUNT), overlay.version(ALL)) == (5, 5)
    lab: Any = Lab.attach(url, bank)
    lab.send(DepositFunds("1", 7))
    lab.resume()
    assert lab.aggregates[ACCOUNT].balance == 27
    assert lab.history.to_pandas()["stream_version"].tolist() == [4, 5, 6]
    lab.history.to_csv(tmp_path / "events.csv")
    states = lab.aggregates.to_pandas()
    assert states["balance"].tolist() == [10, 20, 27]
    assert [event.stream_version for event in lab.commit()] == [6]


def test_a_lab_shows_the_versions_that_are_left(store: SQLEventStore, url: str) -> None:
    lab: Any = Lab.attach(url, bank)
    lab.send(DepositFunds("1", 7))
    lab.resume()
    history = history_of(lab.trace, lab.cursor, ACCOUNT, "balance")
    assert list(zip(history.versions, history.values, strict=True)) == [(4, "10"), (5, "20"), (6, "27")]


def test_an_attached_lab_hands_process_managers_no_event_twice(store: SQLEventStore, url: str) -> None:
    stack = Stack(event_store=store, process_manager_types=[Transfer])
    stack = dispatch(stack, DepositFunds("2", 1))
    dispatch(stack, RequestTransfer("t", "1", "2", 15))
    lab: Any = Lab.attach(url, bank)
    assert set(lab.trace[0].stack.delivered_upto) == {store.version(ALL)}

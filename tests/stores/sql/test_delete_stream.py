"""A stream that is deleted leaves a tombstone, and everything else goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab
from calamity_lab.errors import (
    InvalidValue,
    ReadOnlyStore,
    Rejected,
    StreamDeleted,
)
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, FundsDeposited, RequestTransfer, Transfer
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.protocols import ALL, ANY, NO_STREAM, STREAM_EXISTS
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from tests.stores.sql.notes import Noted, execute, proposed, refused, texts
from tests.stores.sql.test_subscriptions import notes, until


def test_a_deleted_stream_leaves_a_tombstone_and_is_not_written_again(url: str) -> None:
    with SQLEventStore(url, [Noted], clock=ticking_clock()) as store, SQLEventStore(url, [Noted]) as another:
        store.append("Note-1", [Noted("secret"), Noted("secret too")]).append("Note-2", [Noted("b")])
        store.append("Note-1", [Noted("more")])
        assert store.delete_stream("Note-1", reason="the customer asked for it") is store
        assert (texts(store), store.stream_ids, list(store.stream("Note-1"))) == (["b"], ("Note-2",), [])
        (tombstone,) = another.deleted_streams
        assert tombstone[:3] == ("Note-1", 3, 4)
        assert tombstone.reason == "the customer asked for it"
        assert str(tombstone.deleted_at.tzinfo) == "UTC"
        for expected in (ANY, NO_STREAM, STREAM_EXISTS, 3, 0):
            with refused(StreamDeleted, "'Note-1'", "version 3", "the customer asked for it") as raised:
                another.append("Note-1", [Noted("again")], expected_version=expected)
            assert (raised[0].stream_id, raised[0].version) == ("Note-1", 3)
        with refused(StreamDeleted, "'Note-1'"):
            store.append_all([("Note-3", *proposed("x")), ("Note-1", *proposed("y"))])
        with refused(StreamDeleted, "'Note-1'"):
            store.delete_stream("Note-1")
        assert (store.version(ALL), store.version("Note-1")) == (4, 0)
        assert texts(store.append("Note-3", [Noted("c")])) == ["b", "c"]


def test_positions_are_never_given_twice(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")]).append("Note-2", [Noted("b"), Noted("c")])
        store.delete_stream("Note-2")
        store.append("Note-1", [Noted("d")])
        assert [r.position for r in store] == [1, 4]
        execute(url, "DELETE FROM events WHERE position = 4")  # by hand, and the newest again
        store.append_all([("Note-3", *proposed("e")), ("Note-1", *proposed("f"))])
        assert [(r.position, r.stream_version) for r in store] == [(1, 1), (5, 1), (6, 2)]
    execute(url, "DELETE FROM events")
    with SQLEventStore(url, [Noted]) as store:
        assert store.version(ALL) == 6
        assert [r.position for r in store.append("Note-1", [Noted("g")])] == [7]


def test_subscriptions_go_on_over_a_deleted_stream(url: str) -> None:
    heard: list[RecordedEvent] = []
    one: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")]).append("Note-2", [Noted("b")])
        with store.subscription(ALL, heard.append, name="mailer") as subscription:
            assert subscription.wait_for(2, timeout=60)
        store.subscription("Note-2", one.append)
        store.append("Note-2", [Noted("c")])
        store.delete_stream("Note-2")
        store.subscribe(ALL, heard.append, name="mailer").append("Note-1", [Noted("d")])
        until(lambda: notes(heard) == ["a", "b", "d"])
        assert store.subscriber_errors == ()


def test_what_is_deleted_is_deleted_for_good(sqlite_url: str) -> None:
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    with SQLEventStore(sqlite_url, [Noted]) as store:
        for n in range(50):
            store.append("Note-1", [Noted(f"the secret of customer {n}")]).append("Note-2", [Noted("kept")])
        list(store)
        store.delete_stream("Note-1")
        left = {file.name for file in folder.iterdir() if b"the secret of" in file.read_bytes()}
        assert (left, len(texts(store))) == (set(), 50)


def test_the_snapshot_of_a_deleted_stream_is_deleted_too(url: str) -> None:
    with SQLEventStore(url, bank) as store, SQLSnapshotStore(url, bank) as snapshots:
        dispatch(dispatch(Stack(event_store=store), DepositFunds("1", 5)), DepositFunds("2", 5))
        for n, event in enumerate(store, 1):
            stream_id = f"BankAccount-{n}"
            snapshots.put(Snapshot(stream_id, 1, event.position, event.event_id, BankAccount(str(n), 5)))
        store.delete_stream("BankAccount-1")
        assert snapshots.get("BankAccount-1", BankAccount) is None
        assert snapshots.get("BankAccount-2", BankAccount) is not None


def test_a_stack_goes_on_without_the_deleted_stream(url: str, tmp_path: Path) -> None:
    with SQLEventStore(url, bank) as store:
        stack = Stack(event_store=store, process_manager_types=[Transfer])
        for command in (DepositFunds("1", 10), DepositFunds("2", 5), RequestTransfer("t", "1", "2", 4)):
            stack = dispatch(stack, command)
        store.delete_stream("BankAccount-1")
        for each in (stack, Stack(event_store=store)):
            with refused(Rejected, "BankAccount-1 was deleted") as raised:
                dispatch(each, DepositFunds("1", 1))
            assert raised[0].details == {"deleted_at": store.deleted_streams[0].deleted_at}
        stack = rebuild(Stack(event_store=store, process_manager_types=[Transfer]), [BankAccount])
        assert sorted(stack.aggregates) == ["BankAccount-2"]
        stack = dispatch(stack, DepositFunds("2", 1))
        assert stack.aggregates["BankAccount-2"].balance == 10
        lab: Any = Lab.attach(url, bank)
        assert "BankAccount-1" not in lab.aggregates
        lab.history.to_csv(tmp_path / "history.csv")
        lab.send(DepositFunds("2", 1))
        lab.resume()
        assert [event.position for event in lab.commit()] == [store.version(ALL)]


def test_a_transfer_to_a_deleted_account_is_rejected_and_given_back(url: str, tmp_path: Path) -> None:
    with SQLEventStore(url, bank) as store:
        stack = Stack(event_store=store, process_manager_types=[Transfer])
        for command in (DepositFunds("1", 10), DepositFunds("2", 5)):
            stack = dispatch(stack, command)
        store.delete_stream("BankAccount-2")
        lab: Any = Lab(bank, stack=stack, checked=False)
        lab.send(RequestTransfer("t", "1", "2", 4))
        lab.resume()
        assert lab.aggregates["BankAccount-1"].balance == 10
        rejected = [step.rejected.reason for step in lab.steps if step.rejected is not None]
        assert rejected == ["BankAccount-2 was deleted"]
        assert "BankAccount-2 was deleted" in lab.to_mermaid()
        lab.to_html(tmp_path / "run.html")
        assert not recover(Stack(event_store=store, process_manager_types=[Transfer])).agenda
        entry = next(each for each in store.outbox if each.outcome == "rejected")
        assert entry.reason == "BankAccount-2 was deleted"


def test_an_overlay_learns_of_the_tombstone_when_it_is_committed(url: str) -> None:
    with SQLEventStore(url, bank) as store:
        store.append("BankAccount-1", [FundsDeposited("1", 1)])
        overlay = OverlayEventStore(store).append("BankAccount-1", [FundsDeposited("1", 2)])
        store.delete_stream("BankAccount-1")
        with refused(StreamDeleted, "'BankAccount-1'"):
            overlay.commit()
        assert list(store) == []


def test_what_cannot_be_deleted_is_said(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url, [Noted], read_only=True) as reader:
        store.append("Note-1", [Noted("a")])
        with refused(InvalidValue, "no stream 'Note-9'", "nothing was deleted"):
            store.delete_stream("Note-9")
        with refused(InvalidValue, "one stream"):
            store.delete_stream(ALL)  # type: ignore[arg-type]
        with refused(InvalidValue, "reason=7"):
            store.delete_stream("Note-1", reason=7)  # type: ignore[arg-type]
        with refused(ReadOnlyStore):
            reader.delete_stream("Note-1")
        assert (texts(reader), reader.deleted_streams) == (["a"], ())


def test_a_stream_with_a_tombstone_put_in_by_hand_is_refused_too(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        execute(url, "INSERT INTO deleted_streams VALUES ('Note-1', 4, 9, '2026-01-31 09:30:00+00:00', '')")
        with refused(StreamDeleted, "2026-01-31 09:30:00 UTC", "version 4;"):
            store.append("Note-1", [Noted("a")])


def test_a_deletion_that_fails_deletes_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        statements = store._statements.delete_stream
        monkeypatch.setattr(store._statements, "delete_stream", (*statements, "DELETE FROM nowhere"))
        with pytest.raises(Exception, match="nowhere"):
            store.delete_stream("Note-1")
        assert (texts(store), store.deleted_streams) == (["a"], ())
        monkeypatch.undo()
        store.delete_stream("Note-1")

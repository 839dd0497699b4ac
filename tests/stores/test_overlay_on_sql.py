"""An overlay on a database: an event store like any other, that writes when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calamity_lab.errors import CommitConflict, ReadOnlyStore
from calamity_lab.examples import bank
from calamity_lab.examples.bank import FundsDeposited
from calamity_lab.kernel.protocols import ALL
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.serializer import Serializer
from calamity_lab.stores.sql import SQLEventStore
from calamity_lab.testing.event_store_conformance import EventStoreConformance


class TestOverlayBeforeAllThatADatabaseHolds(EventStoreConformance):
    examples = 15

    def new_store(self, types: tuple[type, ...]) -> OverlayEventStore:
        base = SQLEventStore("sqlite://", [*types, FundsDeposited])
        base.append("Note-1", [FundsDeposited("1", 1)] * 3)
        return OverlayEventStore(base, position=0)

    def close(self, store: OverlayEventStore) -> None:
        store.base.close()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SQLEventStore]:
    with SQLEventStore(f"sqlite:///{tmp_path / 'bank.db'}", bank) as store:
        store.append("BankAccount-1", [FundsDeposited("1", 1), FundsDeposited("1", 2)])
        store.append("BankAccount-2", [FundsDeposited("2", 3)])
        yield store


def test_a_commit_is_all_there_or_not_at_all(base: SQLEventStore) -> None:
    overlay = OverlayEventStore(base).append("BankAccount-3", [FundsDeposited("3", 4)])
    overlay = overlay.append("BankAccount-1", [FundsDeposited("1", 5)])
    base.append("BankAccount-1", [FundsDeposited("1", 6)])
    with pytest.raises(CommitConflict) as caught:
        overlay.commit()
    assert caught.value.streams == {"BankAccount-1": (2, 3)}
    assert (len(base), base.stream_ids) == (4, ("BankAccount-1", "BankAccount-2"))
    again = OverlayEventStore(base).append("BankAccount-3", [FundsDeposited("3", 4)])
    assert again.commit().events == tuple(base.stream(ALL, start_version=5))
    assert [event.event_id for event in base.stream("BankAccount-3")] == [again.own[0].event_id]


def test_a_database_that_may_only_be_read_is_not_committed_to(base: SQLEventStore) -> None:
    with SQLEventStore(base.url, bank, read_only=True) as read_only:
        overlay = OverlayEventStore(read_only).append("BankAccount-1", [FundsDeposited("1", 5)])
        with pytest.raises(ReadOnlyStore):
            overlay.commit()
    assert len(base) == 3


def test_events_on_top_go_by_the_names_that_the_database_has_for_them() -> None:
    with SQLEventStore("sqlite://", Serializer(bank, names={FundsDeposited: "bank.paid_in"})) as base:
        base.append("BankAccount-1", [FundsDeposited("1", 1)])
        overlay = OverlayEventStore(OverlayEventStore(base)).append("BankAccount-1", [FundsDeposited("1", 2)])
        assert [event.event_type for event in overlay] == ["bank.paid_in", "bank.paid_in"]

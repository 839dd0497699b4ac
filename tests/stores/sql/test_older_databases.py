"""A database that an earlier release wrote opens unchanged; `databases/` has one of each kind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from calamity_lab.examples import bank
from calamity_lab.examples.bank import (
    AccountCreated,
    BankAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    Transfer,
    TransferInitiated,
)
from calamity_lab.kernel.recovery import rebuild
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from tests.stores.sql.notes import connected

DATABASES = Path(__file__).parent / "databases"
ADA, BOB = "BankAccount-ada", "BankAccount-böb 😀"
EVENTS = [
    (ADA, 1, AccountCreated("ada")),
    (BOB, 1, AccountCreated("böb 😀")),
    (ADA, 2, FundsDeposited("ada", 100)),
    (ADA, 3, TransferInitiated("t1", "ada", "böb 😀", 40)),
    (ADA, 4, FundsWithdrawn("ada", 40, "t1")),
    (BOB, 2, FundsDeposited("böb 😀", 40, "t1")),
]


@pytest.fixture
def old(url: str) -> str:
    """The URL of a database that version 1 of the tables was written to by an earlier release."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((DATABASES / "version_1_sqlite.sql").read_text(encoding="utf-8"))
    else:
        with psycopg.connect(url) as connection:
            connection.execute((DATABASES / "version_1_postgresql.sql").read_bytes())
    return url


def test_its_events_are_read_as_they_were_and_its_snapshots_are_ignored(
    old: str, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLEventStore(old, bank) as store, SQLSnapshotStore(old, bank) as snapshots:
        assert [(r.stream_id, r.stream_version, r.event) for r in store] == EVENTS
        first, *_, last = store
        assert first.recorded_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert dict(last.metadata) == {"command": "DepositFunds", "process_manager": "Transfer-t1"}
        assert last.correlation_id == next(store.stream(ADA, start_version=3)).correlation_id
        # Which code made them is not known (decision 0113).
        assert snapshots.get(ADA, BankAccount) is None
        assert "taken by an earlier calamity_lab" in caplog.text


def test_a_stack_goes_on_with_it(old: str) -> None:
    with SQLEventStore(old, bank) as store:
        stack = rebuild(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
        stack = dispatch(stack, DepositFunds("ada", 5))
        assert stack.aggregates[ADA].balance == 65
    with SQLEventStore(old, bank) as store:
        assert [r.event for r in store.stream(ADA, start_version=5)] == [FundsDeposited("ada", 5)]
        assert store.version(ADA) == 5


def test_a_new_database_has_the_same_tables(old: str, tmp_path: Path, request: Any) -> None:
    if old.startswith("sqlite"):
        new = f"sqlite:///{tmp_path / 'new.db'}"
    else:
        new = next(request.getfixturevalue("postgres_urls"))
    SQLEventStore(new).close()
    SQLEventStore(old).close()  # it gets the tables that it lacks
    assert shape_of(new) == shape_of(old)
    assert shape_of(new), "nothing was compared"


def shape_of(url: str) -> list[Any]:
    """The columns and the indices that a database has."""
    if not url.startswith("sqlite"):
        return asked_of(
            url,
            "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 3",
            "SELECT indexname, replace(indexdef, current_schema(), '') FROM pg_indexes "
            "WHERE schemaname = current_schema() ORDER BY 1",
            "SELECT replace(pg_get_functiondef(oid), current_schema(), '') FROM pg_proc "
            "WHERE pronamespace = current_schema()::regnamespace",
        )
    return asked_of(
        url,
        "SELECT m.name, c.* FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY m.name, c.cid",
        'SELECT m.name, i.name, i."unique", c.* FROM sqlite_master m, pragma_index_list(m.name) i, '
        "pragma_index_info(i.name) c ORDER BY 1, 2, c.seqno",
    )


def asked_of(url: str, *statements: str) -> list[Any]:
    with closing(connected(url)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements]

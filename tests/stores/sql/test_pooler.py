"""A store behind a pooler that gives each transaction to another connection: nothing is left in a session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import psycopg
import pytest

from calamity_lab import Rejected, Stack, advance, begin, dispatch
from calamity_lab.errors import InvalidValue, StoreUnavailable, WrongExpectedVersion
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.protocols import ALL, NO_STREAM
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.postgres import LOCK
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from tests.stores.sql.notes import Noted, proposed, refused, texts
from tests.stores.sql.pooler import Pooler, sessions


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    with Pooler(postgres_url) as pooler:
        yield pooler.url


def test_stores_behind_a_pooler_append_and_read_at_once(pooled_url: str) -> None:
    def write(k: int) -> None:
        with SQLEventStore(pooled_url, [Noted]) as store:
            for n in range(15):
                store.append(f"Note-{k}", [Noted(str(n))], expected_version=n or NO_STREAM)
                assert store.version(f"Note-{k}") == n + 1
                assert [r.event.text for r in store.stream(f"Note-{k}")] == [str(m) for m in range(n + 1)]
            store.append_all([(f"Both-{k}", *proposed(f"a{k}")), (f"More-{k}", *proposed(f"b{k}"))])
            with pytest.raises(WrongExpectedVersion):
                store.append(f"Note-{k}", [Noted("late")], expected_version=3)

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(write, range(5)))
    with SQLEventStore(pooled_url, [Noted]) as store:
        assert [r.position for r in store] == list(range(1, 5 * 17 + 1))


def test_a_day_at_the_bank_goes_through_a_pooler(pooled_url: str) -> None:
    with SQLEventStore(pooled_url, bank) as store:
        stack = Stack(event_store=store, process_manager_types=[Transfer])
        for command in (DepositFunds("1", 10), DepositFunds("2", 1), RequestTransfer("t", "1", "2", 4)):
            stack = dispatch(stack, command)
        with pytest.raises(Rejected):
            dispatch(stack, WithdrawFunds("1", 7))
        assert [stack.aggregates[f"BankAccount-{n}"].balance for n in "12"] == [6, 5]


def test_a_store_leaves_nothing_in_the_sessions_of_a_pooler(pooled_url: str) -> None:
    with (
        SQLEventStore(pooled_url, [Noted]) as store,
        SQLEventStore(pooled_url, [Noted], read_only=True) as reader,
        store.subscription(ALL, lambda event: None) as subscription,
    ):
        for n in range(12):
            store.append("Note-1", [Noted(str(n))])
            store.append_all([("Note-1", *proposed(f"a{n}")), ("Note-2", *proposed(f"b{n}"))])
            assert len(texts(reader)) == 3 * (n + 1)
        assert subscription.wait_for(36, timeout=60)
    processes = set()
    for session in sessions(pooled_url):
        (left,) = session.execute(
            "SELECT ARRAY[current_setting('lock_timeout'), current_setting('default_transaction_read_only'),"
            " (SELECT count(*)::text FROM pg_prepared_statements),"
            " (SELECT count(*)::text FROM pg_listening_channels()),"
            " (SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())]"
        ).fetchone()
        assert left == ["0", "off", "0", "0", "0"]
        processes.add(session.execute("SELECT pg_backend_pid()").fetchone()[0])
    assert len(processes) > 1, "each transaction has another session"


def test_a_subscription_behind_a_pooler_looks_for_events(pooled_url: str, postgres_url: str) -> None:
    seen: list[str] = []
    with (
        SQLEventStore(pooled_url, [Noted]) as store,
        SQLEventStore(postgres_url, [Noted]) as direct,
        store.subscription(ALL, lambda event: seen.append(event.event.text)) as subscription,
    ):
        waited = []
        for n in range(3):
            direct.append("Note-1", [Noted(str(n))])
            started = time.monotonic()
            assert subscription.wait_for(n + 1, timeout=60)
            waited.append(time.monotonic() - started)
        assert min(waited) < 1.5, "it does not wait as long as one that is notified"
        assert seen == ["0", "1", "2"]


def test_an_append_behind_a_pooler_waits_for_the_lock_as_long_as_its_timeout(
    pooled_url: str, postgres_url: str
) -> None:
    with SQLEventStore(pooled_url, [Noted], timeout=0.3) as store:
        with psycopg.connect(postgres_url) as connection:
            connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            with refused(StoreUnavailable, "another writer is appending"):
                store.append("Note-1", [Noted("a")])
            with refused(StoreUnavailable, "another writer is appending"):
                store.append_all([("Note-1", *proposed("a")), ("Note-2", *proposed("b"))])
        store.append("Note-1", [Noted("c")])
        assert texts(store) == ["c"]


def test_an_append_behind_a_pooler_sees_what_was_committed_while_it_waited(postgres_url: str) -> None:
    url = postgres_url.replace("options=", "options=-cdefault_transaction_isolation%3Dserializable%20")
    with Pooler(url) as pooler, SQLEventStore(pooler.url, [Noted]) as store:
        with ThreadPoolExecutor(1) as thread:
            with psycopg.connect(postgres_url) as connection:
                connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                waiting = thread.submit(store.append, "Note-1", [Noted("second")])
                time.sleep(0.5)
                connection.execute(
                    "INSERT INTO events VALUES (1, 'Note-1', 1, 'x', 'Noted', 1, 'x', NULL, now(), '{}', "
                    '\'{"text": "first"}\')'
                )
            waiting.result()
        assert texts(store) == ["first", "second"]


def test_times_are_in_utc_behind_a_pooler_with_another_zone(postgres_url: str) -> None:
    url = postgres_url.replace("options=", "options=-ctimezone%3DAsia/Tokyo%20")
    with Pooler(url) as pooler, SQLEventStore(pooler.url, [Noted]) as store:
        recorded, _ = store.record("Note-1", proposed("a"), NO_STREAM)
        (read,) = store
        assert (read, read.recorded_at.tzinfo) == (recorded[0], UTC)


def test_snapshots_are_kept_behind_a_pooler(pooled_url: str) -> None:
    with SQLSnapshotStore(pooled_url, [BankAccount]) as snapshots:
        for n in range(1, 8):
            snapshots.put(Snapshot("BankAccount-1", n, n, f"id {n}", BankAccount("1", n)))
            found = snapshots.get("BankAccount-1", BankAccount)
            assert found is not None
            assert found.state.balance == n


def test_a_pooler_that_hides_itself_is_named_in_the_url(postgres_url: str) -> None:
    with (
        Pooler(postgres_url, tells_process=True) as pooler,
        SQLEventStore(f"{pooler.url}&pooled=yes", [Noted]) as store,
    ):
        for n in range(10):
            store.append("Note-1", [Noted(str(n))])
        assert len(texts(store)) == 10
        for session in sessions(pooler.url):
            assert session.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_snapshots_whose_prepared_statements_are_gone_are_put_all_the_same(postgres_url: str) -> None:
    with SQLSnapshotStore(postgres_url, [BankAccount]) as snapshots:
        for n in range(1, 10):
            snapshots.put(Snapshot("BankAccount-1", n, n, f"id {n}", BankAccount("1", n)))
            if n == 8:
                snapshots._database._lent._idle[-1].pgconn.exec_(b"DEALLOCATE ALL")
        found = snapshots.get("BankAccount-1", BankAccount)
        assert found is not None
        assert found.version == 9


def test_a_store_whose_prepared_statements_are_gone_goes_on_without_them(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as store:
        for n in range(8):
            store.append("Note-1", [Noted(str(n))])
            list(store.stream("Note-1"))
            for connection in store._database._lent._idle:
                if n >= 6:  # the reads are prepared by then, too
                    connection.pgconn.exec_(b"DEALLOCATE ALL")  # beside the driver, as in another session
        assert texts(store) == [str(n) for n in range(8)]
        assert [r.position for r in store] == list(range(1, 9))


def test_a_transfer_goes_on_when_the_prepared_statements_are_gone(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, bank) as store:
        stack = Stack(event_store=store, process_manager_types=[Transfer])
        stack = dispatch(dispatch(stack, DepositFunds("1", 10)), DepositFunds("2", 1))
        stack = dispatch(stack, RequestTransfer("t", "1", "2", 4))
        run = begin(stack, RequestTransfer("u", "1", "2", 3))
        (first,) = store._database._lent._idle
        while not run.idle:
            step, run = advance(run)
            if step.recorded and first in store._database._lent._idle:  # next, the event is handed on
                first.pgconn.exec_(b"DEALLOCATE ALL")
        assert first.closed
        assert [run.stack.aggregates[f"BankAccount-{n}"].balance for n in "12"] == [3, 8]


def test_what_a_url_says_of_a_pooler_is_checked(postgres_url: str, sqlite_url: str) -> None:
    with refused(InvalidValue, "pooled='maybe'", "pooled=yes"):
        SQLEventStore(f"{postgres_url}&pooled=maybe")
    with SQLEventStore(f"{postgres_url}&pooled=no", [Noted]) as store:
        assert texts(store.append("Note-1", [Noted("a")])) == ["a"]
    with refused(InvalidValue, "pooled"):
        SQLEventStore(f"{sqlite_url}?pooled=yes")


def test_a_store_that_is_not_behind_a_pooler_prepares_its_appends(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        (connection,) = store._database._lent._idle
        (count,) = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        assert count == 1

"""A server that goes away, is full or may not be written to: nothing is half-written, and all goes on."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import psycopg
import pytest

from calamity_lab.errors import (
    InvalidValue,
    ReadOnlyStore,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongExpectedVersion,
)
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.protocols import NO_STREAM
from calamity_lab.stores.sql import postgres
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.postgres import LOCK
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from calamity_lab.testing.postgres import PostgresServer
from tests.stores.sql.breaking_line import BreakingLine, breaking_line
from tests.stores.sql.notes import Noted, execute, proposed, refused, texts


@contextmanager
def held(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Another writer is at the end of the streams."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        yield connection
        connection.rollback()


@contextmanager
def waiting_append(store: SQLEventStore, url: str) -> Iterator[list[Any]]:
    """An append that has been sent and waits for another writer; in the end, what became of it."""
    outcome: list[Any] = []

    def append() -> None:
        try:
            outcome.append(store.append("Note-1", proposed("b", "c")))
        except StoreUnavailable as error:
            outcome.append(error)

    waiting = threading.Thread(target=append)
    waiting.start()
    with psycopg.connect(url, autocommit=True) as looking:
        while not looking.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchall():
            assert waiting.is_alive()
    yield outcome
    waiting.join(20)
    assert outcome


@pytest.fixture
def line(postgres_url: str) -> Iterator[tuple[BreakingLine, SQLEventStore]]:
    """A store that reaches its server over a line that can be cut."""
    with breaking_line(postgres_url) as (line, url), SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a"))
        yield line, store


def test_another_writer_that_does_not_end_is_told(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted], timeout=0.1) as store:
        store.append("Note-1", [Noted("a")])
        with held(postgres_url):
            with refused(StoreUnavailable, "cannot append 1 event", "another writer", "longer timeout"):
                store.append("Note-1", [Noted("b")])
            assert texts(store) == ["a"]
        assert texts(store.append("Note-1", [Noted("c")], expected_version=1)) == ["a", "c"]


def test_a_server_that_was_started_again_is_found_by_the_next_call(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        postgres_server.stop()
        try:
            for call in (lambda: texts(store), lambda: store.append("Note-1", [Noted("b")])):
                with refused(StoreUnavailable, "the server does not answer", "is it running?"):
                    call()
            with refused(StoreUnavailable, "open an event store in", "the server does not answer"):
                SQLEventStore(url)
        finally:
            postgres_server.start()
        assert texts(store.append("Note-1", [Noted("c")], expected_version=1)) == ["a", "c"]
        postgres_server.stop()
        postgres_server.start()
        assert len(store.append("Note-1", [Noted("d")], expected_version=2)) == 3
    postgres_server.drop_database(url)


def test_a_server_that_dies_in_mid_append_leaves_nothing_half_written(
    postgres_server: PostgresServer,
) -> None:
    # The server of the tests does not wait for its log by itself; one that keeps what it acknowledges does.
    url = f"{postgres_server.new_database()}&options=-csynchronous_commit%3Don"
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        another = psycopg.connect(url)
        another.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        with waiting_append(store, url) as outcome:
            postgres_server.crash()
        postgres_server.start()
        another.close()
        (told,) = outcome
        assert type(told) is StoreUnavailable
        assert "not known whether it was recorded" in str(told)
        assert "Appending the same events again is safe" in str(told)
        assert texts(store) == ["a"]
        store.append("Note-1", proposed("b", "c"), expected_version=1)
        assert texts(store) == ["a", "b", "c"]
    postgres_server.drop_database(url)


def test_a_request_that_got_lost_is_made_again(line: tuple[BreakingLine, SQLEventStore]) -> None:
    cable, store = line
    cable.cut_before = b"calamity_lab_append"
    store.append("Note-1", proposed("b", "c"), expected_version=1)
    assert cable.cuts == 1
    assert texts(store) == ["a", "b", "c"]


def test_an_answer_that_got_lost_is_looked_for(line: tuple[BreakingLine, SQLEventStore]) -> None:
    cable, store = line
    cable.cut_after = b"calamity_lab_append"
    store.append("Note-1", proposed("b", "c"), expected_version=1)
    assert cable.cuts == 1
    assert texts(store) == ["a", "b", "c"]


def test_a_refusal_whose_answer_got_lost_is_told_all_the_same(
    line: tuple[BreakingLine, SQLEventStore],
) -> None:
    cable, store = line
    cable.cut_after = b"calamity_lab_append"
    with refused(WrongExpectedVersion, "expected version 7", "version 1"):
        store.append("Note-1", proposed("b"), expected_version=7)
    assert cable.cuts == 1
    assert texts(store) == ["a"]


def test_the_answer_to_an_append_to_several_streams_is_looked_for(
    line: tuple[BreakingLine, SQLEventStore],
) -> None:
    cable, store = line
    b, c, d = proposed("b", "c", "d")
    cable.cut_after = b"COMMIT"
    recorded = store.append_all(
        [("Note-1", b), ("Note-2", c), ("Note-1", d)], expected_versions={"Note-1": 1, "Note-2": NO_STREAM}
    )
    assert cable.cuts == 1
    assert [(r.stream_id, r.stream_version, r.position) for r in recorded] == [
        ("Note-1", 2, 2),
        ("Note-2", 1, 3),
        ("Note-1", 3, 4),
    ]
    assert list(recorded) == list(store)[1:]


def test_an_append_that_the_server_still_works_on_is_waited_for(
    line: tuple[BreakingLine, SQLEventStore], postgres_url: str
) -> None:
    cable, store = line
    with held(postgres_url) as another, waiting_append(store, postgres_url) as outcome:
        cable.cut()
        another.rollback()
    assert outcome == [store]
    assert texts(store) == ["a", "b", "c"]


def test_an_append_of_which_nothing_can_be_known_says_so_and_may_be_repeated(
    line: tuple[BreakingLine, SQLEventStore], postgres_url: str
) -> None:
    cable, store = line
    events = proposed("b", "c")
    with held(postgres_url) as another, waiting_append(store, postgres_url) as outcome:
        cable.down = True
        cable.cut()
        (told,) = wait_for(outcome)
        another.rollback()
    assert "not known whether it was recorded" in str(told)
    cable.down = False
    with suppress(StoreError):  # "is there already", where the server recorded it though the line was cut
        store.append("Note-1", events)
    assert texts(store) == ["a", "b", "c"]


def wait_for(outcome: list[Any]) -> list[Any]:
    while not outcome:
        threading.Event().wait(0.01)
    return outcome


def test_appends_are_in_order_whatever_isolation_the_server_has_by_default(postgres_url: str) -> None:
    url = postgres_url.replace("options=", "options=-cdefault_transaction_isolation%3Dserializable%20")
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url, [Noted]) as another:
        with held(url) as third, waiting_append(another, url) as outcome:
            third.rollback()
        assert outcome == [another]
        with held(url) as third:
            waiting = [
                Thread(target=other.append, args=("Note-1", [Noted("d")])) for other in (store, another)
            ]
            for thread in waiting:
                thread.start()
            third.rollback()
        for thread in waiting:
            thread.join(10)
        assert texts(store) == ["b", "c", "d", "d"]


def test_a_snapshot_is_put_when_the_server_was_started_again(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    with SQLSnapshotStore(url) as snapshots:
        first = Snapshot("Noted-1", 1, 1, "event 1", Noted("a"))
        snapshots.put(first)
        postgres_server.stop()
        try:
            with refused(StoreUnavailable, "put the snapshot of Noted-1 into", "does not answer"):
                snapshots.put(first)
        finally:
            postgres_server.start()
        second = first._replace(position=2, version=2)
        assert snapshots.put(second).get("Noted-1", Noted) == second
        postgres_server.stop()
        postgres_server.start()
        third = first._replace(position=3, version=3)
        assert snapshots.put(third).get("Noted-1", Noted) == third
    postgres_server.drop_database(url)


def test_on_a_standby_that_tells_nobody_a_subscription_looks_now_and_then(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    # What a standby says to LISTEN, a server that is none says to this.
    statement = "SET TRANSACTION READ ONLY; CREATE TABLE nowhere (x int)"
    monkeypatch.setattr(postgres, "_LISTEN", f"BEGIN; {statement}")
    with SQLEventStore(postgres_url, [Noted], poll=0.05) as store:
        subscription = store.subscription("Note-1", lambda event: told.set())
        store.append("Note-1", [Noted("a")])
        assert told.wait(10), subscription


def test_a_full_disk_is_told_and_nothing_is_half_written(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        execute(
            postgres_url,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.position > 2) "
            "EXECUTE FUNCTION full_disk()",
        )
        with refused(StoreFull, "cannot append 2 events", "no room left", "nothing was written"):
            store.append("Note-1", [Noted("b"), Noted("c")])
        with refused(StoreFull, "no room left"):
            store.append_all([("Note-1", event) for event in proposed("b", "c")])
        assert texts(store) == ["a"]
        execute(postgres_url, "DROP TRIGGER full_disk ON events")
        assert texts(store.append("Note-1", [Noted("d")], expected_version=1)) == ["a", "d"]


def test_a_user_who_may_only_read_is_told(postgres_url: str) -> None:
    schema = postgres_url.rpartition("%3D")[2]
    with SQLEventStore(postgres_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
    execute(
        postgres_url,
        f"CREATE ROLE reader_{schema} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO reader_{schema}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader_{schema}",
    )
    with SQLEventStore(postgres_url.replace("postgres@", f"reader_{schema}@"), [Noted]) as store:
        with refused(ReadOnlyStore, "cannot append 1 event", "may be read, but not written"):
            store.append("Note-1", [Noted("b")])
        assert texts(store) == ["a"]
    execute(postgres_url, f"DROP OWNED BY reader_{schema}", f"DROP ROLE reader_{schema}")


def test_a_store_that_is_to_be_read_only_never_writes(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as writing:
        writing.append("Note-1", [Noted("a")])
        with SQLEventStore(postgres_url, [Noted], read_only=True) as reading:
            with refused(ReadOnlyStore, "read_only=True"):
                reading.append("Note-1", [Noted("b")])
            assert texts(reading) == ["a"]


@pytest.mark.parametrize(
    "stream_id", ["Note-\0", "Note-\ud800", f"Note-{random.Random(7).randbytes(9000).hex()}"]
)
def test_a_stream_id_that_cannot_be_kept_is_refused(postgres_url: str, stream_id: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        with refused(InvalidValue, "cannot append 1 event", "nothing was written"):
            store.append(stream_id, [Noted("b")])
        assert texts(store.append("Note-1", [Noted("c")], expected_version=1)) == ["a", "c"]

"""A store is opened by URL; where the database is something else, what was found is told and what works."""

from __future__ import annotations

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from traceback import format_exception
from typing import Any

import pytest

from calamity_lab.errors import (
    CalamityError,
    InvalidValue,
    MissingExtra,
    StoreError,
    StoreUnavailable,
    WrongSchema,
)
from calamity_lab.stores.sql import postgres
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.opening import create_tables
from tests.stores.sql.notes import Noted, execute, refused, tables, texts

OURS = {
    "calamity_lab_schema", "checkpoints", "deleted_streams", "deliveries", "ended", "events", "last_position",
    "outbox", "process_managers", "rejection_marks", "snapshots", "taken_rejections",
}  # fmt: skip


def test_an_empty_database_gets_the_tables_and_is_found_again(url: str) -> None:
    with SQLEventStore(url) as store:
        store.append("Note-1", [Noted("a")])
    with SQLEventStore(url, [Noted]) as store:
        assert texts(store) == ["a"]
    assert tables(url) == OURS


def test_a_store_opens_and_works_while_a_profiler_keeps_the_frames_that_it_saw(url: str) -> None:
    # With its frame, what a function left half-fetched lives on; workers of a cluster have such profilers.
    seen: list[Any] = []
    sys.setprofile(lambda frame, event, value: seen.append((frame, value)))
    try:
        with SQLEventStore(url, [Noted]) as store:
            store.append("Note-1", [Noted("a")]).append("Note-1", [Noted("b")])
            told = texts(store)
    finally:
        sys.setprofile(None)
    assert told == ["a", "b"]


def test_a_store_on_postgresql_that_one_thread_uses_has_one_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections, connect = [], postgres.PostgresDatabase.connect

    def connected(database: postgres.PostgresDatabase) -> Any:
        connections.append(database)
        return connect(database)

    monkeypatch.setattr(postgres.PostgresDatabase, "connect", connected)
    for opened in (1, 2):  # the first store makes the tables
        with SQLEventStore(postgres_url, [Noted]) as store:
            store.append("Note-1", [Noted("a")])
            store._database.write("DELETE FROM snapshots", {}, "write to")
            assert texts(store)[-1] == "a"
        assert len(connections) == opened


def test_many_may_open_a_new_database_at_once(url: str) -> None:
    all_there = Barrier(6)

    def open_(number: int) -> None:
        all_there.wait()
        with SQLEventStore(url) as store:
            store.append(f"Note-{number}", [Noted("a")])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(open_, range(6)))
    with SQLEventStore(url) as store:
        assert len(store.stream_ids) == 6


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite+pysqlite://", "sqlite:///file:a?mode=memory&uri=true"],
)
def test_a_store_in_memory_is_empty_and_its_own(url: str) -> None:
    with SQLEventStore(url) as store, SQLEventStore(url) as other:
        store.append("Note-1", [Noted("a")])
        assert (len(store), len(other)) == (1, 0)


@pytest.mark.parametrize("kind", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_every_way_to_write_a_url_of_postgresql_works(postgres_url: str, kind: str) -> None:
    with SQLEventStore(postgres_url.replace("postgresql://", kind, 1), [Noted]) as store:
        assert len(store.append("Note-1", [Noted("a")])) == 1


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mysql://root@localhost/bank", "'mysql'"),
        ("oracle+cx_oracle://x", "'oracle'"),
        ("postgresql+psycopg2://localhost/bank", "driver 'psycopg2'"),
        ("sqlite+aiosqlite:///bank.db", "driver 'aiosqlite'"),
        ("bank.db", "'bank.db'"),
        ("", "''"),
        (None, "None"),
        (Path("bank.db"), "bank.db"),
        ("postgresql://host:port/bank", "'postgresql://host:port/bank'"),
    ],
)
def test_a_url_that_cannot_work_is_told_which_ones_do(url: Any, found: str) -> None:
    with refused(InvalidValue, found, "sqlite:///events.db", "postgresql://user:password@host/database"):
        SQLEventStore(url)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with refused(MissingExtra, "psycopg", "pip install 'calamity-lab[postgres]'"):
        SQLEventStore("postgresql://localhost/bank")


def test_a_password_is_not_shown(postgres_url: str) -> None:
    secret = postgres_url.replace("postgres@", "postgres:sesame@")
    with SQLEventStore(secret) as store:
        assert "sesame" not in repr(store)
    with refused(StoreError, "no such database", "CREATE DATABASE") as raised:
        SQLEventStore(secret.replace("/lab_", "/nowhere_"))
    assert "sesame" not in str(raised[0])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@db.example:54x32/bank",
        "postgresql://ada:s3cret@[::1/bank",
        "postgresql://ada:s3c@s3cret@localhost/bank",
        "postgresql://ada:/s3cret?s3cret@localhost:1/bank",
        "postgresql://ada@127.0.0.1:1/bank?password=s3cret",
        "postgresql://ada@127.0.0.1:1/bank?sslmode=disable&PASSWORD=s3cret",
        "postgresql://ada@127.0.0.1:1/bank?sslpassword=s3cret",
        "postgresql://ada:s3cret@127.0.0.1:1/bank",
        "postgresql+psycopg2://ada:s3cret@127.0.0.1:1/bank",
        "postgresql://ada:s3cret@a..b/bank",
        "postgresql://ada:s3cret@127.0.0.1:1/bank?nosuch=1",
        "mysql://ada:s3cret@h/bank",
        "sqlite://ada:s3cret@/bank.db",
    ],
)
def test_no_message_and_no_traceback_has_a_password(url: str) -> None:
    with pytest.raises(CalamityError) as caught:
        SQLEventStore(url, timeout=1)
    assert "s3cret" not in "".join(format_exception(caught.value)).replace(f"SQLEventStore({url!r}", "")
    assert "***" in str(caught.value)


def test_a_url_that_sqlalchemy_made_may_be_given(tmp_path: Path) -> None:
    class Made:
        def render_as_string(self, *, hide_password: bool) -> str:
            return "***" if hide_password else f"sqlite:///{tmp_path / 'events.db'}"

    with SQLEventStore(Made(), [Noted]) as store:
        assert texts(store.append("Note-1", [Noted("a")])) == ["a"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://bank.db", "three slashes"),
        ("sqlite://./bank.db", "three slashes"),
        ("sqlite://user@/bank.db", "three slashes"),
        ("sqlite:///bank.db?nosuch=1", "'nosuch'"),
        ("sqlite:///file:bank.db?uri=maybe", "neither true nor false"),
        ("sqlite:///a\0b.db", "not a URL"),
        ("sqlite:///\ud800.db", "cannot"),
        ("postgresql://u:p@h1:abc/db", "not a URL"),
        ("postgresql://u@/db?nosuch=1&host=/nope", "nosuch"),
        ("postgresql://u@/d\0b?host=/nope", "not a URL"),
    ],
)
def test_a_malformed_url_is_an_error_of_ours(url: str, words: str) -> None:
    with refused(InvalidValue, words):
        SQLEventStore(url, timeout=1)


def test_a_name_that_is_too_long_for_a_file_is_told(tmp_path: Path) -> None:
    with refused(StoreError, "cannot be used"):
        SQLEventStore(f"sqlite:///{tmp_path}/{'a' * 300}.db")


def test_threads_that_read_wait_for_a_connection_and_are_told_when_none_comes(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted], timeout=0.2) as store:
        store.append("Note-1", [Noted("a")])
        lent = store._database._lent
        taken = [lent.take() for _ in range(15)]
        with refused(StoreUnavailable, "all 15 connections are in use", "longer timeout"):
            texts(store)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(texts, store)
            lent.give_back(taken.pop())
            assert waiting.result() == ["a"]
        for connection in taken:
            lent.give_back(connection)
        assert len(lent._idle) == 5, "the others should be closed"


@pytest.mark.parametrize(
    ("option", "given"), [("timeout", 0), ("timeout", True), ("poll", -1), ("poll", "1")]
)
def test_a_time_that_is_none_is_refused(option: str, given: Any) -> None:
    options: dict[str, Any] = {option: given}
    with refused(InvalidValue, f"{option}={given!r}", "seconds greater than 0"):
        SQLEventStore("sqlite://", **options)


def test_a_database_of_something_else_is_left_alone(url: str) -> None:
    execute(url, "CREATE TABLE customers (name TEXT)")
    with refused(WrongSchema, "customers", "none of an event store", "nothing was written", "create_tables"):
        SQLEventStore(url)
    assert tables(url) == {"customers"}


def test_events_may_stand_beside_other_tables_when_that_is_meant(url: str) -> None:
    execute(url, "CREATE TABLE customers (name TEXT)")
    create_tables(url)
    with SQLEventStore(url, [Noted]) as store:
        assert texts(store.append("Note-1", [Noted("a")])) == ["a"]
    create_tables(url)
    assert "customers" in tables(url)


@pytest.mark.parametrize("table", ["events", "snapshots"])
def test_a_table_of_something_else_with_our_name_is_left_alone(url: str, table: str) -> None:
    execute(
        url, f"CREATE TABLE {table} (id INTEGER, name TEXT)", f"INSERT INTO {table} VALUES (1, 'concert')"
    )
    for opening in (SQLEventStore, create_tables):
        with refused(WrongSchema, repr(table), "not an event store's", "nothing was written"):
            opening(url)
    assert tables(url) == {table}


@pytest.mark.parametrize(
    ("version", "found", "works"),
    [(0, "version 0", "the calamity_lab that wrote it"), (3, "version 3", "install a newer calamity_lab")],
)
def test_tables_of_another_version_are_left_alone(url: str, version: int, found: str, works: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
    execute(url, f"UPDATE calamity_lab_schema SET version = {version}")
    with refused(WrongSchema, found, "version 2", "nothing was changed", works):
        SQLEventStore(url)
    execute(url, "UPDATE calamity_lab_schema SET version = 2")
    with SQLEventStore(url, [Noted]) as store:
        assert texts(store) == ["a"]


def test_tables_that_somebody_changed_are_told(url: str) -> None:
    SQLEventStore(url).close()
    execute(url, "ALTER TABLE events RENAME COLUMN causation_id TO cause")
    with refused(WrongSchema, "causation_id"):
        SQLEventStore(url)


def test_a_version_that_is_no_number_is_told(sqlite_url: str) -> None:
    SQLEventStore(sqlite_url).close()
    execute(sqlite_url, "UPDATE calamity_lab_schema SET version = 'one'")
    with refused(WrongSchema, "version one", "nothing was changed"):
        SQLEventStore(sqlite_url)


def test_tables_that_were_dropped_are_made_again(url: str) -> None:
    SQLEventStore(url).close()
    for table in sorted(OURS):
        execute(url, f"DROP TABLE {table}")
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        assert texts(store) == ["a"]


def test_a_missing_function_is_told(postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [Noted]) as store:
        execute(postgres_url, "DROP FUNCTION calamity_lab_append_2")
        with refused(WrongSchema, "calamity_lab_append_2"):
            store.append("Note-1", [Noted("a")])
        assert len(store) == 0


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear reader, this is no database. " * 100)
    with refused(WrongSchema, "no SQLite database", "another file"):
        SQLEventStore(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear reader")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        store.append("Note-1", [Noted("long " * 10_000)] * 10)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with refused(StoreError, "damaged"), SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        texts(store)


def test_a_directory_is_told_as_one(tmp_path: Path) -> None:
    with refused(StoreError, "is a directory", "events.db"):
        SQLEventStore(f"sqlite:///{tmp_path}")


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with refused(StoreError, "no directory", "nowhere", "make it first"):
        SQLEventStore(f"sqlite:///{tmp_path}/nowhere/events.db")


def test_a_file_is_found_from_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with SQLEventStore("sqlite:///events.db", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert texts(store.append("Note-1", [Noted("b")])) == ["a", "b"]
    assert (tmp_path / "events.db").exists()


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.touch()
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        assert len(store.append("Note-1", [Noted("a")])) == 1


def test_a_file_name_may_have_any_sign(tmp_path: Path) -> None:
    path = tmp_path / "a b ü#1.db"
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
    with SQLEventStore(f"sqlite:///{path}", [Noted], read_only=True) as store:
        assert texts(store) == ["a"]
    assert {found.name for found in tmp_path.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def test_a_file_outlives_the_process_in_a_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SQLEventStore(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_closed_store_says_so(url: str) -> None:
    store = SQLEventStore(url, [Noted])
    store.close()
    store.close()
    for use in (lambda: store.append("Note-1", [Noted("a")]), lambda: len(store), lambda: list(store)):
        with refused(StoreError, "is closed"):
            use()

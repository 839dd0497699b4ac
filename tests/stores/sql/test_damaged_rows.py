"""Rows that somebody changed by hand: the error names the position, and the other events can be read."""

from __future__ import annotations

import json
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, ModelError, SerializationError, StoreError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import DepositFunds, FundsDeposited, RequestTransfer, Transfer
from calamity_lab.frames import History
from calamity_lab.kernel.protocols import ALL, BACKWARDS, FORWARDS
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.stores import UnreadableEvent
from calamity_lab.stores.serializer import Serializer
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted, connected, execute, refused, texts

LAST = 2**63 - 1
# What is written into the row at position 2, by database; and a word of the error.
DAMAGE = {
    "a BLOB for the stream id": ("sqlite", "stream_id = X'00FF'", "stream_id should be text"),
    "a BLOB for the payload": ("sqlite", "payload = X'7B7D'", "payload should be text"),
    "a BLOB for the metadata": ("sqlite", "metadata = X'7B7D'", "metadata should be text"),
    "text that is not UTF-8": ("sqlite", "payload = CAST(X'FF' AS TEXT)", "payload should be text"),
    "a type that is not UTF-8": ("sqlite", "event_type = CAST(X'FF' AS TEXT)", "cannot be read"),
    "a version that is text": ("sqlite", "stream_version = 'two'", "stream_version should be a whole number"),
    "a version that is a fraction": ("sqlite", "type_version = 1.5", "type_version should be a whole number"),
    "a time that is a number": ("sqlite", "recorded_at = X'31'", "cannot be read"),
    "a payload that is no JSON": ("sqlite", "payload = 'not json'", "Noted version 1"),
    "NULL for the payload": ("both", "payload = NULL", "payload should be text, found None"),
    "NULL for the metadata": ("both", "metadata = NULL", "metadata should be text, found None"),
    "NULL for the event id": ("both", "event_id = NULL", "event_id should be text, found None"),
    "NULL for the stream id": ("both", "stream_id = NULL", "stream_id should be text, found None"),
    "NULL for the version": ("both", "stream_version = NULL", "stream_version should be a whole number"),
    "NULL for the type": ("both", "event_type = NULL", "cannot be read"),
    "NULL for the type's version": ("both", "type_version = NULL", "type_version should be a whole number"),
    "NULL for the time": ("both", "recorded_at = NULL", "cannot be read"),
    "metadata that is a list": ("both", "metadata = '[1]'", "metadata must be an object"),
    "a payload of another shape": ("both", "payload = '{\"text\": 5}'", "text"),
    "a version of the future": ("both", "type_version = 7", "from the future"),
    "a version that is negative": ("both", "type_version = -1", "version"),
    "infinity for the time": ("postgresql", "recorded_at = 'infinity'", "infinity"),
    "a time before Christ": ("postgresql", "recorded_at = '0044-03-15 12:00 BC'", "cannot be read"),
}
CASES = [
    pytest.param(database, change, word, id=f"{database}-{name}".replace(" ", "-"))
    for name, (where, change, word) in DAMAGE.items()
    for database in ("sqlite", "postgresql")
    if where in {database, "both"}
]


@pytest.fixture
def written(request: pytest.FixtureRequest, database: str) -> str:
    """The URL of a database with three events, whose columns take NULL."""
    url: str = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a"), Noted("b"), Noted("c")])
    return url


def damage(url: str, change: str) -> None:
    """Change the row at position 2, in a table that allows everything."""
    if url.startswith("sqlite"):
        with closing(connected(url)) as connection, connection:
            (table,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'events'").fetchone()
            connection.execute("ALTER TABLE events RENAME TO strict_events")
            connection.execute(table.replace(" NOT NULL", ""))
            connection.execute("INSERT INTO events SELECT * FROM strict_events")
            connection.execute("DROP TABLE strict_events")
    else:
        columns = ("stream_id", "stream_version", "event_id", "event_type", "type_version", "recorded_at")
        for column in (*columns, "metadata", "payload"):
            execute(url, f"ALTER TABLE events ALTER COLUMN {column} DROP NOT NULL")
    execute(url, f"UPDATE events SET {change} WHERE position = 2")


@pytest.mark.parametrize(("database", "change", "word"), CASES)
def test_a_damaged_row_is_named_and_the_others_are_read_and_exported(
    written: str, change: str, word: str
) -> None:
    damage(written, change)
    with SQLEventStore(written, [Noted]) as store:
        with refused(SerializationError, "position 2", word, 'unreadable="keep"'):
            list(store.stream(ALL))
        assert next(store.stream(ALL)).event == Noted("a")
        assert next(store.stream(ALL, direction=BACKWARDS)).event == Noted("c")
    with SQLEventStore(written, [Noted], unreadable="keep") as store:
        first, damaged, last = store.stream(ALL)
        assert (first.event, last.event) == (Noted("a"), Noted("c"))
        assert isinstance(damaged.event, UnreadableEvent)
        assert damaged.position == 2
        assert damaged.event.row["position"] == "2"
        assert word in damaged.event.reason or word == "cannot be read"
        assert len(store.stream_ids) in {1, 2}
        history = History(store)
    frame = history.to_pandas()
    assert list(frame["position"]) == [1, 2, 3]
    assert list(frame["reason"].notna()) == [False, True, False]
    rows = [json.loads(line) for line in (history.to_json_lines() or "").splitlines()]
    assert [row["event"].get("text") for row in rows] == ["a", None, "c"]
    assert rows[1]["event"]["reason"] == damaged.event.reason
    assert (history.to_csv() or "").count("\n") >= 4
    history.to_arrow()
    assert "3 events" in history._repr_html_()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_metadata_of_another_shape_is_read_and_exported(written: str) -> None:
    damage(written, """metadata = '{"command": {"a": [1]}, "process_manager": 5, "user": null}'""")
    with SQLEventStore(written, [Noted]) as store:
        assert texts(store) == ["a", "b", "c"]
        history = History(store)
    assert "1" in str(history.to_pandas()["command"][1])
    history.to_csv()
    history.to_arrow()
    history._repr_html_()


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_stream_whose_version_is_no_number_is_not_appended_to(written: str) -> None:
    damage(written, "stream_version = 'two'")
    with SQLEventStore(written, [Noted]) as store:
        for use in (lambda: store.append("Note-1", [Noted("d")]), lambda: store.version("Note-1")):
            with refused(StoreError, "no whole number: 'two'", "Correct the row"):
                use()
        assert len(store.append("Note-2", [Noted("d")])) == 4


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_event_at_the_last_position_is_read_once_and_nothing_is_written_behind_it(written: str) -> None:
    execute(written, f"UPDATE events SET position = {LAST} WHERE position = 3")
    with SQLEventStore(written, [Noted]) as store:
        assert [event.position for event in list(store)] == [1, 2, LAST]
        assert len(store) == 3
        assert list(store.stream(ALL, start_version=LAST + 1)) == []
        assert [event.position for event in store.stream(ALL, start_version=LAST)] == [LAST]
        with refused(InvalidValue, "nothing was written"):
            store.append("Note-1", [Noted("d")])
        assert texts(store) == ["a", "b", "c"]
        assert list(History(store).to_pandas()["position"]) == [1, 2, LAST]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_pages_behind_a_damaged_row_are_read(written: str) -> None:
    with SQLEventStore(written, [Noted]) as store:
        store.append("Note-2", [Noted(f"{n}") for n in range(300)])
    damage(written, "payload = NULL")
    execute(written, "UPDATE events SET payload = NULL WHERE position = 150")
    with SQLEventStore(written, [Noted], unreadable="keep") as store:
        found = list(store)
    assert len(found) == 303
    assert [e.position for e in found if isinstance(e.event, UnreadableEvent)] == [2, 150]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_lab_opens_a_damaged_history_and_warns_once(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> None:
    url: str = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    with SQLEventStore(url, bank) as store:
        stack = Stack(event_store=store)
        for account in ("a", "a", "b"):
            stack = dispatch(stack, DepositFunds(account, 5))
    damage(url, "payload = '[1]'")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lab = Lab.attach(url, bank)
    (warning,) = [str(each.message) for each in caught]
    assert "1 event cannot be read (at position 2)" in warning
    assert "BankAccount-a is left out" in warning
    assert lab.aggregates["BankAccount-b"].balance == 5
    assert isinstance(lab.history[1].event, UnreadableEvent)
    lab.to_html(tmp_path / "lab.html")
    with (
        SQLEventStore(url, bank, unreadable="keep") as store,
        refused(ModelError, "restore it from a backup"),
    ):
        rebuild(Stack(event_store=store), [bank.BankAccount])


def test_an_unreadable_event_is_not_stored(sqlite_url: str) -> None:
    event = UnreadableEvent("no text", {"payload": "None"})
    with refused(SerializationError, "cannot be stored"):
        Serializer([UnreadableEvent]).encode(event)
    with SQLEventStore(sqlite_url) as store, refused(SerializationError, "cannot be stored"):
        store.append("Note-1", [event])


def test_a_wrong_word_for_unreadable_rows_is_refused() -> None:
    word: Any = "skip"
    with refused(InvalidValue, "unreadable", "'raise' or 'keep'"):
        SQLEventStore("sqlite://", unreadable=word)


@pytest.mark.parametrize("column", ["stream_id", "stream_version", "event_type", "recorded_at", "event_id"])
def test_a_lab_shows_a_history_in_which_a_column_is_damaged(
    sqlite_url: str, tmp_path: Path, column: str
) -> None:
    with SQLEventStore(sqlite_url, bank) as store:
        stack = dispatch(Stack(event_store=store), DepositFunds("a", 5))
        dispatch(stack, DepositFunds("b", 5))
    damage(sqlite_url, f"{column} = CAST(X'FF' AS TEXT)")
    with pytest.warns(UserWarning, match="1 event cannot be read"):
        lab = Lab.attach(sqlite_url, bank)
    lab.send(DepositFunds("a", 1))
    lab.resume()
    assert lab.aggregates["BankAccount-a"].balance == 6
    lab.to_html(tmp_path / "lab.html")
    assert len(lab.history.to_pandas()) == 3


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("UPDATE outbox SET sender = X'00', outcome = NULL", "sender should be text"),
        ("UPDATE outbox SET depth = 'x', outcome = NULL", "depth should be a whole number"),
        ("UPDATE outbox SET cause = 'x', outcome = NULL", "cause should be a whole number"),
        ("UPDATE outbox SET command_type = CAST(X'FF' AS TEXT), outcome = NULL", "command_type should be"),
        ("UPDATE process_managers SET position = 'x'", "process manager 'Transfer', position 'x'"),
        ("UPDATE process_managers SET name = CAST(X'FF' AS TEXT)", "mark that cannot be read"),
        ("UPDATE last_position SET position = 'x'", "no whole number: 'x'"),
    ],
)
def test_a_damaged_row_beside_the_events_is_named(sqlite_url: str, change: str, word: str) -> None:
    with SQLEventStore(sqlite_url, bank) as store:
        stack = Stack(event_store=store, process_manager_types=[Transfer])
        stack = dispatch(stack, DepositFunds("a", 5))
        dispatch(stack, RequestTransfer("t", "a", "b", 3))
    execute(sqlite_url, change)
    with SQLEventStore(sqlite_url, bank) as store:
        with pytest.raises((StoreError, SerializationError), match=word):
            recover(Stack(event_store=store, process_manager_types=[Transfer]))
        assert len(list(store.stream(ALL))) == 4
        if "last_position" in change:
            with pytest.raises(StoreError, match=word):
                store.append("BankAccount-c", [FundsDeposited("c", 1)])


def test_a_lab_opens_a_history_with_an_event_at_the_last_position(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, bank) as store:
        dispatch(Stack(event_store=store), DepositFunds("a", 5))
    execute(sqlite_url, f"UPDATE events SET position = {LAST}")
    assert Lab.attach(sqlite_url, bank).aggregates["BankAccount-a"].balance == 5


@pytest.mark.parametrize("direction", [FORWARDS, BACKWARDS])
@pytest.mark.parametrize("events", [2, 200])
def test_a_stream_of_which_a_version_is_no_number_is_not_read_without_that_event(
    sqlite_url: str, direction: Any, events: int
) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted(str(n)) for n in range(events)])
    execute(sqlite_url, "UPDATE events SET stream_version = 'two' WHERE position = 2")
    with SQLEventStore(sqlite_url, [Noted]) as store:
        with pytest.raises((SerializationError, StoreError), match="two"):
            list(store.stream("Note-1", direction=direction))
        assert len(list(store.stream(ALL, start_version=3))) == events - 2

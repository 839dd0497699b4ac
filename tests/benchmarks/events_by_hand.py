"""The same inserts and reads as the SQL event store makes, written straight to the drivers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import psycopg

from calamity_lab.kernel.recorded import RecordedEvent

_NAMES = (
    "position, stream_id, stream_version, event_id, event_type, type_version, correlation_id, causation_id, "
    "recorded_at, metadata, payload"
)
_WIDTH = _NAMES.count(",") + 1

Row = tuple[Any, ...]


def rows(history: Sequence[RecordedEvent]) -> list[Row]:
    """What is inserted for each event: its payload written already, so that only the database is timed."""
    return [
        (
            r.position, r.stream_id, r.stream_version, r.event_id, r.event_type, 1, r.correlation_id,
            r.causation_id, r.recorded_at.isoformat(), json.dumps(r.metadata),
            json.dumps({name: getattr(r.event, name) for name in r.event.__dataclass_fields__}),
        )
        for r in history
    ]  # fmt: skip


def batches(things: Sequence[Any], size: int) -> list[list[Any]]:
    """The things in their order, so many at a time."""
    rest = iter(things)
    return list(iter(lambda: list(islice(rest, size)), []))


def sqlite_appends(path: str, written: Sequence[Row], size: int) -> Callable[[], Any]:
    """Inserts into a table that the event store has made, a transaction for each batch."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=NORMAL")
    statement = f"INSERT INTO events ({_NAMES}) VALUES ({', '.join('?' * _WIDTH)})"
    parts = batches(written, size)

    def work() -> None:
        for part in parts:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT max(position) FROM events").fetchone()
            connection.executemany(statement, part)
            connection.execute("COMMIT")

    return work


def postgres_appends(url: str, written: Sequence[Row], size: int) -> Callable[[], Any]:
    """Inserts into a table that the event store has made, a transaction for each batch."""
    connection = psycopg.connect(url)
    statement = f"INSERT INTO events ({_NAMES}) VALUES ({', '.join(['%s'] * _WIDTH)})"
    parts = batches(written, size)

    def work() -> None:
        for part in parts:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SELECT max(position) FROM events").fetchone()
                cursor.executemany(statement, part)

    return work


def reads(connect: Callable[[], Any]) -> Callable[[], Any]:
    """All events in order of position, their payloads and metadata parsed."""

    def work() -> list[Any]:
        found = connect().execute(f"SELECT {_NAMES} FROM events ORDER BY position").fetchall()
        return [(*row[:-2], *map(_parsed, row[-2:])) for row in found]

    return work


def _parsed(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text

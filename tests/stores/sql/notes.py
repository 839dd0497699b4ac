"""Small events for the tests of the stores on SQL, and how their stores are looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.clocks_and_ids import system_clock
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent
from calamity_lab.stores.sql.event_store import SQLEventStore


@dataclass(frozen=True)
class Noted:
    text: str


def proposed(*texts: str, ids: tuple[str, ...] = ()) -> list[ProposedEvent]:
    """Notes with ids of their own, or with the ids given."""
    now = system_clock()
    return [
        ProposedEvent(Noted(note), id_, "correlation", None, now, NO_METADATA)
        for note, id_ in zip(texts, ids or [f"id of {note}" for note in texts], strict=True)
    ]


def texts(store: SQLEventStore) -> list[str]:
    """What was noted, in order of position."""
    return [recorded.event.text for recorded in store.stream(ALL)]


def execute(url: str, *statements: str) -> None:
    """Change a database by hand."""
    with closing(connected(url)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def tables(url: str) -> set[str]:
    """The tables that are in a database, by name."""
    sqlite = "SELECT name FROM sqlite_master WHERE type = 'table'"
    postgres = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    with closing(connected(url)) as connection:
        found = connection.execute(sqlite if url.startswith("sqlite") else postgres).fetchall()
    return {name for (name,) in found}


def connected(url: str) -> Any:
    """A connection of the driver."""
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url)


@contextmanager
def refused(kind: type[CalamityError], *words: str) -> Iterator[list[Any]]:
    """What must raise that error, in a message that has all these words."""
    raised: list[Any] = []
    with pytest.raises(kind) as caught:
        yield raised
    raised.append(caught.value)
    assert type(caught.value) is kind
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} should be in: {caught.value}"

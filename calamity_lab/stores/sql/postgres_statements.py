"""What is asked of PostgreSQL to append events: in one round trip, by a function that the database has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Insert, Integer, Select, Text, bindparam, cast, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TIMESTAMP
from sqlalchemy.sql.expression import ColumnElement, FromClause
from sqlalchemy.types import TypeEngine

from calamity_lab.stores.sql.entries import Entry, Heads, placed
from calamity_lab.stores.sql.schema import events
from calamity_lab.stores.sql.statements import COLUMNS, compiled

CHANNEL = "calamity_lab_events"
# Whoever appends holds this advisory lock from before the last position is read until the commit can be seen,
# so that positions come in order of commit; see docs/decisions/0072.
LOCK = 3_583_214_019_744_651_281

# What an entry brings along, in its order.
_TYPES: dict[str, TypeEngine[Any]] = {
    "event_id": Text(),
    "event_type": Text(),
    "type_version": Integer(),
    "correlation_id": Text(),
    "causation_id": Text(),
    "recorded_at": TIMESTAMP(timezone=True),
    "metadata": JSON(),
    "payload": JSON(),
}

# Each statement of a function sees what was committed before it, so what follows the lock sees what was
# appended while it was waited for.
APPEND = f"""
CREATE OR REPLACE FUNCTION calamity_lab_append(
    stream text, low bigint, high bigint,
    ids text[], types text[], versions integer[], correlations text[], causations text[],
    times timestamptz[], metadatas json[], payloads json[],
    OUT last_position bigint, OUT last_version bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({LOCK});
    SELECT coalesce(max(position), 0) INTO last_position FROM events;
    SELECT coalesce(max(stream_version), 0) INTO last_version FROM events WHERE stream_id = stream;
    IF last_version BETWEEN low AND high THEN
        INSERT INTO events ({", ".join(COLUMNS)})
        SELECT last_position + n, stream, last_version + n,
            id, type, version, correlation, causation, at, known, said
        FROM unnest(ids, types, versions, correlations, causations, times, metadatas, payloads)
            WITH ORDINALITY AS entry (id, type, version, correlation, causation, at, known, said, n);
        PERFORM pg_notify('{CHANNEL}', '');
    END IF;
END $$
"""


class PostgresStatements:
    """The statements of an append."""

    begin = "BEGIN"
    lock = f"SELECT pg_advisory_xact_lock({LOCK})"
    notify = f"NOTIFY {CHANNEL}"

    def __init__(self) -> None:
        self._append = compiled(_append(), "postgresql")
        self._insert = compiled(_insert(), "postgresql")

    def append(
        self, entries: Sequence[Entry], stream_id: str, bounds: tuple[int, int]
    ) -> tuple[str, dict[str, Any]]:
        """What appends entries to one stream that is within its bounds, and tells where the ends were."""
        columns = list(zip(*entries, strict=True))[2:]
        values: dict[str, Any] = dict(zip(_TYPES, map(_array, columns), strict=True))
        values["stream_id"], (values["low"], values["high"]) = stream_id, bounds
        return self._append, values

    def insert(self, entries: Sequence[Entry], heads: Heads) -> tuple[str, dict[str, Any]]:
        """What inserts entries of several streams behind their heads."""
        columns = zip(*placed(entries, heads), strict=True)
        return self._insert, dict(zip(COLUMNS, map(_array, columns), strict=True))


@cache
def postgres_statements() -> PostgresStatements:
    """The statements, compiled when they are first needed."""
    return PostgresStatements()


def _append() -> Select[Any]:
    stream: list[ColumnElement[Any]] = [
        cast(bindparam("stream_id"), Text),
        cast(bindparam("low"), BigInteger),
        cast(bindparam("high"), BigInteger),
    ]
    appended: FromClause = func.calamity_lab_append(*stream, *_arrays(_TYPES)).table_valued(
        "last_position", "last_version"
    )
    return select(appended.c.last_position, appended.c.last_version)


def _insert() -> Insert:
    kinds: dict[str, TypeEngine[Any]] = {
        "position": BigInteger(),
        "stream_id": Text(),
        "stream_version": BigInteger(),
        **_TYPES,
    }
    rows: FromClause = func.unnest(*_arrays(kinds)).table_valued(*kinds).render_derived("entry")
    return insert(events).from_select(COLUMNS, select(*(rows.c[name] for name in COLUMNS)))


def _arrays(kinds: Mapping[str, TypeEngine[Any]]) -> list[ColumnElement[Any]]:
    return [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds.items()]


def _array(values: Sequence[Any]) -> str:
    """The values as PostgreSQL writes an array; psycopg does so ten times as slowly."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'

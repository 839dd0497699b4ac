"""What is asked of PostgreSQL to append events to a stream in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TIMESTAMP
from sqlalchemy.sql.expression import ColumnElement, FromClause
from sqlalchemy.types import TypeEngine

from calamity_lab.stores.sql.entries import Entry
from calamity_lab.stores.sql.schema import events
from calamity_lab.stores.sql.statements import COLUMNS, compiled, newest_position, newest_version

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


class PostgresStatements:
    """The statements of an append: it tells the last position and version, and inserts where they fit."""

    def __init__(self) -> None:
        # Whatever the server's default is: what is read under the lock must be what was committed before it.
        self.begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
        self.lock = f"SELECT pg_advisory_xact_lock({LOCK})"
        self.notify = f"NOTIFY {CHANNEL}"
        self.insert = compiled(insert(events), "postgresql")
        self._one = compiled(_append(_one_entry()), "postgresql")
        self._many = compiled(_append(_entries()), "postgresql")

    def append(self, entries: Sequence[Entry]) -> tuple[str, dict[str, Any]]:
        """The statement that appends the entries to one stream, and its values, but for stream and bounds."""
        if len(entries) == 1:
            return self._one, dict(zip(_TYPES, entries[0][2:], strict=True))
        columns = list(zip(*entries, strict=True))[2:]
        return self._many, dict(zip(_TYPES, map(_array, columns), strict=True))


@cache
def postgres_statements() -> PostgresStatements:
    """The statements, compiled when they are first needed."""
    return PostgresStatements()


def _append(source: FromClause) -> Select[Any]:
    head = select(newest_position().label("position"), newest_version().label("version")).cte("head")
    fits = head.c.version.between(bindparam("low", type_=BigInteger), bindparam("high", type_=BigInteger))
    row: list[ColumnElement[Any]] = [
        head.c.position + source.c.n,
        cast(bindparam("stream_id"), Text),
        head.c.version + source.c.n,
        *(source.c[name] for name in _TYPES),
    ]
    written = (
        insert(events).from_select(COLUMNS, select(*row).select_from(head, source).where(fits)).cte("written")
    )
    told = case((fits, cast(func.pg_notify(literal_column(f"'{CHANNEL}'"), literal_column("''")), Text)))
    return select(head.c.position, head.c.version, told).add_cte(written)


def _one_entry() -> FromClause:
    values = [cast(bindparam(name), kind).label(name) for name, kind in _TYPES.items()]
    return select(literal_column("1", BigInteger).label("n"), *values).subquery("entry")


def _entries() -> FromClause:
    arrays = [cast(bindparam(name), ARRAY(kind)) for name, kind in _TYPES.items()]
    return func.unnest(*arrays).table_valued(*_TYPES, with_ordinality="n").render_derived("entry")


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

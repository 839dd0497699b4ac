"""The statements of an event store, written with SQLAlchemy Core and compiled once for a kind of database."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, Select, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.sql.expression import ClauseElement, ColumnElement

from calamity_lab.stores.sql.schema import events

ZERO: ColumnElement[int] = literal_column("0", BigInteger)
COLUMNS = [column.name for column in events.columns]


def compiled(statement: ClauseElement, kind: str) -> str:
    """The statement as the driver of ``sqlite`` or ``postgresql`` takes it; what changes has a name in it."""
    return str(statement.compile(dialect=_dialect(kind)))


def newest_position() -> ColumnElement[int]:
    """The position of the last event of all; 0 where there is none."""
    return func.coalesce(select(func.max(events.c.position)).scalar_subquery(), ZERO)


def newest_version() -> ColumnElement[int]:
    """The version of the last event of the stream ``:stream_id``; 0 where there is none."""
    newest = select(func.max(events.c.stream_version)).where(events.c.stream_id == bindparam("stream_id"))
    return func.coalesce(newest.scalar_subquery(), ZERO)


class Statements:
    """What is asked of the events, whatever the database is.

    A page is ``:size`` events from ``:low`` to ``:high``: positions of all streams, or versions of one, of
    which none lies behind position ``:upto``.
    """

    def __init__(self, kind: str) -> None:
        self.position = compiled(select(newest_position()), kind)
        self.version = compiled(select(newest_version()), kind)
        self.heads = compiled(select(newest_position(), newest_version()), kind)
        self.stream_ids = compiled(select(events.c.stream_id).distinct(), kind)
        self.places = compiled(
            select(events.c.event_id, events.c.stream_id, events.c.stream_version, events.c.position)
            .where(events.c.event_id == bindparam("event_id")),
            kind,
        )  # fmt: skip
        self.all_forwards = compiled(_page_of_all(events.c.position.asc()), kind)
        self.all_backwards = compiled(_page_of_all(events.c.position.desc()), kind)
        self.forwards = compiled(_page_of_one(events.c.stream_version.asc()), kind)
        self.backwards = compiled(_page_of_one(events.c.stream_version.desc()), kind)


@cache
def statements(kind: str) -> Statements:
    """The statements for ``sqlite`` or ``postgresql``; compiling them takes longer than opening a file."""
    return Statements(kind)


@cache
def _dialect(kind: str) -> Dialect:
    made: Any = pysqlite.dialect if kind == "sqlite" else psycopg.dialect
    dialect: Dialect = made(paramstyle="named" if kind == "sqlite" else "pyformat")
    return dialect


def _page_of_all(order: ColumnElement[int]) -> Select[tuple[object, ...]]:
    within = events.c.position.between(bindparam("low"), bindparam("high"))
    return select(*events.columns).where(within).order_by(order).limit(bindparam("size")).offset(ZERO)


def _page_of_one(order: ColumnElement[int]) -> Select[tuple[object, ...]]:
    # The sum keeps the planner from looking for the stream among all positions.
    return (
        select(*events.columns)
        .where(
            events.c.stream_id == bindparam("stream_id"),
            events.c.stream_version.between(bindparam("low"), bindparam("high")),
            events.c.position + ZERO <= bindparam("upto", type_=BigInteger),
        )
        .order_by(order)
        .limit(bindparam("size"))
        .offset(ZERO)
    )

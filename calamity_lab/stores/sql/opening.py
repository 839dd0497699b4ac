"""A database as it is found: with the tables of an event store, empty, or something else."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, false, inspect, select, text

from calamity_lab.errors import InvalidValue, StoreUnavailable, WrongSchema
from calamity_lab.stores.sql.database import Database
from calamity_lab.stores.sql.driver_errors import driver_errors, translated
from calamity_lab.stores.sql.postgres import APPEND, LOCK, PostgresDatabase
from calamity_lab.stores.sql.schema import VERSION, events, schema, snapshots, tables
from calamity_lab.stores.sql.sqlite import SQLiteDatabase
from calamity_lab.stores.sql.statements import compiled
from calamity_lab.stores.sql.urls import parsed

_OURS = (schema.name, events.name, snapshots.name)
_PAUSE = 0.01  # seconds between two attempts to turn on the write-ahead log


def open_database(url: Any, *, timeout: float, poll: float | None, read_only: bool) -> Database:
    """The database that a URL names, with the tables of an event store; made where it is empty."""
    _check_seconds("timeout", timeout)
    if poll is not None:
        _check_seconds("poll", poll)
    database = _database(url, timeout=timeout, poll=poll, read_only=read_only)
    try:
        _prepare(database, timeout, beside=False)
    except BaseException:
        database.close()
        raise
    return database


def create_tables(url: Any, *, timeout: float = 10.0) -> None:
    """Make the tables of an event store in a database that holds those of something else, too."""
    database = _database(url, timeout=timeout, poll=None, read_only=False)
    try:
        _prepare(database, timeout, beside=True)
    finally:
        database.close()


def _database(url: Any, *, timeout: float, poll: float | None, read_only: bool) -> Database:
    target = parsed(url)
    kind = SQLiteDatabase if target.get_backend_name() == "sqlite" else PostgresDatabase
    return kind(target, timeout=timeout, poll=poll, read_only=read_only)


def _prepare(database: Database, timeout: float, *, beside: bool) -> None:
    """Make sure that the tables are there, and are ours; ``beside`` those of something else only if meant."""
    try:
        with database.engine.connect() as connection:
            found = set(inspect(connection).get_table_names())
            if schema.name in found:
                _check_version(connection, database.name)
                return
        _refuse_ours(found, database.name)
        if found and not beside:
            raise WrongSchema(
                f"{database.name!r} holds the tables {_listed(found)}, and none of an event store; nothing "
                "was written. Give another database; or, where events are meant to stand beside these, "
                "make room once: calamity_lab.stores.sql.opening.create_tables(url)"
            )
        if database.read_only:
            raise WrongSchema(
                f"{database.name!r} is empty: there is no event to read; leave out read_only=True to begin"
            )
        _create(database.engine, timeout)
    except driver_errors() as error:
        raise translated(error, "open an event store in", repr(database.name)) from error


def _check_version(connection: Connection, name: str) -> None:
    versions = connection.execute(select(schema.c.version)).scalars().all()
    if list(versions) != [VERSION]:
        held = f"version {versions[0]}" if len(versions) == 1 else f"the versions {list(versions)}"
        newer = len(versions) == 1 and isinstance(versions[0], int) and versions[0] > VERSION
        advice = (
            "install a newer calamity_lab, which knows it"
            if newer
            else "open it with the calamity_lab that wrote it, and append its events to a store of this one"
        )
        raise WrongSchema(
            f"{name!r} holds {held} of the event store's tables, and this calamity_lab knows version "
            f"{VERSION}; nothing was changed; {advice}"
        )
    for probe in _probes(connection.dialect.name):
        connection.exec_driver_sql(probe)


@cache
def _probes(kind: str) -> tuple[str, ...]:
    """What fails where a column is missing."""
    literal = [select(*table.columns).where(false()) for table in (events, snapshots)]
    return tuple([compiled(statement, kind) for statement in literal])


def _refuse_ours(found: set[str], name: str) -> None:
    """Raise where tables of something else bear our names."""
    for table in _OURS:
        if table in found:
            raise WrongSchema(
                f"{name!r} holds a table {table!r} that is not an event store's: the table {schema.name!r} "
                "beside it, which says of which version it is, is not there; nothing was written; give "
                "another database"
            )


def _create(engine: Engine, timeout: float) -> None:
    """Make the tables; of several programs that do so at once, one does, and the others find them."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            _write_ahead(connection, timeout)
        connection.execute(text("BEGIN IMMEDIATE" if sqlite else "BEGIN"))
        try:
            if not sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            tables.create_all(connection)
            if connection.execute(select(schema.c.version)).first() is None:
                if not sqlite:
                    connection.exec_driver_sql(APPEND)
                connection.execute(schema.insert().values(version=VERSION))
            connection.execute(text("COMMIT"))
        except BaseException:
            connection.invalidate()
            raise


def _write_ahead(connection: Connection, timeout: float) -> None:
    """Turn on the write-ahead log for good; SQLite does not wait by itself while another program does so.

    The answer is fetched to its end: until then the statement is under way, and holds the file.
    """
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute(text("PRAGMA journal_mode=WAL")).fetchall()
            return
        except driver_errors() as error:
            busy = isinstance(translated(error, "open", "the file"), StoreUnavailable)
            if not busy or time.monotonic() > until:
                raise
        time.sleep(_PAUSE)


def _listed(names: set[str]) -> str:
    first = sorted(names)[:5]
    return ", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_seconds(name: str, given: Any) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < float("inf"):
        raise InvalidValue(f"{name}={given!r}: give a number of seconds greater than 0")

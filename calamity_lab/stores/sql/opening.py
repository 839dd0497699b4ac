"""The kinds of databases there are, and how one is opened and looked at before it is used."""

from __future__ import annotations

import logging
from typing import Any

from calamity_lab.errors import InvalidValue, WrongSchema
from calamity_lab.kernel.arguments import a_bool, seconds
from calamity_lab.stores.sql.database import Database
from calamity_lab.stores.sql.postgres import PostgresDatabase
from calamity_lab.stores.sql.rows import TABLES, TAKEN_REJECTIONS, VERSION, VERSIONS, Statements
from calamity_lab.stores.sql.sqlite import SQLiteDatabase
from calamity_lab.stores.sql.urls import URL, parsed

# A new kind of database is a module of its own, and an entry here.
DATABASES: tuple[type[Any], ...] = (SQLiteDatabase, PostgresDatabase)
_EXAMPLES = ", ".join([kind.examples for kind in DATABASES])

_log = logging.getLogger("calamity_lab")


def open_database(url: Any, *, timeout: float, poll: float | None, read_only: bool) -> Database:
    """Open the database of a URL; an empty one gets the tables of an event store."""
    timeout = seconds("timeout", timeout)
    poll = None if poll is None else seconds("poll", poll)
    database = _database(url, timeout=timeout, poll=poll, read_only=a_bool("read_only", read_only))
    try:
        _prepare(database, beside=False)
    except BaseException:
        database.close()
        raise
    return database


def create_tables(url: Any, *, timeout: float = 10.0) -> None:
    """Make the tables of an event store in a database that has other tables, too."""
    database = _database(url, timeout=seconds("timeout", timeout), poll=None, read_only=False)
    try:
        _prepare(database, beside=True)
    finally:
        database.close()


def _database(given: Any, **options: Any) -> Database:
    url = parsed(given, _EXAMPLES)
    for kind in DATABASES:
        if url.scheme in kind.schemes:
            _check_driver(url, kind)
            database: Database = kind(url, **options)
            return database
    known = " or ".join([kind.title for kind in DATABASES])
    raise InvalidValue(
        f"{url.text!r}: an event store needs {known}, not {url.scheme!r}; what works: {_EXAMPLES}"
    )


def _check_driver(url: URL, kind: type[Database]) -> None:
    if url.driver is not None and url.driver not in kind.drivers:
        raise InvalidValue(
            f"{url.text!r}: the driver {url.driver!r} is not used here; leave it out, as in {url.scheme}://..."
            f"; what works: {_EXAMPLES}"
        )


def _prepare(database: Database, *, beside: bool) -> None:
    """Check the tables, or make them; ``beside`` other tables only when that is meant."""
    try:
        found, indices = database.tables_and_indices()
        if VERSIONS in found:
            database.keeps_rejections = TAKEN_REJECTIONS in found
            _check_version(database, has_indices="outbox_deadlines_of" in indices)
            return
        _refuse_ours(found, database.name)
        if found and not beside:
            raise WrongSchema(
                f"{database.name!r} holds the tables {_listed(found)}, and none of an event store; nothing "
                "was written. Give another database; or, to keep events beside these tables, make room once: "
                "calamity_lab.stores.sql.opening.create_tables(url)"
            )
        if database.read_only:
            raise WrongSchema(
                f"{database.name!r} is empty: there is no event to read; leave out read_only=True to begin"
            )
        database.create_tables()
    except database.caught as error:
        raise database.translated(error, "open an event store in") from error


def _check_version(database: Database, *, has_indices: bool) -> None:
    versions = [version for (version,) in database.rows(database.statements.table_version, action="look in")]
    if versions == [1]:
        database.version = 1
        if database.read_only:
            database.statements = Statements(database.parameter, database.now, database.later, version=1)
            return
        database.create_tables()
        versions = [VERSION]
    if versions != [VERSION]:
        held = f"version {versions[0]}" if len(versions) == 1 else f"the versions {versions}"
        newer = len(versions) == 1 and isinstance(versions[0], int) and versions[0] > VERSION
        advice = (
            "install a newer calamity_lab, which knows it"
            if newer
            else "open it with the calamity_lab that wrote it, and append its events to a store of this one"
        )
        raise WrongSchema(
            f"{database.name!r} holds {held} of the event store's tables, and this calamity_lab knows "
            f"version {VERSION}; nothing was changed; {advice}"
        )
    database.version = VERSION
    if not (database.read_only or (database.keeps_rejections and has_indices)):
        _add_what_is_new(database)
    for probe in database.statements.probes:
        database.rows(probe, action="open an event store in")


def _add_what_is_new(database: Database) -> None:
    """Add the tables of rejections and the indices of deadlines, which an earlier release did not make.

    Without the indices all works, and slowly; without the tables no rejection can change an instance.
    """
    try:
        database.create_tables()
    except database.errors as error:
        _log.warning(
            "%r lacks tables or indices of this release, and they could not be added: %s",
            database.name,
            error,
        )


def _refuse_ours(found: set[str], name: str) -> None:
    """Raise when other tables have the names of ours."""
    for table in TABLES:
        if table in found:
            raise WrongSchema(
                f"{name!r} holds a table {table!r} that is not an event store's: the table {VERSIONS!r} "
                "beside it, which says of which version it is, is not there; nothing was written; give "
                "another database"
            )


def _listed(names: set[str]) -> str:
    first = sorted(names)[:5]
    return ", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

"""What drivers say when something goes wrong, told as errors of this project: the one place that knows."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from calamity_lab.errors import (
    CalamityError,
    InvalidValue,
    ReadOnlyStore,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongSchema,
)

# An error of ours, and what it says; {} stands for what the driver said.
Meaning = tuple[type[CalamityError], str]

_OR_WAIT = "ask again when it is done, or give the store a longer timeout"
_LOCKED = f"the file is locked by another program, which writes to it; {_OR_WAIT}"
_WAITING = f"another writer holds the end of the streams; {_OR_WAIT}"
_NO_ROOM = "there is no room left for it ({}); nothing was written; make room and ask again"
_READ_ONLY = "it may be read, but not written ({})"
_OTHER_TABLES = "its tables are not those of an event store ({})"
_SILENT = "the server does not answer ({}); is it running? ask again when it is"
_UNFIT = "a text or a number has what the database cannot keep ({}); nothing was written"
_UNKNOWN: Meaning = StoreError, "{}; nothing was written"

# SQLite's result codes (sqlite.org/rescode.html): the extended ones first, which say more.
_SQLITE: Mapping[int, Meaning] = {
    sqlite3.SQLITE_READONLY_DIRECTORY: (
        ReadOnlyStore,
        "its directory may not be written, and while SQLite reads a file it keeps a log beside it; copy the "
        "file elsewhere, or, where nobody writes to it, open sqlite:///file:PATH?immutable=1&uri=true",
    ),
    # Not every system says of a quota, or of a limit to a file's size, that there is no room left.
    sqlite3.SQLITE_IOERR_WRITE: (StoreFull, _NO_ROOM),
    sqlite3.SQLITE_IOERR_SHMSIZE: (StoreFull, _NO_ROOM),
    sqlite3.SQLITE_IOERR_TRUNCATE: (StoreFull, _NO_ROOM),
    sqlite3.SQLITE_BUSY: (StoreUnavailable, _LOCKED),
    sqlite3.SQLITE_LOCKED: (StoreUnavailable, _LOCKED),
    sqlite3.SQLITE_FULL: (StoreFull, _NO_ROOM),
    sqlite3.SQLITE_READONLY: (ReadOnlyStore, _READ_ONLY),
    sqlite3.SQLITE_PERM: (ReadOnlyStore, _READ_ONLY),
    sqlite3.SQLITE_NOTADB: (
        WrongSchema,
        "the file is no SQLite database; give another file, or the name of a new one",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StoreError,
        "the file cannot be opened ({}); is the directory there, and may it be used?",
    ),
    sqlite3.SQLITE_CORRUPT: (
        StoreError,
        "the file is damaged ({}); take a copy from before, or recover it with sqlite3's .recover",
    ),
    sqlite3.SQLITE_TOOBIG: (InvalidValue, _UNFIT),
    sqlite3.SQLITE_ERROR: (
        WrongSchema,
        _OTHER_TABLES,
    ),  # the statements are ours: a table or column is missing
}
# PostgreSQL's SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), and their classes.
_POSTGRES: Mapping[str, Meaning] = {
    "55P03": (StoreUnavailable, _WAITING),
    "57014": (StoreUnavailable, "it took longer than the server allows ({}); nothing was written; ask again"),
    "53300": (StoreUnavailable, "the server has no connection left ({}); ask again when it has"),
    "53100": (StoreFull, _NO_ROOM),
    "25006": (ReadOnlyStore, _READ_ONLY),
    "42501": (ReadOnlyStore, _READ_ONLY),
    "42P01": (WrongSchema, _OTHER_TABLES),
    "42703": (WrongSchema, _OTHER_TABLES),
    "42883": (WrongSchema, _OTHER_TABLES),  # the function that appends
    "3D000": (StoreError, "there is no such database ({}); create it first: createdb, or CREATE DATABASE"),
    "28": (StoreError, "the server refuses the user or the password of the URL ({})"),
    "22": (InvalidValue, _UNFIT),
    "54": (InvalidValue, _UNFIT),
    **dict.fromkeys(["08", "57P01", "57P02", "57P03", "57P05"], (StoreUnavailable, _SILENT)),
}
_GONE = {state for state, meaning in _POSTGRES.items() if meaning == (StoreUnavailable, _SILENT)}
# Who is turned away at the door is told so in words only.
_AT_THE_DOOR = (
    (re.compile('database ".*" does not exist'), "3D000"),
    (re.compile('role ".*" does not exist|authentication failed|no password supplied|pg_hba'), "28000"),
)


def driver_errors() -> tuple[type[Exception], ...]:
    """What a driver, or the pool of its connections, may raise."""
    return (sqlite3.Error, DBAPIError, PoolTimeout, *_of_psycopg())


def translated(error: Exception, asked: str, where: str) -> CalamityError:
    """The error of this project that tells what a driver's error means for what was asked of a database."""
    original = _original(error)
    said = str(original).strip().partition("\n")[0] or type(original).__name__
    if isinstance(original, sqlite3.Error):
        kind, meaning = _of_sqlite(original)
    elif isinstance(original, PoolTimeout):
        kind, meaning = StoreUnavailable, "all its connections are in use ({}); ask again"
    else:
        kind, meaning = _of_postgres(original, said)
    return kind(f"cannot {asked} {where}: {meaning.format(said)}")


def unfit_text(error: Exception, asked: str, where: str) -> InvalidValue:
    """The error for what no database takes: half of a character, or a number beyond 64 bits."""
    return InvalidValue(f"cannot {asked} {where}: {_UNFIT.format(error)}")


def lost(error: Exception) -> bool:
    """Whether the error means that the connection is gone, and with it the answer to what was asked."""
    original = _original(error)
    if not isinstance(original, _of_psycopg()):
        return False
    state = getattr(original, "sqlstate", None)
    if state is None:
        return type(original).__name__ in {"OperationalError", "InterfaceError"}
    return state in _GONE or state[:2] in _GONE


def repeats_an_id(error: Exception) -> bool:
    """Whether the error means that a row like this is there already."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_UNIQUE
    return getattr(error, "sqlstate", None) == "23505"


def _original(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _of_psycopg() -> tuple[type[Exception], ...]:
    """The errors of psycopg, where whoever uses it has imported it."""
    psycopg: Any = sys.modules.get("psycopg")
    return () if psycopg is None else (psycopg.Error,)


def _of_sqlite(error: sqlite3.Error) -> Meaning:
    code = getattr(error, "sqlite_errorcode", 0)
    if isinstance(error, sqlite3.DataError):
        return InvalidValue, _UNFIT
    return _SQLITE.get(code) or _SQLITE.get(code & 0xFF) or _UNKNOWN


def _of_postgres(error: Any, said: str) -> Meaning:
    state = getattr(error, "sqlstate", None) or _state_at_the_door(said)
    if not state and lost(error):
        return StoreUnavailable, _SILENT
    if not state and type(error).__name__ == "DataError":
        return InvalidValue, _UNFIT
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or _UNKNOWN


def _state_at_the_door(said: str) -> str:
    return next((state for pattern, state in _AT_THE_DOOR if pattern.search(said)), "")

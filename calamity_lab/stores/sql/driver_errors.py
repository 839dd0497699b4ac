"""What drivers say when something goes wrong, told as errors of this project: the one place that knows."""

from __future__ import annotations

import re
import sqlite3
import sys
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

# SQLite's primary result codes (sqlite.org/rescode.html): the lower byte of what the driver tells.
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT = 3, 5, 6, 8, 10, 11
_FULL, _CANTOPEN, _TOOBIG, _NOTADB = 13, 14, 18, 26
# Not every system says of a quota or of a limit to a file's size that there is no room left.
_NO_ROOM_IN_OTHER_WORDS = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}
_CANNOT_BE_KEPT = "a text or a number has what the database cannot keep"
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
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, sqlite3.Error):
        kind, found = _of_sqlite(original)
    elif isinstance(original, PoolTimeout):
        kind, found = StoreUnavailable, f"all its connections are in use: {original}"
    else:
        kind, found = _of_postgres(original)
    return kind(f"cannot {asked} {where}: {found}")


def unfit_text(error: Exception, asked: str, where: str) -> InvalidValue:
    """The error for text that no database takes: half of a character, or a number beyond 64 bits."""
    return InvalidValue(f"cannot {asked} {where}: {_CANNOT_BE_KEPT} ({error}); nothing was written")


def lost(error: Exception) -> bool:
    """Whether the error means that the connection is gone, and with it the answer to what was asked."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, sqlite3.Error) or not isinstance(original, _of_psycopg()):
        return False
    state = getattr(original, "sqlstate", None)
    if state is None:
        return type(original).__name__ in {"OperationalError", "InterfaceError", "PipelineAborted"}
    return _is_gone(state)


def repeats_an_id(error: Exception) -> bool:
    """Whether the error means that a row like this is there already."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_UNIQUE
    return getattr(error, "sqlstate", None) == "23505"


def _of_psycopg() -> tuple[type[Exception], ...]:
    """The errors of psycopg, where it is installed and was imported by whoever uses it."""
    psycopg: Any = sys.modules.get("psycopg")
    return () if psycopg is None else (psycopg.Error,)


def _of_sqlite(error: sqlite3.Error) -> tuple[type[CalamityError], str]:
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if code in {_BUSY, _LOCKED}:
        return StoreUnavailable, (
            "the file is locked by another program that writes to it; ask again when that is done, "
            "or give the store a longer timeout"
        )
    if code == _FULL or extended in _NO_ROOM_IN_OTHER_WORDS:
        return (
            StoreFull,
            f"there is no room left for it ({error}); nothing was written; make room and ask again",
        )
    if extended == sqlite3.SQLITE_READONLY_DIRECTORY:
        return ReadOnlyStore, (
            "its directory may not be written, and while SQLite reads a file it keeps a log beside it; copy "
            "the file elsewhere, or, where nobody writes to it, open sqlite:///file:PATH?immutable=1&uri=true"
        )
    if code in {_READONLY, _PERM}:
        return ReadOnlyStore, f"it may be read, but not written ({error})"
    if code == _NOTADB:
        return WrongSchema, "the file is no SQLite database; give another file, or the name of a new one"
    if code == _CANTOPEN:
        return StoreError, f"the file cannot be opened ({error}); is the directory there, and may it be used?"
    if code == _CORRUPT:
        return StoreError, f"the file is damaged ({error}); take a copy from before, or sqlite3's .recover"
    if code == _TOOBIG or isinstance(error, sqlite3.DataError):
        return InvalidValue, f"a value is too large for SQLite ({error}); nothing was written"
    if "no such table" in str(error) or "no such column" in str(error):
        return WrongSchema, f"its tables are not those of an event store ({error})"
    return StoreError, f"{error}; nothing was written"


def _of_postgres(error: Any) -> tuple[type[CalamityError], str]:
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    state = getattr(error, "sqlstate", None) or _state_at_the_door(said)
    if state.startswith("55P03"):
        return StoreUnavailable, (
            "another writer holds the end of the streams; ask again when it is done, "
            "or give the store a longer timeout"
        )
    if _is_gone(state) or state in {"53300", "57014"} or (not state and lost(error)):
        return StoreUnavailable, f"the server does not answer ({said}); is it running? ask again when it is"
    if state in {"53100", "53000"}:
        return (
            StoreFull,
            f"there is no room left for it ({said}); nothing was written; make room and ask again",
        )
    if state in {"25006", "42501"}:
        return ReadOnlyStore, f"it may be read, but not written ({said})"
    if state in {"42P01", "42703"}:
        return WrongSchema, f"its tables are not those of an event store ({said})"
    if state == "3D000":
        return (
            StoreError,
            f"there is no such database ({said}); create it first: createdb, or CREATE DATABASE",
        )
    if state.startswith("28"):
        return StoreError, f"the server refuses the user or the password of the URL ({said})"
    if state.startswith(("22", "54")) or type(error).__name__ == "DataError":
        return InvalidValue, f"{_CANNOT_BE_KEPT} ({said}); nothing was written"
    return StoreError, f"{said}; nothing was written"


def _state_at_the_door(said: str) -> str:
    return next((state for pattern, state in _AT_THE_DOOR if pattern.search(said)), "")


def _is_gone(state: str) -> bool:
    return state.startswith("08") or state in {"57P01", "57P02", "57P03", "57P05"}

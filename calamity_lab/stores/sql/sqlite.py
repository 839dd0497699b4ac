"""All that is particular to SQLite: a file, or the memory of this process."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

from calamity_lab.errors import (
    InvalidValue,
    ReadOnlyStore,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongSchema,
    repr_of,
)
from calamity_lab.stores.sql.database import (
    LEASE,
    NO_ROOM,
    OR_WAIT,
    OTHER_TABLES,
    READ_ONLY,
    UNFIT,
    UNKNOWN,
    Database,
    Execute,
    Meaning,
    Polling,
    Waiting,
    execute,
    inherited,
)
from calamity_lab.stores.sql.rows import (
    COLUMNS,
    INDICES,
    TABLES,
    AppendedRows,
    Heads,
    listed,
    table,
)
from calamity_lab.stores.sql.urls import URL

_TYPES = {
    "bigint": "INTEGER",
    "integer": "INTEGER",
    "bigserial": "INTEGER",  # as a primary key, it is the rowid, which the table is sorted by
    "json": "TEXT",
    "timestamptz": "TEXT",
}
_BY_KEY = {"deliveries", "ended", "taken_rejections"}  # the tables that are sorted by their keys
_TABLES = [f"{table(name, _TYPES)}{' WITHOUT ROWID' if name in _BY_KEY else ''}" for name in TABLES]
_INSERT = f"INSERT INTO events ({listed(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"

_POLL = 0.05  # seconds; a look costs some 50 µs
_PAUSE = 0.01  # seconds between two attempts to turn on the write-ahead log
# After so many pages the log is copied into the file: 16 MB. Ids are random, so a batch touches many pages
# of their index, and copying each less often takes a quarter off the time of appends.
_PAGES = 4_000

_LOCKED: Meaning = StoreUnavailable, f"the file is locked by another program, which writes to it; {OR_WAIT}"
_STILL = "where nobody writes to it, open sqlite:///file:PATH?immutable=1&uri=true"
# SQLite's result codes (sqlite.org/rescode.html): the extended ones first, which say more.
_MEANINGS: Mapping[int, Meaning] = {
    sqlite3.SQLITE_READONLY_DIRECTORY: (
        ReadOnlyStore,
        "its directory may not be written, and while SQLite reads a file it keeps a log beside it; copy the "
        f"file elsewhere, or {_STILL}",
    ),
    # Not every system says of a quota, or of a limit to a file's size, that there is no room left.
    sqlite3.SQLITE_IOERR_WRITE: (StoreFull, NO_ROOM),
    sqlite3.SQLITE_IOERR_SHMSIZE: (StoreFull, NO_ROOM),
    sqlite3.SQLITE_IOERR_TRUNCATE: (StoreFull, NO_ROOM),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: (StoreFull, NO_ROOM),
    sqlite3.SQLITE_READONLY: (ReadOnlyStore, READ_ONLY),
    sqlite3.SQLITE_PERM: (ReadOnlyStore, READ_ONLY),
    sqlite3.SQLITE_NOTADB: (
        WrongSchema,
        "the file is no SQLite database; give another file, or the name of a new one",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StoreError,
        "the file cannot be opened ({}); check that the directory is there, and that you may use the file. "
        f"On a read-only disk give another file, or {_STILL}",
    ),
    sqlite3.SQLITE_CORRUPT: (
        StoreError,
        "the file is damaged ({}); take a backup, or recover the file with sqlite3's .recover",
    ),
    sqlite3.SQLITE_TOOBIG: (InvalidValue, UNFIT),
    sqlite3.SQLITE_ERROR: (
        WrongSchema,
        OTHER_TABLES,
    ),  # the statements are ours: a table or column is missing
}


class SQLiteDatabase(Database):
    """Events in SQLite. BEGIN IMMEDIATE lets one writer in at a time, so positions follow the commits."""

    title: ClassVar[str] = "SQLite"
    examples: ClassVar[str] = (
        "sqlite:///events.db (a file), sqlite:////srv/events.db (a file by its whole path), "
        "sqlite:// (in memory)"
    )
    schemes: ClassVar[frozenset[str]] = frozenset({"sqlite"})
    drivers: ClassVar[frozenset[str]] = frozenset({"pysqlite"})
    tables: ClassVar[tuple[str, ...]] = (*_TABLES, *INDICES)
    parameter: ClassVar[str] = ":{}"
    names: ClassVar[str] = (
        "SELECT name, type = 'index' FROM sqlite_master "
        "WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    now: ClassVar[str] = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    later: ClassVar[str] = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '+{LEASE} seconds')"

    def __init__(self, url: URL, *, timeout: float, poll: float | None, read_only: bool) -> None:
        options = _options(url)
        lasting = url.database not in _IN_MEMORY and options.get("mode") != "memory"
        if read_only and not lasting:
            raise InvalidValue(f"{url.text!r} with read_only=True: a database in memory is empty at first")
        super().__init__(
            url, timeout=timeout, poll=_POLL if poll is None else poll, read_only=read_only, lasting=lasting
        )
        self._target = url.database or ":memory:"  # what sqlite3 opens
        self._file: str | None = None  # the same, if it is the path of a file
        if _is_uri(url):
            self._target += f"?{urlencode(options, quote_via=quote)}" if options else ""
            if options.get("immutable", "").lower() in _YES:
                _refuse_log(self._target)
        elif lasting:
            self._target = self._file = _checked_path(url, read_only)
        self._opened: tuple[int, int] | None = None  # the file that the connection for appends opened
        self._held: tuple[bool, bool] = False, False  # the locks that are held during a fork
        self._is_shut = False  # whether no connection was open at the last fork
        self._waiting: list[Polling] = []

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error,)

    def before_fork(self) -> None:
        """Close all connections to a file, and hold the locks without which none is opened."""
        if not self._lasting:
            return
        self._gate.clear()
        has_lock = self._lock.acquire(timeout=self.timeout)
        self._held = has_lock, has_lock and self._lent.hold()
        if all(self._held) and not (self._writer is not None and self._writer.in_transaction):
            self._drop_writer()
            self._is_shut = True

    def after_fork(self) -> None:
        has_lock, has_lent = self._held
        self._held, self._is_shut = (False, False), False
        if has_lent:
            self._lent.release()
        if has_lock:
            self._lock.release()
        self._gate.set()

    def connect(self) -> sqlite3.Connection:
        self._check_not_inherited()
        target, uri = self._target, _is_uri(self.url)
        if self.read_only and not uri:
            target, uri = f"file:{quote(target)}?mode=ro", True
        connection = sqlite3.connect(
            target, timeout=self.timeout, isolation_level=None, check_same_thread=False, uri=uri
        )
        try:
            # In a write-ahead log, NORMAL loses nothing when the process dies; see docs/decisions/0073.
            execute(connection, "PRAGMA synchronous=NORMAL")
            execute(connection, f"PRAGMA wal_autocheckpoint={_PAGES}")
            if self.read_only:
                execute(connection, "PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def create_tables(self) -> None:
        with self._lock:
            self._write_ahead(self._writing())
            super().create_tables()

    def waiting(self) -> Waiting:
        waiting = Polling(self.poll, self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def _append(self, given: AppendedRows) -> Heads:
        with self._transaction() as cursor:
            heads = self._append_rows(cursor, given)
        for waiting in tuple(self._waiting):
            waiting.wake()
        return heads

    def _insert(self, cursor: sqlite3.Cursor, rows: Iterable[tuple[Any, ...]]) -> None:
        cursor.executemany(_INSERT, rows)

    @contextmanager
    def _deleting(self, action: str) -> Iterator[None]:
        with self._changing(action):
            execute(self._writing(), "PRAGMA secure_delete=ON")
            yield
            execute(self._writing(), "PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """A transaction of the only writer; it is committed at the end, unless the block has ended it."""
        cursor = self._writing().cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            if cursor.connection.in_transaction:
                cursor.execute("COMMIT")
        except BaseException:
            self._roll_back(cursor)
            raise
        finally:
            cursor.close()

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        """Undo the transaction; if that fails, drop the connection, and SQLite undoes it later."""
        try:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop_writer()

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Turn on the write-ahead log; SQLite itself does not wait while another program does so."""
        until = time.monotonic() + self.timeout
        while True:
            try:
                execute(connection, "PRAGMA journal_mode=WAL")
                return
            except sqlite3.Error as error:
                if self._meaning(error, "") is not _LOCKED or time.monotonic() > until:
                    raise
            time.sleep(_PAUSE)

    def _found(self, statement: str, values: Mapping[str, Any], execute: Execute) -> list[Any]:
        if self._lasting:
            return super()._found(statement, values, execute)
        with self._lock:  # what is in memory has but one connection
            return execute(self._writing(), statement, values)

    def _is_misread(self, error: Exception) -> bool:
        return str(error).startswith("Could not decode to UTF-8")

    def _execute_leniently(self, connection: Any, statement: str, values: Mapping[str, Any]) -> list[Any]:
        connection.text_factory = _text_or_bytes
        try:
            return execute(connection, statement, values)
        finally:
            connection.text_factory = str

    def _writing(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self.connect()
            self._opened = _identity(self._file)
        connection: sqlite3.Connection = self._writer
        return connection

    def _check_still_there(self, action: str) -> None:
        """Check that the file is still there: SQLite would go on with a deleted one, or make a new one."""
        if self._opened is not None and _identity(self._file) != self._opened:
            raise StoreError(
                f"cannot {action} {self._where}: the file was moved, deleted or replaced while it was open; "
                "nothing was written; open another store"
            )

    def _check_not_inherited(self) -> None:
        """Refuse a file that this process has a parent's connection to: SQLite would not lock it here."""
        for parent in inherited():
            if isinstance(parent, SQLiteDatabase) and parent._may_lock(self._target):
                raise StoreError(
                    f"cannot open {self._where} in this process: it was forked while another thread of its "
                    "parent used the file, and SQLite cannot lock the file here. Start the process by "
                    'multiprocessing.get_context("spawn"), or fork while no other thread uses the store'
                )

    def _may_lock(self, target: str) -> bool:
        """Whether this database, which is a parent's, had a connection to that file at the fork."""
        return self._lasting and not self._is_shut and self._target == target

    @property
    def _instead(self) -> str:
        if self._lasting:
            return super()._instead
        return "What is in memory stays in the process that opened it: use a file, as in sqlite:///events.db"

    def _meaning(self, error: Exception, said: str) -> Meaning:
        code = getattr(error, "sqlite_errorcode", 0)
        if isinstance(error, sqlite3.DataError):
            return InvalidValue, UNFIT
        return _MEANINGS.get(code) or _MEANINGS.get(code & 0xFF) or UNKNOWN

    def _repeats_an_id(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_UNIQUE


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _identity(file: str | None) -> tuple[int, int] | None:
    """What distinguishes a file from another of the same name; None when there is no file."""
    if file is None:
        return None
    try:
        found = os.stat(file)  # noqa: PTH116 - a third of the time that a Path takes, before every append
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


# Options of sqlite3.connect, which `connect` sets itself: in a URL they are ignored, since others have them.
_DRIVER_OPTIONS = {"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout"}
_IN_MEMORY = {None, ":memory:", "file::memory:"}
_YES, _NO = {"1", "on", "t", "true", "y", "yes"}, {"", "0", "f", "false", "n", "no", "off"}


def _is_uri(url: URL) -> bool:
    return url.query.get("uri", "").lower() in _YES


def _options(url: URL) -> dict[str, str]:
    """The options of the URL for a URI of SQLite's own, after a check of the whole URL."""
    if url.user is not None or url.host is not None or url.port is not None:
        raise InvalidValue(
            f"{url.text!r}: three slashes stand between sqlite: and the name of a file, and four before "
            f"its whole path; what works: {SQLiteDatabase.examples}"
        )
    options = {name: value for name, value in url.query.items() if name not in _DRIVER_OPTIONS}
    uri = options.pop("uri", "")
    if uri.lower() not in _YES | _NO:
        raise InvalidValue(
            f"{url.text!r}: uri={uri!r} is neither true nor false; write uri=true, or leave it out"
        )
    if options and not _is_uri(url):
        raise InvalidValue(
            f"{url.text!r}: {next(iter(options))!r} is an option for URIs of SQLite's own, which are written "
            "as in sqlite:///file:events.db?mode=ro&uri=true; correct the option, or leave it out"
        )
    return options


def _refuse_log(target: str) -> None:
    """Refuse a file that is taken for immutable but has a log beside it: SQLite would not read the log."""
    path = Path(unquote(target.partition("?")[0].removeprefix("file:")))
    log = path.with_name(f"{path.name}-wal") if path.name else path
    with suppress(OSError, ValueError):  # SQLite will say what is wrong with the path
        if log.is_file() and log.stat().st_size:
            raise StoreError(
                f"{str(path)!r} needs its log {log.name!r}, which SQLite does not read with "
                "immutable=1, so the last events would be missing; copy both files to a directory that may "
                "be written, and open the copy without immutable=1"
            )


def _checked_path(url: URL, read_only: bool) -> str:
    """The whole path of a file, after a check that says in better words than SQLite what is wrong."""
    path = Path(str(url.database)).absolute()
    try:
        if path.is_dir():
            raise StoreError(
                f"{str(path)!r} is a directory; give the name of a file in it, as in '{path}/events.db'"
            )
        if read_only and not path.exists():
            raise StoreError(
                f"there is no file {str(path)!r} to read. Check the path: sqlite:///bank.db is in the "
                "working directory, sqlite:////srv/bank.db is a whole path. To make a store, open it with "
                "SQLEventStore(url, model), and leave out read_only=True"
            )
        above = next(folder for folder in path.parents if folder.exists())
        if not above.is_dir():
            raise StoreError(
                f"{str(above)!r} is a file, so {path.name!r} cannot be in it; give a path whose directories "
                "are there"
            )
        if not path.parent.is_dir():
            raise StoreError(
                f"there is no directory {str(path.parent)!r} for the file {path.name!r}; make it first"
            )
    except ValueError as error:
        raise InvalidValue(f"{url.text!r}: a file cannot have this name ({error}); give another") from error
    except PermissionError as error:
        closed = next(
            (folder for folder in path.parents[::-1] if not os.access(folder, os.X_OK)), path.parent
        )
        raise StoreError(
            f"you may not enter the directory {str(closed)!r} of the file {path.name!r}; ask its owner for "
            "the permissions r and x of the directory, or give a file elsewhere"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{repr_of(url.text)}: the file cannot be used: {error.strerror or error}"
        ) from error
    return str(path)

"""Events in SQLite: a file, or the memory of this process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, PoolProxiedConnection, StaticPool, create_engine, event, insert
from sqlalchemy.dialects import sqlite

from calamity_lab.errors import InvalidValue, StoreError
from calamity_lab.stores.sql.database import Bounds, Database
from calamity_lab.stores.sql.rows import Entry, Heads, placed
from calamity_lab.stores.sql.schema import events
from calamity_lab.stores.sql.subscription import Polling, Waiting
from calamity_lab.stores.sql.urls import shown

_POLL = 0.05  # seconds; a look costs some 50 µs
# After so many pages the log is copied into the file: 16 MB. Ids are random, so a batch touches many pages
# of their index, and copying each less often takes a quarter off the time of appends.
_PAGES = 4_000


class SQLiteDatabase(Database):
    """Events in SQLite. Writers take turns from BEGIN IMMEDIATE on, so positions come in order of commit."""

    def __init__(self, url: URL, *, timeout: float, poll: float | None, read_only: bool) -> None:
        path = _path(url)
        if path is None and read_only:
            raise InvalidValue(f"{shown(url)!r} with read_only=True: a database in memory begins empty")
        super().__init__(
            _engine(url, path, timeout, read_only),
            name=shown(url),
            read_only=read_only,
            poll=_POLL if poll is None else poll,
            lasting=path is not None,
        )
        self._in_memory = path is None
        self._file = None if path is None or path.startswith("file:") else str(Path(path).absolute())
        self._opened: tuple[int, int] | None = None  # which file it was that the writer's connection opened
        self._waiting: list[Polling] = []

    def waiting(self) -> Waiting:
        waiting = Polling(self.poll, self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def _written_to(self) -> PoolProxiedConnection:
        if self._writer is None:
            super()._written_to()
            self._opened = _identity(self._file)
        return super()._written_to()

    def _check_place(self, asked: str) -> None:
        """Make sure that the file is still there: SQLite goes on with one that was deleted."""
        if self._writer is not None and _identity(self._file) != self._opened:
            raise StoreError(
                f"cannot {asked} {self._where}: the file was moved, deleted or replaced while it was open; "
                "nothing was written; open another store"
            )

    def _append(self, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        cursor: Any = self._written_to().cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            heads = self._heads(cursor, bounds)
            fits = all(low <= heads.versions[name] <= high for name, (low, high) in bounds.items())
            if fits:
                cursor.executemany(_insert(), placed(entries, heads))
            cursor.execute("COMMIT" if fits else "ROLLBACK")
        except BaseException:
            self._roll_back(cursor)
            raise
        finally:
            cursor.close()
        if fits:
            for waiting in tuple(self._waiting):
                waiting.wake()
        return heads

    def _heads(self, cursor: Any, streams: Mapping[str, Bounds]) -> Heads:
        versions, position = {}, 0
        for stream_id in streams:
            position, versions[stream_id] = cursor.execute(
                self.statements.heads, {"stream_id": stream_id}
            ).fetchone()
        return Heads(position, versions)

    def _roll_back(self, cursor: Any) -> None:
        """Undo what was begun; where that fails, the connection is given up, and SQLite undoes it later."""
        try:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop_writer()

    @contextmanager
    def _reading(self) -> Iterator[PoolProxiedConnection]:
        if not self._in_memory:
            with super()._reading() as connection:
                yield connection
            return
        with self._lock:  # there is but one connection
            yield self._written_to()


def _identity(file: str | None) -> tuple[int, int] | None:
    """What tells one file from another of the same name; None where there is none."""
    if file is None:
        return None
    try:
        found = os.stat(file)  # noqa: PTH116 - a third of the time that a Path takes, before every append
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@cache
def _insert() -> str:
    return str(insert(events).compile(dialect=sqlite.dialect(paramstyle="qmark")))


def _path(url: URL) -> str | None:
    """The file that is meant; None for a database in memory."""
    name = url.database
    in_memory = name in {None, "", ":memory:", "file::memory:"} or url.query.get("mode") == "memory"
    return None if in_memory else name


def _engine(url: URL, path: str | None, timeout: float, read_only: bool) -> Engine:
    if path is not None and not path.startswith("file:"):
        _check_file(Path(path), read_only)
        if read_only:
            query = {**url.query, "mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(Path(path).absolute()))}", query=query)
    options: dict[str, Any] = {"poolclass": StaticPool} if path is None else {"pool_timeout": timeout}
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,  # what commits by itself has nothing to roll back
        paramstyle="named",
        connect_args={"timeout": timeout, "check_same_thread": False},
        **options,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # In a write-ahead log, NORMAL loses nothing when the process dies; see docs/decisions/0073.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES}").fetchall()
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _check_file(path: Path, read_only: bool) -> None:
    """Say what is wrong with a path in better words than SQLite's "unable to open database file"."""
    if path.is_dir():
        raise StoreError(
            f"{str(path)!r} is a directory; give the name of a file in it, as in '{path}/events.db'"
        )
    if read_only and not path.exists():
        raise StoreError(f"there is no file {str(path)!r} to read; leave out read_only=True to begin one")
    if not path.parent.is_dir():
        raise StoreError(
            f"there is no directory {str(path.parent)!r} for the file {path.name!r}; make it first"
        )

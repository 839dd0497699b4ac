"""A database that holds events: how it is asked, and how it is written to."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection

from calamity_lab.errors import ReadOnlyStore, StoreError
from calamity_lab.stores.sql.driver_errors import driver_errors, lost, repeats_an_id, translated, unfit_text
from calamity_lab.stores.sql.rows import Entry, Heads
from calamity_lab.stores.sql.statements import statements
from calamity_lab.stores.sql.subscription import Waiting

# The versions between which a stream must be for an append to be let in.
Bounds = tuple[int, int]


class Database(ABC):
    """A database with the tables of an event store; safe to use from threads, and after a fork.

    Statements go to the driver's own cursor: from one connection that is kept for appends, and from the
    engine's pool for whatever is read. The connections commit each statement by itself, unless it stands
    between a BEGIN and a COMMIT.
    """

    def __init__(self, engine: Engine, *, name: str, read_only: bool, poll: float, lasting: bool) -> None:
        self.engine = engine
        self.name = name
        self.read_only = read_only
        self.poll = poll
        self.kind = engine.dialect.name
        self.statements = statements(self.kind)
        self.closed = False
        self._lasting = lasting  # whether what it holds outlives the process
        self._lock = threading.RLock()
        self._writer: PoolProxiedConnection | None = None
        self._process = os.getpid()
        self._left_behind: list[Any] = []

    def rows(self, statement: str, values: Mapping[str, Any], asked: str) -> list[Any]:
        """What a statement finds; one that meets a dead connection is asked again on another."""
        self._check()
        try:
            try:
                with self._reading() as connection:
                    return _fetched(connection, statement, values)
            except driver_errors() as error:
                if not lost(error):
                    raise
                self.engine.dispose()
                with self._reading() as connection:
                    return _fetched(connection, statement, values)
        except driver_errors() as error:
            raise translated(error, asked, self._where) from error
        except (OverflowError, UnicodeError) as error:
            raise unfit_text(error, asked, self._where) from error

    def number(self, statement: str, values: Mapping[str, Any], asked: str) -> int:
        """The one number that a statement finds."""
        found: int = self.rows(statement, values, asked)[0][0]
        return found

    def append(self, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        """Write the entries behind what is there, all or none, and tell where the ends were.

        Nothing is written where one of the streams is not within its bounds.
        """
        self._check_writable("append to")
        with self._lock:
            self._check_place("append to")
            try:
                return self._append(entries, bounds)
            except driver_errors() as error:
                if repeats_an_id(error):
                    raise self._repeated(entries, error) from error
                raise translated(error, f"append {counted(entries)} to", self._where) from error
            except (OverflowError, UnicodeError) as error:
                raise unfit_text(error, f"append {counted(entries)} to", self._where) from error

    def write(self, statement: str, values: Mapping[str, Any], asked: str) -> None:
        """Carry out one statement that changes something beside the events, and may be carried out twice."""
        self._check_writable(asked)
        with self._lock:
            self._check_place(asked)
            try:
                try:
                    _executed(self._written_to(), statement, values)
                except driver_errors() as error:
                    if not lost(error):
                        raise
                    self._drop_writer()
                    self.engine.dispose()
                    _executed(self._written_to(), statement, values)
            except driver_errors() as error:
                raise translated(error, asked, self._where) from error
            except (OverflowError, UnicodeError) as error:
                raise unfit_text(error, asked, self._where) from error

    @abstractmethod
    def waiting(self) -> Waiting:
        """A way to wait for what others append."""

    def close(self) -> None:
        """Give back every connection; after a fork, those of the child."""
        self._look_for_fork()
        with self._lock:
            self.closed = True
            self._drop_writer()
            self.engine.dispose()

    @abstractmethod
    def _append(self, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        """Append in one transaction; the lock is held."""

    @property
    def _where(self) -> str:
        return repr(self.name)

    @contextmanager
    def _reading(self) -> Iterator[PoolProxiedConnection]:
        connection = self.engine.raw_connection()
        try:
            yield connection
        except Exception:
            raise
        except BaseException:
            connection.invalidate()  # an interruption leaves it in the middle of something
            raise
        finally:
            connection.close()

    def _written_to(self) -> PoolProxiedConnection:
        """The connection that is kept for appends."""
        if self._writer is None:
            self._writer = self.engine.raw_connection()
        return self._writer

    def _drop_writer(self) -> None:
        if not (self._lasting or self.closed):
            return  # what is in memory would go with it
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.invalidate()

    def _repeated(self, entries: Sequence[Entry], error: Exception) -> StoreError:
        """The error that names the event whose id is there already."""
        for entry in entries:
            values = {"event_id": entry.event_id}
            for event_id, stream_id, version, position in self.rows(
                self.statements.places, values, "look in"
            ):
                return StoreError(
                    f"an event with the id {event_id} is there already, at position {position} (version "
                    f"{version} of {stream_id!r}) of {self._where}: the ids of this run repeat those of an "
                    "earlier one, or the event was appended before; nothing was written. Ids that are drawn "
                    "anew do not repeat: leave out Stack(ids=...), or give it another seed"
                )
        return StoreError(
            f"two of the events have one id, or a row is in the way, in {self._where}: {error}; nothing was "
            "written; events need ids of their own"
        )

    def _check(self) -> None:
        if self.closed:
            raise StoreError(f"the store at {self._where} is closed; open another one")
        self._look_for_fork()

    def _check_writable(self, asked: str) -> None:
        self._check()
        if self.read_only:
            raise ReadOnlyStore(f"cannot {asked} {self._where}: it was opened with read_only=True")

    def _check_place(self, asked: str) -> None:
        """Make sure that what is written to is where it was, as a server always is; the lock is held."""

    def _look_for_fork(self) -> None:
        """In a child, leave the parent's connections alone, which must not even be closed there."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._lock = threading.RLock()  # a thread that the child does not have may hold the other one
        if self._lasting:
            self._left_behind.append((self.engine.pool, self._writer))
            self._writer = None
            self.engine.dispose(close=False)


def counted(entries: Sequence[Entry]) -> str:
    """How many events that is, in words."""
    return "1 event" if len(entries) == 1 else f"{len(entries):,} events"


def _executed(connection: PoolProxiedConnection, statement: str, values: Mapping[str, Any]) -> None:
    cursor: Any = connection.cursor()
    try:
        cursor.execute(statement, values)
    finally:
        cursor.close()


def _fetched(connection: PoolProxiedConnection, statement: str, values: Mapping[str, Any]) -> list[Any]:
    cursor: Any = connection.cursor()
    try:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
    finally:
        cursor.close()

"""`Database`: what all databases share. A subclass per database has the rest."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, ClassVar
from weakref import WeakSet

from calamity_lab.errors import (
    CalamityError,
    InvalidValue,
    ReadOnlyStore,
    StoreError,
    StoreUnavailable,
    StreamDeleted,
    repr_of,
)
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.outbox import Move, resolved
from calamity_lab.stores.sql.rows import (
    DELIVERIES,
    ENDED,
    VERSION,
    VERSIONS,
    AlongRows,
    AppendedRows,
    DeletedStream,
    HandOn,
    Heads,
    OutboxRow,
    RejectionRow,
    SettledRow,
    Statements,
    StoredRow,
    Unfit,
    placed,
)
from calamity_lab.stores.sql.urls import URL
from calamity_lab.text import plural

# Executes a statement on a connection; gives the rows that it finds.
Execute = Callable[[Any, str, Mapping[str, Any]], list[Any]]
# An error of ours, and what it says; {} stands for what the driver said.
Meaning = tuple[type[CalamityError], str]

OR_WAIT = "try again later, or give the store a longer timeout"
NO_ROOM = "there is no room left ({}); nothing was written; make room and try again"
READ_ONLY = "it may be read, but not written ({})"
OTHER_TABLES = "its tables are not those of an event store ({})"
UNFIT = "the database cannot keep a text or a number in it ({}); nothing was written"
UNKNOWN: Meaning = StoreError, "{}; nothing was written"

LEASE = 10  # seconds for which the claim of a worker on a name holds

# What a database of a kind is asked; it is written out once, however many stores are opened.
_statements = lru_cache(Statements)
_KEPT, _MOST = 5, 15  # connections for reading: those that stay open, and those that may be open at once


class Waiting(ABC):
    """Waits until there may be new events; `wake` ends the wait from another thread."""

    def start(self) -> None:
        """Begin to notice what is appended."""

    @abstractmethod
    def wait(self) -> None:
        """Return when there may be new events, or after some time in any case."""

    @abstractmethod
    def wake(self) -> None:
        """End a wait that another thread is in."""

    def close(self) -> None:
        """Release what the waiting needed."""


class Polling(Waiting):
    """Looks from time to time, and at once when it is woken."""

    def __init__(self, seconds: float, forget: Callable[[Polling], None] = lambda polling: None) -> None:
        self._seconds = seconds
        self._forget = forget
        self._woken = threading.Event()

    def wait(self) -> None:
        self._woken.wait(self._seconds)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._forget(self)


class Database(ABC):
    """A database with the tables of an event store; safe to use from threads, in the process that opened it.

    A subclass has all that is particular to one kind of database. Its connections are those of its driver
    (PEP 249), with cursors that take statements and named values. They commit each statement by itself,
    unless it stands between a BEGIN and a COMMIT. One connection is for appends, others are for reading.
    """

    title: ClassVar[str]  # its name for people
    examples: ClassVar[str]  # URLs of it that work, for messages
    schemes: ClassVar[frozenset[str]]  # what its URLs begin with
    drivers: ClassVar[frozenset[str]]  # what may follow a + there
    tables: ClassVar[tuple[str, ...]]  # the statements that make what is missing of the tables
    parameter: ClassVar[str]  # how a statement names a value, with {} in place of the name
    names: ClassVar[str]  # the statement that finds the name of each table and index, and whether it is one
    now: ClassVar[str]  # the time, by the clock that all who use the database share
    later: ClassVar[str]  # the same, `LEASE` seconds later

    def __init__(self, url: URL, *, timeout: float, poll: float, read_only: bool, lasting: bool) -> None:
        self.url = url
        self.name = str(url)
        self.timeout = timeout
        self.poll = poll
        self.read_only = read_only
        # The last two: half of a character, or a number beyond 64 bits, which no database takes.
        self.caught: tuple[type[Exception], ...] = (*self.errors, OverflowError, UnicodeError)
        self.statements = _statements(self.parameter, self.now, self.later)
        self.closed = False
        self.version = 0  # of its tables
        self.keeps_rejections = False  # whether the tables for these are there
        self._lasting = lasting  # whether what it holds outlives the process
        self._lock = threading.RLock()
        self._gate = (
            threading.Event()
        )  # closed while a fork waits for the lock, which others would take again
        self._gate.set()
        self._writer: Any = None
        self._lent = _Lent(self)
        self._process = os.getpid()
        _watch(self)

    # For each kind of database to define.

    @property
    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors that its driver raises."""

    @abstractmethod
    def connect(self) -> Any:
        """A new connection of the driver."""

    @abstractmethod
    def waiting(self) -> Waiting:
        """A way to wait for what is appended next."""

    @abstractmethod
    def _append(self, given: AppendedRows) -> Heads:
        """Append in one transaction; the caller holds the lock."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Any]:
        """A cursor in a transaction of the only writer; the caller holds the lock."""

    @abstractmethod
    def _insert(self, cursor: Any, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows of events; those who wait for events hear of it."""

    @abstractmethod
    def _meaning(self, error: Exception, said: str) -> Meaning:
        """What an error of the driver means."""

    @abstractmethod
    def _repeats_an_id(self, error: Exception) -> bool:
        """Whether the error means that an event with this id is there already."""

    @abstractmethod
    def _is_misread(self, error: Exception) -> bool:
        """Whether the driver could not read one of the values that a statement found."""

    @abstractmethod
    def _execute_leniently(self, connection: Any, statement: str, values: Mapping[str, Any]) -> list[Any]:
        """Execute a statement; values that the driver cannot read are given in another type."""

    def _is_lost(self, error: Exception) -> bool:
        """Whether the error means that the connection was lost, and the answer with it."""
        return False

    def _works_on_another(self, error: Exception) -> bool:
        """Whether the same statement may work on another connection; it may then be executed twice."""
        return self._is_lost(error)

    def _check_still_there(self, action: str) -> None:
        """Check that the database is where it was, as a server always is; the caller holds the lock."""

    def before_fork(self) -> None:
        """Close the connections that a child of this process must not have; wait for their users."""

    def after_fork(self) -> None:
        """Go on in the parent after a fork."""

    # The same for all, unless one has a quicker way.

    def tables_and_indices(self) -> tuple[set[str], set[str]]:
        """The names of all tables in the database, and of all indices."""
        found: tuple[set[str], set[str]] = set(), set()
        for name, is_index in self._read(self.names, {}):
            found[is_index].add(name)
        return found

    def create_tables(self) -> None:
        """Make the tables that are missing and record their version; several programs may do so at once."""
        with self._lock, self._transaction() as cursor:
            for statement in self.tables:
                cursor.execute(statement)
            if cursor.execute(self.statements.table_version).fetchall():
                cursor.execute(f"UPDATE {VERSIONS} SET version = {VERSION}")
            else:
                cursor.execute(f"INSERT INTO {VERSIONS} VALUES ({VERSION})")
            if not cursor.execute("SELECT position FROM last_position").fetchall():
                cursor.execute("INSERT INTO last_position SELECT coalesce(max(position), 0) FROM events")
        self.version, self.keeps_rejections = VERSION, True

    def _append_rows(self, cursor: Any, given: AppendedRows) -> Heads:
        """Append within a transaction of the only writer, which is undone where nothing is to be written."""
        statements = self.statements
        heads = self._heads(cursor, given.bounds)
        writing = Writing(cursor, statements, heads.position)
        before = None if given.settles is None else writing.settled(given.settles)
        heads = heads._replace(settled=before)
        fits = heads.fit(given.bounds) and before is None
        if fits and given.entries:
            self._insert(cursor, placed(given.entries, heads))
            last = {"position": heads.position + len(given.entries)}
            cursor.execute(statements.move_last_position, last)
            for name, count in given.passed.items():
                values = {"name": name, "position": heads.position + count, "since": heads.position}
                cursor.execute(statements.move_mark_from, values)
        if fits and given.along is not None:
            heads = heads._replace(unfit=writing.write(given.along))
        if not fits or heads.unfit is not None:
            cursor.execute("ROLLBACK")
        return heads

    def _heads(self, cursor: Any, streams: Iterable[str]) -> Heads:
        """The ends of streams, and of all."""
        position, versions = None, dict[str, int]()
        for stream_id in streams:
            position, version = cursor.execute(self.statements.heads, {"stream_id": stream_id}).fetchone()
            versions[stream_id] = self.checked_number(version)
        if position is None:
            (position,) = cursor.execute(self.statements.position).fetchone()
        return Heads(self.checked_number(position), versions)

    def check_open(self) -> None:
        """Raise when the store is closed, or when this process is a fork of the one that opened it.

        Call this before a lock is taken: a thread that the child does not have may hold the lock.
        """
        if self.closed:
            raise StoreError(f"the store at {self._where} is closed; open another one")
        if self.is_inherited:
            raise StoreError(
                f"the store at {self._where} was opened by process {self._process}, and this is process "
                f"{os.getpid()}, a fork of it; nothing was read or written. {self._instead}"
            )

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a fork of the one that opened the database."""
        return self._process != os.getpid()

    def rows(self, statement: str, values: Mapping[str, Any] = {}, action: str = "read from") -> list[Any]:
        """The rows that a statement finds; if the connection was lost, it tries once more on a new one."""
        self.check_open()
        try:
            try:
                return self._read(statement, values)
            except self.errors as error:
                if not self._works_on_another(error):
                    raise
                self._close_lent()
                return self._read(statement, values)
        except self.caught as error:
            raise self.translated(error, action) from error

    def number(self, statement: str, values: Mapping[str, Any] = {}) -> int:
        """The one number that a statement finds."""
        found: Any = self.rows(statement, values)[0][0]
        return self.checked_number(found)

    def checked_number(self, found: Any) -> int:
        """A version or a position that a statement found; raises where somebody wrote something else."""
        if type(found) is not int:
            raise StoreError(
                f"{self._where} has a version or a position that is no whole number: {repr_of(found, 60)}. "
                "Correct the row in the database, or restore it from a backup"
            )
        return found

    def append(self, given: AppendedRows) -> Heads:
        """Append the entries to their streams, all or none; return where the ends were.

        Nothing is written when a stream's version is not within its bounds, when the command that they settle
        was settled before, or when what is written along does not fit.
        """
        with self._changing("append to", f"append {plural(len(given.entries), 'event')} to"):
            try:
                heads = self._append(given)
            except self.caught as error:
                if self._repeats_an_id(error):
                    raise self._repeated(given.entries, error) from error
                raise
        for stream_id, version in heads.versions.items():
            if version < 0:
                values = {"stream_id": stream_id}
                self._check_not_deleted(self.rows(self.statements.deleted_stream, values))
        return heads

    def hand_on(self, handed: HandOn) -> bool:
        """Move a mark, with what belongs to it; return False, and write nothing, if the mark is elsewhere."""
        with self._changing("hand events on in"):
            return self._hand_on(handed)

    def _hand_on(self, handed: HandOn) -> bool:
        with self._transaction() as cursor:
            return Writing(cursor, self.statements, 0).hand_on(handed)

    def settle(self, given: SettledRow) -> tuple[Any, ...] | bool:
        """Settle a command; whether that was done, or else what it came to before.

        A rejection that changed the sender is kept: nothing is written if the mark of the process manager is
        elsewhere, or if there was another rejection.
        """
        with self._changing("settle a command in"):
            return self._settle(given)

    def _settle(self, given: SettledRow) -> tuple[Any, ...] | bool:
        with self._transaction() as cursor:
            return Writing(cursor, self.statements, 0).settle(given)

    @contextmanager
    def _changing(self, action: str, tried: str | None = None) -> Iterator[None]:
        self._check_writable(action)
        self._pass_gate()
        with self._lock:
            self._check_still_there(action)
            try:
                yield
            except self.caught as error:
                raise self.translated(error, tried or action) from error

    def write(self, statement: str, values: Mapping[str, Any], action: str) -> int:
        """Execute one statement that changes something beside the events; return how many rows it changed.

        It may be executed twice.
        """
        with self._changing(action):
            try:
                return int(self._writing().execute(statement, values).rowcount)
            except self.errors as error:
                if not self._works_on_another(error):
                    raise
                self._drop_writer()
                self._close_lent()
                return int(self._writing().execute(statement, values).rowcount)

    def delete_stream(self, stream_id: str, at: str, reason: str) -> None:
        """Delete the events and the snapshot of a stream, and leave a tombstone, in one transaction."""
        with self._deleting("delete a stream of"), self._transaction() as cursor:
            self._check_not_deleted(cursor.execute(self.statements.deleted_stream, {"stream_id": stream_id}))
            last = cursor.execute(self.statements.last_of_stream, {"stream_id": stream_id}).fetchone()
            if last[0] is None:
                raise InvalidValue(
                    f"there is no stream {repr_of(stream_id)} in {self._where}; nothing was deleted"
                )
            tombstone, *deletions = self.statements.delete_stream
            values = {"stream_id": stream_id, "version": last[0], "position": last[1]}
            cursor.execute(tombstone, {**values, "deleted_at": at, "reason": reason})
            for deletion in deletions:
                cursor.execute(deletion, {"stream_id": stream_id})

    @contextmanager
    def _deleting(self, action: str) -> Iterator[None]:
        """A change after which the database itself keeps nothing of the deleted rows, where it can do so."""
        with self._changing(action):
            yield

    def _check_not_deleted(self, rows: Any) -> None:
        for row in rows:
            found = DeletedStream.of(row)
            raise StreamDeleted(found.stream_id, found.version, found.deleted_at, found.reason)

    def translated(self, error: Exception, action: str) -> CalamityError:
        """The error of this project for an error of the driver: they are translated only here."""
        said = self.url.redacted(str(error).strip().partition("\n")[0] or type(error).__name__)
        unfit = isinstance(error, (OverflowError, UnicodeError))
        kind, meaning = (InvalidValue, UNFIT) if unfit else self._meaning(error, said)
        return kind(f"cannot {action} {self._where}: {meaning.format(said)}")

    def close(self) -> None:
        """Close all connections. In the child of a fork this does nothing: they are the parent's."""
        if self.is_inherited:
            return
        with self._lock:
            self.closed = True
            self._drop_writer()
            self._close_lent()

    @property
    def _where(self) -> str:
        return repr(self.name)

    def _read(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        try:
            return self._found(statement, values, execute)
        except self.errors as error:
            if not self._is_misread(error):
                raise
            return self._found(statement, values, self._execute_leniently)

    def _found(self, statement: str, values: Mapping[str, Any], execute: Execute) -> list[Any]:
        lent = self._lent
        connection = lent.take()
        try:
            found = execute(connection, statement, values)
        except Exception:
            lent.give_back(connection)
            raise
        except BaseException:
            lent.give_back(connection, usable=False)  # an interruption leaves it in the middle of something
            raise
        lent.give_back(connection)
        return found

    def _close_lent(self) -> None:
        """Close the connections for reading; those in use are closed when they are given back."""
        lent, self._lent = self._lent, _Lent(self)
        lent.close()

    def _writing(self) -> Any:
        """The connection for appends."""
        if self._writer is None:
            self._writer = self.connect()
        return self._writer

    def _drop_writer(self) -> None:
        if not (self._lasting or self.closed):
            return  # what is in memory would go with it
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _repeated(self, entries: Sequence[StoredRow], error: Exception) -> StoreError:
        """The error for an id that is there already; it names the event."""
        for entry in entries:
            values = {"event_id": entry.event_id}
            for event_id, stream_id, version, position in self.rows(
                self.statements.events_by_id, values, "look in"
            ):
                return StoreError(
                    f"an event with the id {event_id} is there already, at position {position} (version "
                    f"{version} of {stream_id!r}) of {self._where}: the ids of this run repeat those of an "
                    "earlier one, or the event was appended before; nothing was written. Random ids do not "
                    "repeat: leave out Stack(ids=...), or give another seed"
                )
        return StoreError(
            f"two of the events have one id, or a row is in the way, in {self._where}: {error}; nothing "
            "was written; give each event an id of its own"
        )

    def _pass_gate(self) -> None:
        if not self._gate.is_set():
            self._gate.wait(self.timeout)

    def _check_writable(self, action: str) -> None:
        self.check_open()
        if self.read_only:
            raise ReadOnlyStore(f"cannot {action} {self._where}: it was opened with read_only=True")

    @property
    def _instead(self) -> str:
        """What to do in a process that is a fork."""
        return "Open a new store in this process, as in SQLEventStore(url, bank)"


class _Lent:
    """Connections for reading: each is lent to one thread at a time, and some stay open for the next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._free = threading.BoundedSemaphore(_MOST)
        self._gate = threading.Event()
        self._gate.set()
        self._idle: list[Any] = []
        self._closed = False

    def take(self) -> Any:
        """A connection that nobody else uses."""
        if not self._gate.is_set():
            self._gate.wait(self._database.timeout)
        if not self._free.acquire(timeout=self._database.timeout):
            raise StoreUnavailable(
                f"cannot read from {self._database.name!r}: all {_MOST} connections are in use; try again "
                "when fewer threads read, or give the store a longer timeout"
            )
        try:
            return self.idle() or self._database.connect()
        except BaseException:
            self._free.release()
            raise

    def idle(self) -> Any:
        """A connection that is open and that nobody else uses, or None."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give_back(self, connection: Any, *, usable: bool = True) -> None:
        """Let others use the connection, unless it was interrupted in the middle of a statement."""
        if usable:
            self.keep(connection)
        else:
            connection.close()
        self._free.release()

    def keep(self, connection: Any) -> None:
        """Lend the connection from now on, or close it where enough are open."""
        if self._closed or len(self._idle) >= _KEPT:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:  # by another thread, which may have looked before this connection came back
            self.close()

    def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when they are given back."""
        self._closed = True
        self._close_idle()

    def hold(self) -> bool:
        """Wait until no connection is in use, and lend none until `release`; return whether that worked."""
        until = time.monotonic() + self._database.timeout
        self._gate.clear()  # or others would take what is given back
        for held in range(_MOST):
            if not self._free.acquire(timeout=max(until - time.monotonic(), 0)):
                self.release(held)
                return False
        self._close_idle()
        return True

    def release(self, held: int = _MOST) -> None:
        """Lend connections again, after `hold`."""
        for _ in range(held):
            self._free.release()
        self._gate.set()

    def _close_idle(self) -> None:
        while connection := self.idle():
            connection.close()


class Writing:
    """Writes what belongs to marks and to the outbox, by a cursor in a transaction of the only writer."""

    def __init__(self, cursor: Any, statements: Statements, head: int) -> None:
        self._cursor, self._statements, self._head = cursor, statements, head
        self._unfit = Unfit({}, {})

    def write(self, along: AlongRows) -> Unfit | None:
        """Write it; return what does not fit, so that the caller undoes the transaction."""
        for move, rows in sorted(along.moves, key=lambda each: each[0].name):
            if move.handed and move.known is not None and self._last_rejection(move.name) != move.known:
                self._unfit.marks[move.name] = (move.since, self._mark(move.name))
            elif self._moved(move):
                self._note(move.name, rows)
        for row in along.settled:
            self._add(row)
        self._take_off(along.taken_off, along.sent)
        for row in along.sent:
            cause = None if row.cause is None else resolved(row.cause, self._head)
            self._add(row._replace(cause=cause))
        return self._unfit if any(self._unfit) else None

    def hand_on(self, handed: HandOn) -> bool:
        """Move a mark, with what belongs to it; whether that was done."""
        statements, name = self._statements, handed.name
        values = {"name": name, "position": handed.upto}
        if handed.since is None:
            is_moved = self._changed(statements.begin_mark, values)
        else:
            is_known = handed.rejections is None or self._last_rejection(name) == handed.rejections
            is_moved = is_known and self._changed(
                statements.move_mark_from, {**values, "since": handed.since}
            )
        if is_moved:
            self._note(name, handed)
            self._take_off(handed.taken_off, handed.sent)
            for row in handed.sent:
                self._add(row)
        return is_moved

    def settle(self, given: SettledRow) -> tuple[Any, ...] | bool:
        """Settle a command, with what belongs to it; see `Database.settle`."""
        kept = given.kept
        if kept is not None:
            mark, number = self._mark(kept.process_manager), self._last_rejection(kept.process_manager)
            if (mark, number) != (kept.position, kept.number - 1):
                return self._came_to(given.row) or False
        before = self.settled(given.row)
        if before is not None:
            return before
        if kept is not None:
            self._keep(kept)
        self._take_off(given.taken_off, given.sent)
        for each in given.sent:
            self._add(each)
        return True

    def settled(self, row: OutboxRow) -> tuple[Any, ...] | None:
        """Settle a command; what it came to before, where it was settled."""
        if self._changed(self._statements.settle, row._asdict()):
            return None
        before = self._came_to(row)
        if before is None:
            self._changed(self._statements.send, row._asdict())
        return before

    def _came_to(self, row: OutboxRow) -> tuple[Any, ...] | None:
        """What a command came to; None where it is not settled."""
        values = {"command_id": row.command_id}
        found: list[tuple[Any, ...]] = self._found(self._statements.outcome, values)
        return found[0] if found and found[0][0] is not None else None

    def _last_rejection(self, name: str) -> int:
        """The number of the last rejection that changed an instance of a process manager."""
        found = self._found(self._statements.last_rejection, {"name": name})
        return int(found[0][0]) if found else 0

    def _keep(self, kept: RejectionRow) -> None:
        values = {"name": kept.process_manager, "number": kept.number}
        self._changed(self._statements.keep_rejection, kept._asdict())
        self._changed(self._statements.count_rejection, values)

    def _moved(self, move: Move) -> bool:
        """Whether what an instance was handed is to be noted; a mark that must move and cannot is unfit."""
        statements, head = self._statements, self._head
        fits = move.fits(head)
        upto = resolved(move.upto, head) if fits else resolved(move.begun, head)
        values = {"name": move.name, "position": upto}
        if fits or not move.handed:
            if move.since is None:
                if self._changed(statements.begin_mark, values):
                    return True
            elif fits and self._changed(statements.move_mark_from, {**values, "since": move.since}):
                return True
        if not move.handed:
            if move.length == -move.upto:  # only new events are passed over: a mark at the end may pass them
                end = {"name": move.name, "position": resolved(move.upto, head), "since": head}
                self._changed(statements.move_mark_from, end)
            return False
        self._unfit.marks[move.name] = (move.since, self._mark(move.name))
        return False

    def _mark(self, name: str) -> int | None:
        found = self._found(self._statements.mark, {"name": name})
        return found[0][0] if found else None

    def _note(self, name: str, rows: HandOn) -> None:
        for kept in rows.kept:
            self._keep(kept._replace(position=resolved(kept.position, self._head)))
        for stream_id, position in rows.begun_or_ended.items():
            which = {"name": name, "stream_id": stream_id}
            self._changed(self._statements.forget_deliveries, which)
            if rows.rejections is not None:
                before = {**which, "position": resolved(position, self._head)}
                self._changed(self._statements.forget_rejections, before)
        for statement, columns, found in (
            (self._statements.deliver, DELIVERIES, rows.deliveries),
            (self._statements.end, ENDED, rows.ended),
        ):
            for row in found:
                values = dict(zip(columns, row, strict=True))
                self._changed(statement, {**values, "position": resolved(values["position"], self._head)})

    def _take_off(self, taken_off: Sequence[TakenOff], sent: Sequence[OutboxRow]) -> None:
        """Settle deadlines as cancelled, but for those that are sent once more: a mark was moved back."""
        kept = {row.command_id for row in sent}
        for off in taken_off:
            for (command_id,) in self._found(self._statements.set_deadlines, off._asdict()):
                if command_id not in kept:
                    self._changed(self._statements.cancel, {"command_id": command_id})

    def _add(self, row: OutboxRow) -> None:
        """Put a command in the outbox; one that is there and is not settled may be settled by it."""
        if self._changed(self._statements.send, row._asdict()) or row.outcome is None:
            return
        before = self.settled(row)
        if before is not None:
            self._unfit.settled[row.command_id] = before

    def _changed(self, statement: str, values: Mapping[str, Any]) -> bool:
        """Whether the statement changed a row."""
        return bool(self._cursor.execute(statement, values).rowcount > 0)

    def _found(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        """The rows that the statement finds."""
        found: list[Any] = self._cursor.execute(statement, values).fetchall()
        return found


def execute(connection: Any, statement: str, values: Mapping[str, Any] = {}) -> list[Any]:
    """Execute a statement; return the rows that it finds."""
    found: list[Any] = connection.execute(statement, values).fetchall()
    return found


# Forks. SQLite keeps in each process what that process has locked. The child of a fork has a copy of this,
# but none of the locks: another process that closes the file then deletes the log into which the child
# writes. So all connections to files are closed just before a fork, and opened again when they are next
# needed.

_open: WeakSet[Database] = WeakSet()
_fork_lock = threading.RLock()
_watching = False
_inherited: list[Database] = []


def _watch(database: Database) -> None:
    """Tell the database about each fork of this process from now on."""
    global _watching
    with _fork_lock:
        if not _watching:
            os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
            _watching = True
        _open.add(database)


def inherited() -> tuple[Database, ...]:
    """The databases that a parent of this process had open; they are kept, because closing them does harm."""
    return tuple(_inherited)


def _before() -> None:
    _fork_lock.acquire()  # no database is opened while the process forks
    for database in tuple(_open):
        database.before_fork()


def _in_parent() -> None:
    for database in tuple(_open):
        database.after_fork()
    _fork_lock.release()


def _in_child() -> None:
    global _fork_lock
    _fork_lock = threading.RLock()  # a thread that the child does not have may hold the other one
    _inherited.extend(_open)
    _open.clear()

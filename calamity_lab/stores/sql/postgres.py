"""Events in PostgreSQL, by psycopg."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Engine,
    Insert,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, TIMESTAMP
from sqlalchemy.sql.expression import ColumnElement, FromClause
from sqlalchemy.types import TypeEngine

from calamity_lab.errors import MissingExtra, StoreUnavailable
from calamity_lab.stores.sql.database import Bounds, Database, counted
from calamity_lab.stores.sql.driver_errors import driver_errors, lost, translated
from calamity_lab.stores.sql.rows import Entry, Heads, placed
from calamity_lab.stores.sql.schema import events
from calamity_lab.stores.sql.statements import COLUMNS, compiled
from calamity_lab.stores.sql.subscription import Waiting
from calamity_lab.stores.sql.urls import shown

CHANNEL = "calamity_lab_events"
_LISTEN = f"LISTEN {CHANNEL}"
# A standby server tells nobody of what reaches it, so there it is looked from time to time, and that is all.
_ON_A_STANDBY = "25006"


class Listening(Waiting):
    """Waits for a notification on a connection of its own; looks from time to time in any case.

    The connection is used for nothing else, so a notification that comes while the events before it are still
    being read stays there, and is found by the next wait.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine = engine
        self._where = repr(shown(engine.url))
        self._seconds = seconds
        self._connection: Any = None
        self._lock = threading.Lock()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)

    def start(self) -> None:
        self._hang_up()
        try:
            pooled = self._engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()  # it listens, so nobody else is to get it
            self._connection.execute(_LISTEN)
        except driver_errors() as error:
            if getattr(error, "sqlstate", None) != _ON_A_STANDBY:
                raise translated(error, "listen to", self._where) from error

    def wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            ready = selector.select(self._seconds)
        for key, _ in ready:
            if key.fileobj is self._bell:
                self._bell.recv(4096)
            else:
                self._take()

    def wake(self) -> None:
        with self._lock:
            if self._rope.fileno() >= 0:
                self._rope.send(b".")

    def close(self) -> None:
        self._hang_up()
        with self._lock:  # somebody may be about to wake whoever no longer waits
            self._bell.close()
            self._rope.close()

    def _take(self) -> None:
        """Take the notifications that are there; what was appended is read from the events themselves."""
        try:
            for _ in self._connection.notifies(timeout=0):
                pass
        except driver_errors() as error:
            raise translated(error, "listen to", self._where) from error

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


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

# Each statement of a function sees what was committed before it, so what follows the lock sees what was
# appended while it was waited for.
APPEND = f"""
CREATE OR REPLACE FUNCTION calamity_lab_append(
    stream text, low bigint, high bigint,
    ids text[], types text[], versions integer[], correlations text[], causations text[],
    times timestamptz[], metadatas json[], payloads json[],
    OUT last_position bigint, OUT last_version bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({LOCK});
    SELECT coalesce(max(position), 0) INTO last_position FROM events;
    SELECT coalesce(max(stream_version), 0) INTO last_version FROM events WHERE stream_id = stream;
    IF last_version BETWEEN low AND high THEN
        INSERT INTO events ({", ".join(COLUMNS)})
        SELECT last_position + n, stream, last_version + n,
            id, type, version, correlation, causation, at, known, said
        FROM unnest(ids, types, versions, correlations, causations, times, metadatas, payloads)
            WITH ORDINALITY AS entry (id, type, version, correlation, causation, at, known, said, n);
        PERFORM pg_notify('{CHANNEL}', '');
    END IF;
END $$
"""


class PostgresStatements:
    """The statements of an append."""

    begin = "BEGIN"
    lock = f"SELECT pg_advisory_xact_lock({LOCK})"
    notify = f"NOTIFY {CHANNEL}"

    def __init__(self) -> None:
        self._append = compiled(_append(), "postgresql")
        self._insert = compiled(_insert(), "postgresql")

    def append(
        self, entries: Sequence[Entry], stream_id: str, bounds: tuple[int, int]
    ) -> tuple[str, dict[str, Any]]:
        """What appends entries to one stream that is within its bounds, and tells where the ends were."""
        columns = list(zip(*entries, strict=True))[2:]
        values: dict[str, Any] = dict(zip(_TYPES, map(_array, columns), strict=True))
        values["stream_id"], (values["low"], values["high"]) = stream_id, bounds
        return self._append, values

    def insert(self, entries: Sequence[Entry], heads: Heads) -> tuple[str, dict[str, Any]]:
        """What inserts entries of several streams behind their heads."""
        columns = zip(*placed(entries, heads), strict=True)
        return self._insert, dict(zip(COLUMNS, map(_array, columns), strict=True))


@cache
def postgres_statements() -> PostgresStatements:
    """The statements, compiled when they are first needed."""
    return PostgresStatements()


def _append() -> Select[Any]:
    stream: list[ColumnElement[Any]] = [
        cast(bindparam("stream_id"), Text),
        cast(bindparam("low"), BigInteger),
        cast(bindparam("high"), BigInteger),
    ]
    appended: FromClause = func.calamity_lab_append(*stream, *_arrays(_TYPES)).table_valued(
        "last_position", "last_version"
    )
    return select(appended.c.last_position, appended.c.last_version)


def _insert() -> Insert:
    kinds: dict[str, TypeEngine[Any]] = {
        "position": BigInteger(),
        "stream_id": Text(),
        "stream_version": BigInteger(),
        **_TYPES,
    }
    rows: FromClause = func.unnest(*_arrays(kinds)).table_valued(*kinds).render_derived("entry")
    return insert(events).from_select(COLUMNS, select(*(rows.c[name] for name in COLUMNS)))


def _arrays(kinds: Mapping[str, TypeEngine[Any]]) -> list[ColumnElement[Any]]:
    return [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds.items()]


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


_POLL = 2.0  # seconds; only for when no notification comes through


class PostgresDatabase(Database):
    """Events in PostgreSQL; an append is one round trip."""

    def __init__(self, url: URL, *, timeout: float, poll: float | None, read_only: bool) -> None:
        super().__init__(
            _engine(url, timeout, read_only),
            name=shown(url),
            read_only=read_only,
            poll=_POLL if poll is None else poll,
            lasting=True,
        )
        self._appends = postgres_statements()

    def waiting(self) -> Waiting:
        return Listening(self.engine, self.poll)

    def _append(self, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        try:
            return self._attempt(entries, bounds)
        except driver_errors() as error:
            heads = self._look_after(error, entries, bounds)
        if heads is not None:
            return heads
        try:  # nothing of it was written, so it may be asked again
            return self._attempt(entries, bounds)
        except driver_errors() as error:
            heads = self._look_after(error, entries, bounds)
            if heads is not None:
                return heads
            raise StoreUnavailable(
                f"cannot append {counted(entries)} to {self._where}: the connection was lost twice "
                f"({error}); nothing was written; ask again"
            ) from error

    def _attempt(self, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        connection: Any = self._written_to().driver_connection
        try:
            if len(bounds) == 1:
                return self._to_one(connection, entries, bounds)
            return self._to_several(connection, entries, bounds)
        except Exception:
            self._roll_back(connection)
            raise
        except BaseException:
            self._drop_writer()  # an interruption leaves a connection in the middle of something
            raise

    def _to_one(self, connection: Any, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        ((stream_id, within),) = bounds.items()
        statement, values = self._appends.append(entries, stream_id, within)
        position, version = connection.execute(statement, values, prepare=True).fetchone()
        return Heads(position, {stream_id: version})

    def _to_several(self, connection: Any, entries: Sequence[Entry], bounds: Mapping[str, Bounds]) -> Heads:
        """Append to several streams: their ends are read under the lock, and all entries get their places."""
        connection.execute(self._appends.begin)
        connection.execute(self._appends.lock)
        versions, position = {}, 0
        for stream_id in bounds:
            found = connection.execute(self.statements.heads, {"stream_id": stream_id}).fetchone()
            position, versions[stream_id] = found
        heads = Heads(position, versions)
        fits = all(low <= versions[name] <= high for name, (low, high) in bounds.items())
        if fits:
            connection.execute(*self._appends.insert(entries, heads))
            connection.execute(self._appends.notify)
        connection.execute("COMMIT" if fits else "ROLLBACK")
        return heads

    def _look_after(
        self, error: Exception, entries: Sequence[Entry], bounds: Mapping[str, Bounds]
    ) -> Heads | None:
        """Whether an append whose answer was lost has been recorded: where it found the ends, or None.

        Looked for under the lock, which a server that still works on the append holds until it is done.
        """
        if not lost(error):
            raise error
        self._drop_writer()
        self.engine.dispose()
        try:
            connection: Any = self._written_to().driver_connection
            connection.execute(self._appends.begin)
            connection.execute(self._appends.lock)
            found = {}
            for entry in entries:
                place = connection.execute(self.statements.places, {"event_id": entry.event_id}).fetchone()
                if place is not None:
                    found[place[0]] = place[1:]
            connection.execute("COMMIT")
        except driver_errors() as another:
            self._drop_writer()
            told = translated(another, f"append {counted(entries)} to", self._where)
            raise StoreUnavailable(
                f"{told}. The connection was lost meanwhile, so it is not known whether it was recorded, "
                "all of it or nothing. Asking again with the same events is safe: an id is recorded only once"
            ) from error
        return _heads_before(entries, bounds, found)

    def _roll_back(self, connection: Any) -> None:
        try:
            if not connection.closed:
                connection.rollback()
        except driver_errors():
            self._drop_writer()


def _heads_before(
    entries: Sequence[Entry], bounds: Mapping[str, Bounds], found: Mapping[str, tuple[str, int, int]]
) -> Heads | None:
    """The ends that an append found, told from where its events stand; None where they do not stand so."""
    first = found.get(entries[0].event_id)
    if first is None:
        return None
    position, versions = first[2] - 1, {}
    for n, entry in enumerate(entries, 1):
        place = found.get(entry.event_id)
        if place is None or place[0] != entry.stream_id or place[2] != position + n:
            return None
        versions[entry.stream_id] = place[1] - entry.offset
    fits = all(low <= versions.get(name, low) <= high for name, (low, high) in bounds.items())
    return Heads(position, versions) if fits else None


def _engine(url: URL, timeout: float, read_only: bool) -> Engine:
    try:
        from psycopg.types.string import TextLoader
    except ImportError as error:
        raise MissingExtra("an event store on PostgreSQL", "psycopg", "postgres") from error
    milliseconds = max(int(timeout * 1000), 1)
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,  # what commits by itself has nothing to roll back
        pool_timeout=timeout,
        use_native_hstore=False,  # which would be asked for first of all
        connect_args={"connect_timeout": max(int(timeout), 2), "tcp_user_timeout": milliseconds},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.adapters.register_loader("json", TextLoader)  # the serializer reads it
        # Whatever the server's default is: an append must see what was committed while it waited.
        settings = {
            "timezone": "'UTC'",
            "lock_timeout": str(milliseconds),
            "default_transaction_isolation": "'read committed'",
        }
        if read_only:
            settings["default_transaction_read_only"] = "on"
        connection.execute("; ".join([f"SET {name} = {value}" for name, value in settings.items()]))

    return engine

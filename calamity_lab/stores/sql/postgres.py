"""All that is particular to PostgreSQL, which is reached by psycopg."""

from __future__ import annotations

import re
import selectors
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar

from calamity_lab.errors import (
    InvalidValue,
    MissingExtra,
    ReadOnlyStore,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongSchema,
)
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.stores.sql.database import (
    LEASE,
    NO_ROOM,
    OR_WAIT,
    OTHER_TABLES,
    READ_ONLY,
    UNFIT,
    UNKNOWN,
    Database,
    Meaning,
    Polling,
    Waiting,
)
from calamity_lab.stores.sql.rows import (
    COLUMNS,
    DELIVERIES,
    ENDED,
    INDICES,
    OPEN,
    SENT,
    TABLES,
    AppendedRows,
    Bounds,
    HandOn,
    Heads,
    OutboxRow,
    SettledRow,
    StoredRow,
    listed,
    table,
)
from calamity_lab.stores.sql.urls import URL
from calamity_lab.text import plural

# Whoever appends holds this advisory lock from before the last position is read until the commit can be seen,
# so that positions come in order of commit; see docs/decisions/0072.
LOCK = 3_583_214_019_744_651_281
_TAKE_LOCK = f"SELECT pg_advisory_xact_lock({LOCK})"
_CHANNEL = "calamity_lab_events"
_NOTIFY = f"NOTIFY {_CHANNEL}"
_LISTEN = f"LISTEN {_CHANNEL}"

_POLL = 2.0  # seconds; only for when no notification comes through
_POLL_POOLED = 0.2  # seconds; behind a pooler none does

_PROCESS = "SELECT pg_backend_pid()"
# A statement that was prepared is not there, or one of its name is: another client got this server process.
_NOT_PREPARED = {"26000", "42P05"}

# An append in one round trip. Each statement of a function sees what was committed before it, so what follows
# the lock sees what was appended while it was waited for.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION calamity_lab_append_2(
    stream text, low bigint, high bigint,
    ids text[], types text[], versions integer[], correlations text[], causations text[],
    times timestamptz[], metadatas json[], payloads json[],
    settled_id text, settled_type text, settled_sender text, settled_correlation text, settled_depth integer,
    passed_names text[], passed_counts bigint[],
    OUT last_position bigint, OUT last_version bigint,
    OUT was_settled text, OUT was_reason text, OUT was_details json
) LANGUAGE plpgsql AS $$
DECLARE
    in_outbox boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock({LOCK});
    SELECT greatest((SELECT coalesce(max(position), 0) FROM events),
        (SELECT coalesce(max(position), 0) FROM last_position)) INTO last_position;
    SELECT coalesce((SELECT max(stream_version) FROM events WHERE stream_id = stream),
        (SELECT -1 FROM deleted_streams WHERE stream_id = stream), 0) INTO last_version;
    IF settled_id IS NOT NULL THEN
        SELECT true, outcome, reason, details INTO in_outbox, was_settled, was_reason, was_details
        FROM outbox WHERE command_id = settled_id FOR UPDATE;
    END IF;
    IF was_settled IS NULL AND last_version BETWEEN low AND high THEN
        IF in_outbox THEN
            UPDATE outbox SET outcome = 'accepted' WHERE command_id = settled_id;
        ELSIF settled_id IS NOT NULL THEN
            INSERT INTO outbox
                (command_id, command_type, type_version, sender, correlation_id, depth, metadata, outcome)
            VALUES
                (settled_id, settled_type, 0, settled_sender, settled_correlation, settled_depth, '{{}}',
                'accepted');
        END IF;
        INSERT INTO events ({listed(COLUMNS)})
        SELECT last_position + n, stream, last_version + n,
            id, type, version, correlation, causation, at, known, said
        FROM unnest(ids, types, versions, correlations, causations, times, metadatas, payloads)
            WITH ORDINALITY AS entry (id, type, version, correlation, causation, at, known, said, n);
        UPDATE last_position SET position = greatest(position, append.last_position + cardinality(ids))
        FROM (SELECT last_position) AS append;
        UPDATE process_managers SET position = last_position + passed.count
        FROM unnest(passed_names, passed_counts) AS passed (name, count)
        WHERE process_managers.name = passed.name AND process_managers.position = last_position;
        PERFORM pg_notify('{_CHANNEL}', '');
    END IF;
END $$
"""


def _arrays(columns: Mapping[str, str], prefix: str = "") -> str:
    """The values of columns as arrays, as `_columns` gives them."""
    return ", ".join([f"%({prefix}{name})s::{kind.rstrip('?')}[]" for name, kind in columns.items()])


def _inserted(into: str, columns: Mapping[str, str], prefix: str = "") -> str:
    return f"INSERT INTO {into} ({listed(columns)}) SELECT * FROM unnest({_arrays(columns, prefix)})"


_OWN = dict([*COLUMNS.items()][3:])  # what an entry brings along, but for its stream
_APPEND = (
    "SELECT last_position, last_version, was_settled, was_reason, was_details FROM calamity_lab_append_2("
    f"%(stream_id)s, %(low)s::bigint, %(high)s::bigint, {_arrays(_OWN)}, "
    "%(settled_id)s::text, %(settled_type)s::text, %(settled_sender)s::text, %(settled_correlation)s::text, "
    "%(settled_depth)s::integer, %(passed_names)s::text[], %(passed_counts)s::bigint[])"
)
_SENT = _inserted("outbox", SENT, "sent_")
# One statement is one round trip. It commits without a wait for the disk: whatever settles what it sent is
# committed later, and the log is written in order, so that the one never lasts without the other.
_ASYNCHRONOUS = "set_config('synchronous_commit', 'off', true)"
_MOVES = {
    True: f"UPDATE process_managers SET position = %(upto)s WHERE name = %(name)s AND position = %(since)s "
    f"RETURNING {_ASYNCHRONOUS}",
    False: "INSERT INTO process_managers (name, position) VALUES (%(name)s, %(upto)s) "
    f"ON CONFLICT (name) DO NOTHING RETURNING {_ASYNCHRONOUS}",
}
# A statement sees only what was there before it. A deadline that it sends once more, after a mark was moved
# back by hand, stays.
_TAKE_OFF = (
    "UPDATE outbox SET outcome = 'cancelled', reason = '' "
    "FROM unnest(%(off_stream_id)s::text[], %(off_name)s::text[]) AS off (stream_id, name) "
    f"WHERE {OPEN} AND sender = off.stream_id AND deadline = coalesce(off.name, deadline) "
    "AND command_id <> ALL(%(kept)s::text[])"
)
# What hangs on a mark that has moved; a statement has only the parts for which there are rows.
_ONLY_THEN = "WHERE EXISTS (SELECT FROM moved) ON CONFLICT DO NOTHING"
_PARTS = {
    "gone": "DELETE FROM deliveries WHERE process_manager = %(name)s "
    "AND stream_id = ANY(%(begun_or_ended)s::text[]) AND EXISTS (SELECT FROM moved)",
    "noted": f"{_inserted('deliveries', DELIVERIES, 'noted_')} {_ONLY_THEN}",
    "ended": f"{_inserted('ended', ENDED, 'ended_')} {_ONLY_THEN}",
    "sent": f"{_SENT} {_ONLY_THEN}",
    "off": f"{_TAKE_OFF} AND EXISTS (SELECT FROM moved)",
}


@cache
def _hand_on(follows: bool, *parts: str) -> str:
    """The statement that moves a mark, or makes it, with these parts."""
    hanging = "".join([f", then_{name} AS ({_PARTS[name]})" for name in parts])
    return f"WITH moved AS ({_MOVES[follows]}){hanging} SELECT count(*) FROM moved"


_SETTLE = f"""
    WITH settled AS (
        INSERT INTO outbox (command_id, command_type, type_version, sender, correlation_id, depth, metadata,
            outcome, reason, details)
        VALUES (%(command_id)s, %(command_type)s, 0, %(sender)s, %(correlation_id)s, %(depth)s, '{{{{}}}}',
            %(outcome)s, %(reason)s, %(details)s::json)
        ON CONFLICT (command_id) DO UPDATE
            SET outcome = excluded.outcome, reason = excluded.reason, details = excluded.details
            WHERE outbox.outcome IS NULL
        RETURNING 1
    ),
    sent AS ({_SENT} WHERE EXISTS (SELECT FROM settled) ON CONFLICT (command_id) DO NOTHING){{then}}
    SELECT count(*) FROM settled
"""
_SETTLES = {
    False: _SETTLE.format(then=""),
    True: _SETTLE.format(then=f", gone AS ({_TAKE_OFF} AND EXISTS (SELECT FROM settled))"),
}
_INSERT = _inserted("events", COLUMNS)

_SILENT: Meaning = (
    StoreUnavailable,
    "the server does not answer ({}); is it running? try again when it is",
)
# PostgreSQL's SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), and their classes.
_MEANINGS: Mapping[str, Meaning] = {
    "55P03": (StoreUnavailable, f"another writer is appending; {OR_WAIT}"),
    "57014": (StoreUnavailable, "it took longer than the server allows ({}); nothing was written; try again"),
    "53300": (StoreUnavailable, "the server has no connection left ({}); try again when it has"),
    "53100": (StoreFull, NO_ROOM),
    "25006": (ReadOnlyStore, READ_ONLY),
    "42501": (ReadOnlyStore, READ_ONLY),
    "42P01": (WrongSchema, OTHER_TABLES),
    "42703": (WrongSchema, OTHER_TABLES),
    "42883": (WrongSchema, OTHER_TABLES),  # the function that appends
    "3D000": (StoreError, "there is no such database ({}); create it first: createdb, or CREATE DATABASE"),
    "28": (StoreError, "the server refuses the user or the password of the URL ({})"),
    "22": (InvalidValue, UNFIT),
    "54": (InvalidValue, UNFIT),
    **dict.fromkeys(["08", "57P01", "57P02", "57P03", "57P05"], _SILENT),
}
_GONE = {state for state, meaning in _MEANINGS.items() if meaning is _SILENT}
# A server that turns somebody away says why in words only.
_TURNED_AWAY = (
    (re.compile('database ".*" does not exist'), "3D000"),
    (re.compile('role ".*" does not exist|authentication failed|no password supplied|pg_hba'), "28000"),
)
# A standby server notifies nobody of what reaches it, so there subscriptions look from time to time.
_ON_A_STANDBY = "25006"


class PostgresDatabase(Database):
    """Events in PostgreSQL; an append is one round trip.

    Behind a pooler that gives each transaction to any of its connections to the server, as PgBouncer does,
    nothing is left in a session: no settings, no prepared statements, no LISTEN. Then an append is three
    round trips. A pooler is noticed, because the server process is not the one that the client was given.
    ``pooled=yes`` or ``pooled=no`` in the URL says it for certain. See docs/decisions/0115.
    """

    title: ClassVar[str] = "PostgreSQL"
    examples: ClassVar[str] = "postgresql://user:password@host/database"
    schemes: ClassVar[frozenset[str]] = frozenset({"postgresql", "postgres"})
    drivers: ClassVar[frozenset[str]] = frozenset({"psycopg"})
    tables: ClassVar[tuple[str, ...]] = (
        *map(table, TABLES),
        *INDICES,
        _FUNCTION,
        "DROP FUNCTION IF EXISTS calamity_lab_append",  # of an older version
    )
    parameter: ClassVar[str] = "%({})s"
    names: ClassVar[str] = (
        "SELECT relname, relkind = 'i' FROM pg_class WHERE relkind IN ('r', 'p', 'i') "
        "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    )
    now: ClassVar[str] = "clock_timestamp()"
    later: ClassVar[str] = f"clock_timestamp() + interval '{LEASE} seconds'"

    def __init__(self, url: URL, *, timeout: float, poll: float | None, read_only: bool) -> None:
        if find_spec("psycopg") is None:
            raise MissingExtra("an event store on PostgreSQL", "psycopg", "postgres")
        import psycopg
        from psycopg.types.string import TextLoader

        self._psycopg, self._as_text = psycopg, TextLoader
        self._pooled = _said_pooled(url)  # None: not known before the first connection
        self._given_poll = poll
        super().__init__(
            url, timeout=timeout, poll=_POLL if poll is None else poll, read_only=read_only, lasting=True
        )

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (self._psycopg.Error,)

    def connect(self) -> Any:
        url, milliseconds = self.url, max(int(self.timeout * 1000), 1)
        parts = {
            "host": url.host,
            "port": url.port,
            "user": url.user,
            "password": url.password,
            "dbname": url.database,
            **{name: value for name, value in url.query.items() if name != "pooled"},
            "connect_timeout": max(int(self.timeout), 2),
            "tcp_user_timeout": milliseconds,
        }
        connect: Any = self._psycopg.connect
        try:
            connection = connect(autocommit=True, **{k: v for k, v in parts.items() if v is not None})
        except (self._psycopg.ProgrammingError, TypeError, ValueError) as error:
            raise InvalidValue(f"{url.text!r} cannot be used: {url.redacted(str(error))}") from None
        try:
            connection.adapters.register_loader("json", self._as_text)  # the serializer reads it
            if self._pooled is None:
                process = connection.execute(_PROCESS).fetchone()[0]
                self._pooled = process != connection.info.backend_pid
            if self._pooled:
                connection.prepare_threshold = None
            else:
                connection.execute(self._settings(milliseconds))
                connection.prepare_threshold = 1  # a store of a short life repeats few statements five times
        except BaseException:
            connection.close()
            raise
        return connection

    def _settings(self, milliseconds: int) -> str:
        """Settings of our own: an append must see what was committed while it waited."""
        settings = {
            "timezone": "'UTC'",
            "lock_timeout": str(milliseconds),
            "default_transaction_isolation": "'read committed'",
            "plan_cache_mode": "'force_generic_plan'",  # planning takes longer than running
        }
        if self.read_only:
            settings["default_transaction_read_only"] = "on"
        return "; ".join([f"SET {name} = {value}" for name, value in settings.items()])

    def waiting(self) -> Waiting:
        if self._pooled:
            return Polling(_POLL_POOLED if self._given_poll is None else self._given_poll)
        return Listening(self)

    @property
    def _local_settings(self) -> str:
        """What a transaction needs to know where the session is not ours alone."""
        return f"SET LOCAL lock_timeout = {max(int(self.timeout * 1000), 1)}; SET LOCAL timezone = 'UTC'"

    def _begin(self, connection: Any) -> None:
        """Begin a transaction that sees what is committed while it waits for the lock."""
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
        connection.execute(f"{begin}; {self._local_settings}" if self._pooled else begin)

    def _works_on_another(self, error: Exception) -> bool:
        return self._shows_pooler(error) or self._is_lost(error)

    def _shows_pooler(self, error: Exception) -> bool:
        """Whether a prepared statement is gone; then the next connections leave nothing in a session."""
        if self._pooled or getattr(error, "sqlstate", None) not in _NOT_PREPARED:
            return False
        self._pooled = True
        self._close_lent()
        with self._lock:
            self._drop_writer()
        return True

    def _append(self, given: AppendedRows) -> Heads:
        entries, bounds = given.entries, given.bounds
        try:
            return self._attempt(given)
        except self.errors as error:
            heads = None if self._shows_pooler(error) else self._look_for(error, entries, bounds)
        if heads is not None:
            return heads
        try:  # nothing of it was written, so it may be tried again
            return self._attempt(given)
        except self.errors as error:
            heads = self._look_for(error, entries, bounds)
            if heads is not None:
                return heads
            raise StoreUnavailable(
                f"cannot append {plural(len(entries), 'event')} to {self._where}: the connection was lost "
                f"twice ({self.url.redacted(str(error))}); nothing was written; try again"
            ) from error

    @contextmanager
    def _changing(self, action: str, tried: str | None = None) -> Iterator[None]:
        with super()._changing(action, tried):
            yield
            self._lend_writer()

    def _writing(self) -> Any:
        self._writer = self._writer or self._lent.idle()
        return super()._writing()

    def _lend_writer(self) -> None:
        """Let others read on the connection for appends: a second one would have to learn all tables, too."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._lent.keep(writer)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """The connection of the writer; an error undoes what the block began, or drops the connection."""
        connection = self._writing()
        try:
            yield connection
        except Exception as error:
            if isinstance(error, self.errors) and self._is_lost(error):
                self._drop_writer()
                self._close_lent()
            else:
                self._roll_back(connection)
            raise
        except BaseException:
            self._drop_writer()  # an interruption leaves a connection in the middle of something
            raise

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._connected() as connection:
            self._begin(connection)
            connection.execute(_TAKE_LOCK)
            with connection.cursor() as cursor:
                yield cursor
            if connection.info.transaction_status:  # the block has not ended it
                connection.execute("COMMIT")
        self._lend_writer()

    def _hand_on(self, handed: HandOn) -> bool:
        if handed.rejections is not None:
            return super()._hand_on(handed)
        values: dict[str, Any] = {"name": handed.name, "since": handed.since, "upto": handed.upto}
        parts = []
        if handed.begun_or_ended:
            parts.append("gone")
            values["begun_or_ended"] = _array(list(handed.begun_or_ended))
        for part, columns, rows in (
            ("noted", DELIVERIES, handed.deliveries),
            ("ended", ENDED, handed.ended),
            ("sent", SENT, handed.sent),
        ):
            if rows:
                parts.append(part)
                values.update(_columns(columns, rows, part))
        if handed.taken_off:
            parts.append("off")
            values.update(_off(handed.taken_off, handed.sent))
        statement = _hand_on(handed.since is not None, *parts)
        return bool(self._one(statement, values, alone=bool(handed.taken_off))[0])

    def _settle(self, given: SettledRow) -> tuple[Any, ...] | bool:
        row, sent, taken_off, kept = given
        if kept is not None:
            return super()._settle(given)
        values = {**row._asdict(), **_columns(SENT, sent, "sent")}
        if taken_off:
            values.update(_off(taken_off, sent))
        done = self._one(_SETTLES[bool(taken_off)], values, alone=bool(taken_off))[0]
        return True if done else self._one(self.statements.outcome, values)

    def _one(self, statement: str, values: Mapping[str, Any], *, alone: bool = False) -> tuple[Any, ...]:
        """The one row of a statement of the writer. A connection that was lost is dropped.

        Where it takes deadlines off, it is ``alone``: it has the lock before it begins, and so it sees the
        deadlines that others have set.
        """
        row: tuple[Any, ...]
        if alone:
            with self._transaction() as cursor:
                row = cursor.execute(statement, values, prepare=False).fetchone()
            return row
        try:
            with self._connected() as connection:
                row = connection.execute(statement, values, prepare=not self._pooled).fetchone()
        except self.errors as error:
            if self._shows_pooler(error):
                return self._one(statement, values)
            raise
        return row

    def _attempt(self, given: AppendedRows) -> Heads:
        entries, bounds, settles, passed, along = given
        if len(bounds) != 1 or along is not None:
            with self._transaction() as cursor:
                return self._append_rows(cursor, given)
        ((stream_id, (low, high)),) = bounds.items()
        columns = list(zip(*entries, strict=True))[2:]
        values: dict[str, Any] = dict(zip(_OWN, map(_array, columns), strict=True))
        values.update(stream_id=stream_id, low=low, high=high)
        values.update(passed_names=_array(list(passed)), passed_counts=_array(list(passed.values())))
        for name, field in _SETTLED.items():
            values[name] = None if settles is None else getattr(settles, field)
        with self._connected() as connection:
            if self._pooled:
                self._begin(connection)
            answered = connection.execute(_APPEND, values, prepare=not self._pooled)
            position, version, *settled = answered.fetchone()
            if self._pooled:
                connection.execute("COMMIT")
        return Heads(position, {stream_id: version}, None if settled[0] is None else tuple(settled))

    def _insert(self, cursor: Any, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = map(_array, zip(*rows, strict=True))
        cursor.execute(_INSERT, dict(zip(COLUMNS, columns, strict=True)))
        cursor.execute(_NOTIFY)

    def _look_for(
        self, error: Exception, entries: Sequence[StoredRow], bounds: Mapping[str, Bounds]
    ) -> Heads | None:
        """The ends that an append found whose answer was lost; None when the append was not recorded.

        The search takes the lock, which the server holds as long as it still works on the append.
        """
        if not self._is_lost(error):
            raise error
        self._drop_writer()
        self._close_lent()
        try:
            connection = self._writing()
            self._begin(connection)
            connection.execute(_TAKE_LOCK)
            found = {}
            for entry in entries:
                row = connection.execute(
                    self.statements.events_by_id, {"event_id": entry.event_id}
                ).fetchone()
                if row is not None:
                    found[row[0]] = row[1:]
            connection.execute("COMMIT")
        except self.errors as another:
            self._drop_writer()
            message = self.translated(another, f"append {plural(len(entries), 'event')} to")
            raise StoreUnavailable(
                f"{message}. The connection was lost meanwhile, so it is not known whether it was recorded, "
                "all of it or nothing. Appending the same events again is safe, because an id is recorded "
                "only once"
            ) from error
        return _heads_before(entries, bounds, found)

    def _roll_back(self, connection: Any) -> None:
        try:
            if not connection.closed:
                connection.rollback()
        except self.errors:
            self._drop_writer()

    def _meaning(self, error: Exception, said: str) -> Meaning:
        state = getattr(error, "sqlstate", None) or _state_of_words(said)
        if not state and self._is_lost(error):
            return _SILENT
        if not state and isinstance(error, self._psycopg.DataError):
            return InvalidValue, UNFIT
        return _MEANINGS.get(state) or _MEANINGS.get(state[:2]) or UNKNOWN

    def _is_lost(self, error: Exception) -> bool:
        state = getattr(error, "sqlstate", None)
        if state is None:
            return type(error) in {self._psycopg.OperationalError, self._psycopg.InterfaceError}
        return state in _GONE or state[:2] in _GONE

    def _is_misread(self, error: Exception) -> bool:
        return isinstance(error, self._psycopg.DataError) and error.sqlstate is None

    def _execute_leniently(self, connection: Any, statement: str, values: Mapping[str, Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.adapters.register_loader("timestamptz", self._as_text)  # infinity is no datetime
            found: list[Any] = cursor.execute(statement, values).fetchall()
        return found

    def _repeats_an_id(self, error: Exception) -> bool:
        return getattr(error, "sqlstate", None) == "23505"


class Listening(Waiting):
    """Waits for a notification on a connection of its own, and looks from time to time in any case.

    The connection is used for nothing else, so a notification that comes while older events are still being
    read stays there, and the next wait finds it.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: Any = None
        self._lock = threading.Lock()
        self._read_end, self._write_end = socket.socketpair()
        self._read_end.setblocking(False)

    def start(self) -> None:
        self._disconnect()
        try:
            self._connection = self._database.connect()
            self._connection.execute(_LISTEN)
        except self._database.errors as error:
            if getattr(error, "sqlstate", None) != _ON_A_STANDBY:
                raise self._database.translated(error, "listen to") from error

    def wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._read_end, selectors.EVENT_READ)
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            ready = selector.select(self._database.poll)
        for key, _ in ready:
            if key.fileobj is self._read_end:
                self._read_end.recv(4096)
            else:
                self._take()

    def wake(self) -> None:
        with self._lock:
            if self._write_end.fileno() >= 0:
                self._write_end.send(b".")

    def close(self) -> None:
        self._disconnect()
        with self._lock:  # another thread may be in wake()
            self._read_end.close()
            self._write_end.close()

    def _take(self) -> None:
        """Take the notifications; they say only that there are new events."""
        try:
            for _ in self._connection.notifies(timeout=0):
                pass
        except self._database.errors as error:
            raise self._database.translated(error, "listen to") from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _heads_before(
    entries: Sequence[StoredRow], bounds: Mapping[str, Bounds], found: Mapping[str, tuple[str, int, int]]
) -> Heads | None:
    """The ends that an append found, computed from its events; None when its events are not there."""
    first = found.get(entries[0].event_id)
    if first is None:
        return None
    position, versions = first[2] - 1, {}
    for n, entry in enumerate(entries, 1):
        row = found.get(entry.event_id)
        if row is None or row[0] != entry.stream_id or row[2] != position + n:
            return None
        versions[entry.stream_id] = row[1] - entry.offset
    heads = Heads(position, versions)
    return heads if heads.fit({name: bounds[name] for name in versions}) else None


def _said_pooled(url: URL) -> bool | None:
    """What the URL says of a pooler: None where it says nothing."""
    said = url.query.get("pooled")
    if said not in {None, "yes", "no"}:
        raise InvalidValue(f"{url.text!r}: pooled={said!r}: write pooled=yes, pooled=no, or leave it out")
    return None if said is None else said == "yes"


def _state_of_words(said: str) -> str:
    return next((state for pattern, state in _TURNED_AWAY if pattern.search(said)), "")


_SETTLED = {
    "settled_id": "command_id",
    "settled_type": "command_type",
    "settled_sender": "sender",
    "settled_correlation": "correlation_id",
    "settled_depth": "depth",
}


def _columns(names: Iterable[str], rows: Sequence[Sequence[Any]], prefix: str) -> dict[str, str]:
    """The columns of rows as arrays, named for a statement."""
    return {f"{prefix}_{name}": _array([row[n] for row in rows]) for n, name in enumerate(names)}


def _off(taken_off: Sequence[TakenOff], sent: Sequence[OutboxRow]) -> dict[str, str]:
    """The values of a statement that takes deadlines off."""
    kept = _array([row.command_id for row in sent])
    return {**_columns(TakenOff._fields, taken_off, "off"), "kept": kept}


def _array(values: Sequence[Any]) -> str:
    """The values as an array in PostgreSQL's own text; psycopg takes ten times as long."""
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

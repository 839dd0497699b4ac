"""Events in PostgreSQL, by psycopg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from calamity_lab.errors import MissingExtra, StoreUnavailable
from calamity_lab.stores.sql.database import Bounds, Database, counted
from calamity_lab.stores.sql.driver_errors import driver_errors, lost, translated
from calamity_lab.stores.sql.entries import Entry, Heads
from calamity_lab.stores.sql.listening import Listening
from calamity_lab.stores.sql.postgres_statements import postgres_statements
from calamity_lab.stores.sql.urls import shown
from calamity_lab.stores.sql.waiting import Waiting

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

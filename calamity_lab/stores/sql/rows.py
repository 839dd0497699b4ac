"""Events as rows of a table: the tables, the statements, and how events are written and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from calamity_lab.errors import CalamityError, InvalidValue, SerializationError, repr_of
from calamity_lab.kernel.arguments import a_mapping, a_text, is_a, wrong
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.outbox import Move
from calamity_lab.kernel.recorded import NO_METADATA, Metadata, ProposedEvent, RecordedEvent
from calamity_lab.stores.serializer.names import UnreadableEvent
from calamity_lab.stores.serializer.serializer import Serializer

# The columns of each table, with PostgreSQL's types; "?" stands behind the type of a column that may be NULL.
# A position counts over all streams, without a gap, in the order of the commits. The wide columns come last,
# so that reading one that is narrow need not step over them. JSON is kept as it was written, character by
# character: people can query it, and nothing of it is lost.
COLUMNS = {
    "position": "bigint",
    "stream_id": "text",
    "stream_version": "bigint",
    "event_id": "text",
    "event_type": "text",
    "type_version": "integer",
    "correlation_id": "text",
    "causation_id": "text?",
    "recorded_at": "timestamptz",
    "metadata": "json",
    "payload": "json",
}
# A command that a process manager sent, or that is carried out once. It is settled when it has an outcome.
# ``cause`` is the position of the event that it answers; ``due_at`` and ``deadline`` are those of a deadline.
SENT = {
    "command_id": "text",
    "command_type": "text",
    "type_version": "integer",
    "payload": "json?",
    "sender": "text?",
    "cause": "bigint?",
    "correlation_id": "text",
    "depth": "integer",
    "metadata": "json",
    "due_at": "timestamptz?",
    "deadline": "text?",
}
_OUTCOME = {"outcome": "text?", "reason": "text?", "details": "json?"}
OUTBOX = {**SENT, **_OUTCOME}
# An event that a running instance was handed. When the instance ends, its rows give way to one in `ended`.
_OF_INSTANCE = {"process_manager": "text", "stream_id": "text", "position": "bigint"}
DELIVERIES = {**_OF_INSTANCE, "verb": "text", "version": "bigint"}
ENDED = {"process_manager": "text", "position": "bigint", "stream_id": "text", "version": "bigint"}
# A rejection that changed a running instance; `rejection_marks` has the number of the last one of all.
_REJECTIONS = {**_OF_INSTANCE, "number": "bigint", "command_id": "text"}
_TOMBSTONE = {
    "stream_id": "text",
    "version": "bigint",
    "position": "bigint",
    "deleted_at": "timestamptz",
    "reason": "text",
}
_SNAPSHOT = {
    "stream_id": "text",
    "version": "bigint",
    "position": "bigint",
    "event_id": "text",
    "shape": "text",
    "state": "json",
}
_CHECKPOINT = {
    "name": "text",
    "stream_id": "text?",
    "position": "bigint",
    "owner": "text?",
    "owned_until": "timestamptz?",
}
VERSION = 2  # of the tables; version 1 had no outbox
VERSIONS = "calamity_lab_schema"  # the table that has it, in one row
TAKEN_REJECTIONS = "taken_rejections"  # it came later, in version 2
# The tables by name: their columns and their keys.
TABLES = {
    VERSIONS: ({"version": "integer"}, ""),
    "events": (COLUMNS, "PRIMARY KEY (position), UNIQUE (stream_id, stream_version), UNIQUE (event_id)"),
    "last_position": ({"position": "bigint"}, ""),
    "snapshots": (_SNAPSHOT, "PRIMARY KEY (stream_id)"),
    "process_managers": ({"name": "text", "position": "bigint"}, "PRIMARY KEY (name)"),
    "outbox": ({"number": "bigserial", **OUTBOX}, "PRIMARY KEY (number), UNIQUE (command_id)"),
    "deliveries": (DELIVERIES, "PRIMARY KEY (process_manager, stream_id, position)"),
    "ended": (ENDED, "PRIMARY KEY (process_manager, position, stream_id)"),
    TAKEN_REJECTIONS: (_REJECTIONS, "PRIMARY KEY (process_manager, stream_id, number)"),
    "rejection_marks": ({"name": "text", "number": "bigint"}, "PRIMARY KEY (name)"),
    "checkpoints": (_CHECKPOINT, "PRIMARY KEY (name)"),
    "deleted_streams": (_TOMBSTONE, "PRIMARY KEY (stream_id)"),
}
OPEN = "outcome IS NULL AND deadline IS NOT NULL"  # which deadlines are still open
INDICES = (
    "CREATE INDEX IF NOT EXISTS outbox_outstanding ON outbox (number) WHERE outcome IS NULL",
    f"CREATE INDEX IF NOT EXISTS outbox_deadlines ON outbox (due_at, number) WHERE {OPEN}",
    f"CREATE INDEX IF NOT EXISTS outbox_deadlines_of ON outbox (sender) WHERE {OPEN}",
)

_UNSEEN: Any = object()
_json = msgspec.json.Encoder().encode


def table(name: str, types: Mapping[str, str] = {}) -> str:
    """The statement that makes a table, unless it is there; a database may call types by other names."""
    columns, keys = TABLES[name]
    parts = [
        f"{column} {types.get(kind.rstrip('?'), kind.rstrip('?'))}{'' if kind[-1] == '?' else ' NOT NULL'}"
        for column, kind in columns.items()
    ]
    return f"CREATE TABLE IF NOT EXISTS {name} ({', '.join([*parts, keys] if keys else parts)})"


def listed(columns: Iterable[str], form: str = "{}") -> str:
    """The names of columns in a statement, each in a form, as in ``:{}`` for its value."""
    return ", ".join([form.format(name) for name in columns])


def _insert(into: str, columns: Iterable[str]) -> str:
    return f"INSERT INTO {into} ({listed(columns)}) VALUES ({listed(columns, ':{}')})"


_KNOWN_LAST = "UNION ALL SELECT position FROM last_position"
# No position is given twice, even when the last events were deleted.
_POSITION = (
    "coalesce((SELECT max(position) FROM (SELECT max(position) AS position FROM events "
    f"{_KNOWN_LAST}) AS known), 0)"
)
_EVENTS = f"SELECT {listed(COLUMNS)} FROM events WHERE"
_OF_ALL = f"{_EVENTS} position BETWEEN :low AND :high ORDER BY position"
# The sum keeps the planner from looking for the stream among all positions.
_OF_STREAM = (
    f"{_EVENTS} stream_id = :stream_id AND stream_version {{}} AND position + 0 <= :upto "
    "ORDER BY stream_version"
)
_OF_ONE, _TO_THE_END = _OF_STREAM.format("BETWEEN :low AND :high"), _OF_STREAM.format(">= :low")
_COMMANDS = f"SELECT {listed(OUTBOX)} FROM outbox"
_MINE = "WHERE name = :name AND owner = :owner"
_NAMED = re.compile(r":(\w+)")


class Statements:
    """The SQL that all databases share. Here ``:name`` is a value, and ``$now`` and ``$later`` are times.

    A database writes these in its own way: ``parameter`` is how it names a value, {} being the name.

    A page is ``size`` events from ``low`` to ``high``: positions of all streams, or versions of one, of which
    none lies behind position ``upto``. A database of version 1 keeps the last position only in its events.
    """

    # In SQLite a text is behind all numbers: without an end, a damaged version is found, too.
    to_the_end_forwards = f"{_TO_THE_END} ASC LIMIT :size"
    to_the_end_backwards = f"{_TO_THE_END} DESC LIMIT :size"
    forwards = f"{_OF_ONE} ASC LIMIT :size"
    backwards = f"{_OF_ONE} DESC LIMIT :size"
    all_forwards = f"{_OF_ALL} ASC LIMIT :size"
    all_backwards = f"{_OF_ALL} DESC LIMIT :size"
    category_forwards = (
        f"{_EVENTS} position BETWEEN :low AND :high AND substr(stream_id, 1, :length) = :prefix "
        "ORDER BY position ASC LIMIT :size"
    )
    position = f"SELECT {_POSITION}"
    version = "SELECT coalesce((SELECT max(stream_version) FROM events WHERE stream_id = :stream_id), 0)"
    count = "SELECT count(*) FROM events"
    # A stream that was deleted is at -1, which no append expects.
    heads = (
        f"SELECT {_POSITION}, coalesce((SELECT max(stream_version) FROM events WHERE stream_id = :stream_id),"
        " (SELECT -1 FROM deleted_streams WHERE stream_id = :stream_id), 0)"
    )
    move_last_position = "UPDATE last_position SET position = :position"
    stream_ids = "SELECT DISTINCT stream_id FROM events"
    events_by_id = (
        "SELECT event_id, stream_id, stream_version, position FROM events WHERE event_id = :event_id"
    )

    marks = f"SELECT '', {_POSITION} UNION ALL SELECT name, position FROM process_managers"
    mark = "SELECT position FROM process_managers WHERE name = :name"
    begin_mark = f"{_insert('process_managers', ('name', 'position'))} ON CONFLICT (name) DO NOTHING"
    move_mark = "UPDATE process_managers SET position = :position WHERE name = :name"
    move_mark_from = f"{move_mark} AND position = :since"
    retire = "DELETE FROM process_managers WHERE name = :name"
    running = (
        "SELECT stream_id, position, verb, version FROM deliveries "
        "WHERE process_manager = :name AND position > :after"
    )
    ended = (
        "SELECT stream_id, position, 'stopped', version FROM ended "
        "WHERE process_manager = :name AND position > :after"
    )
    deliver = f"{_insert('deliveries', DELIVERIES)} ON CONFLICT DO NOTHING"
    end = f"{_insert('ended', ENDED)} ON CONFLICT DO NOTHING"
    forget_deliveries = "DELETE FROM deliveries WHERE process_manager = :name AND stream_id = :stream_id"

    outbox = f"{_COMMANDS} ORDER BY number"
    outstanding = f"{_COMMANDS} WHERE outcome IS NULL ORDER BY number"
    outbox_entry = f"{_COMMANDS} WHERE command_id = :command_id"
    send = f"{_insert('outbox', OUTBOX)} ON CONFLICT DO NOTHING"
    settle = (
        "UPDATE outbox SET outcome = :outcome, reason = :reason, details = :details "
        "WHERE command_id = :command_id AND outcome IS NULL"
    )
    outcome = "SELECT outcome, reason, details FROM outbox WHERE command_id = :command_id"
    # To each of these is added whose deadlines are meant, and in which order: see `SQLOutbox`.
    deadlines_due = f"{_COMMANDS} WHERE {OPEN} AND due_at <= :now"
    next_due = f"SELECT due_at FROM outbox WHERE {OPEN} AND due_at > :after"
    set_deadlines = (
        f"SELECT command_id FROM outbox WHERE {OPEN} AND sender = :stream_id "
        "AND deadline = coalesce(:name, deadline)"
    )
    cancel = "UPDATE outbox SET outcome = 'cancelled', reason = '' WHERE command_id = :command_id"

    last_rejection = "SELECT number FROM rejection_marks WHERE name = :name"
    count_rejection = (
        f"{_insert('rejection_marks', ('name', 'number'))} "
        "ON CONFLICT (name) DO UPDATE SET number = excluded.number"
    )
    keep_rejection = f"{_insert('taken_rejections', _REJECTIONS)} ON CONFLICT DO NOTHING"
    forget_rejections = (
        "DELETE FROM taken_rejections "
        "WHERE process_manager = :name AND stream_id = :stream_id AND position < :position"
    )
    rejections = (
        "SELECT rejection_marks.number, taken.stream_id, taken.position, taken.number, "
        f"{listed(OUTBOX, 'outbox.{}')} FROM rejection_marks "
        "LEFT JOIN taken_rejections AS taken ON taken.process_manager = rejection_marks.name "
        "AND taken.number > :after LEFT JOIN outbox ON outbox.command_id = taken.command_id "
        "WHERE rejection_marks.name = :name ORDER BY taken.position, taken.number"
    )

    deleted_streams = f"SELECT {listed(_TOMBSTONE)} FROM deleted_streams ORDER BY position, stream_id"
    deleted_stream = f"SELECT {listed(_TOMBSTONE)} FROM deleted_streams WHERE stream_id = :stream_id"
    last_of_stream = "SELECT max(stream_version), max(position) FROM events WHERE stream_id = :stream_id"
    delete_stream = (
        _insert("deleted_streams", _TOMBSTONE),
        "DELETE FROM events WHERE stream_id = :stream_id",
        "DELETE FROM snapshots WHERE stream_id = :stream_id",
    )

    checkpoints = (
        "SELECT name, stream_id, position, owner, owner IS NOT NULL AND owned_until >= $now "
        "FROM checkpoints ORDER BY name"
    )
    checkpoint = "SELECT stream_id, position, owner FROM checkpoints WHERE name = :name"
    begin_checkpoint = (
        "INSERT INTO checkpoints (name, stream_id, position) VALUES (:name, :stream, :position) "
        "ON CONFLICT (name) DO NOTHING"
    )
    take_checkpoint = (
        "UPDATE checkpoints SET owner = :owner, owned_until = $later WHERE name = :name "
        "AND (owner IS NULL OR owned_until < $now OR owner = :dead)"
    )
    renew = f"UPDATE checkpoints SET owned_until = $later {_MINE}"
    release = f"UPDATE checkpoints SET owner = NULL, owned_until = NULL {_MINE}"
    acknowledge = (
        f"UPDATE checkpoints SET position = :position, owned_until = $later {_MINE} AND position = :known"
    )
    move_checkpoint = "UPDATE checkpoints SET position = :position WHERE name = :name"

    table_version = f"SELECT version FROM {VERSIONS}"
    # These fail when a column is missing.
    probes = (f"{_EVENTS} 1 = 0", f"SELECT {listed(_SNAPSHOT)} FROM snapshots WHERE 1 = 0")
    snapshot = f"SELECT {listed(_SNAPSHOT)} FROM snapshots WHERE stream_id = :stream_id"
    # It keeps the later snapshot of a stream.
    put_snapshot = (
        f"{_insert('snapshots', _SNAPSHOT)} ON CONFLICT (stream_id) DO UPDATE "
        f"SET {listed([*_SNAPSHOT][1:], '{0} = excluded.{0}')} WHERE snapshots.position <= excluded.position"
    )

    def __init__(self, parameter: str, now: str, later: str, version: int = VERSION) -> None:
        self._parameter = parameter.format(r"\1")
        for name, said in vars(Statements).items():
            several = said if isinstance(said, tuple) else (said,)
            if not name.startswith("_") and isinstance(several[0], str):
                written = []
                for statement in several:
                    known = statement if version > 1 else statement.replace(_KNOWN_LAST, "")
                    written.append(self.with_values(known).replace("$now", now).replace("$later", later))
                setattr(self, name, tuple(written) if isinstance(said, tuple) else written[0])

    def with_values(self, statement: str) -> str:
        """A statement whose values are named as the database names them."""
        return _NAMED.sub(self._parameter, statement)


class StoredRow(NamedTuple):
    """An event before it has a position and a version; its fields stand in the order of the columns.

    ``offset`` counts the entries of one append to the stream, from 1.
    """

    stream_id: str
    offset: int
    event_id: str
    event_type: str
    type_version: int
    correlation_id: str
    causation_id: str | None
    recorded_at: str
    metadata: str
    payload: str


# The quick way to a StoredRow.
_make_entry: Callable[[tuple[Any, ...]], StoredRow] = partial(tuple.__new__, StoredRow)
# Event, metadata and time of an entry, as they will be read.
Content = tuple[Any, Metadata, datetime]


class Heads(NamedTuple):
    """The last position of all, and the last versions of the streams of an append, before the append.

    ``settled`` is the outcome, the reason and the details of the append's command, where it was settled
    before; then nothing was written.
    """

    position: int
    versions: dict[str, int]
    settled: tuple[Any, ...] | None = None
    unfit: Unfit | None = None

    def fit(self, bounds: Mapping[str, Bounds]) -> bool:
        """Whether the streams of the append are within these lowest and highest versions."""
        return all(low <= self.versions[name] <= high for name, (low, high) in bounds.items())


class Unfit(NamedTuple):
    """Why nothing was written of what was to be written along with events: see `AlongRows`.

    ``marks`` has where marks had to be, and where they are; ``settled`` what commands came to before.
    """

    marks: dict[str, tuple[int | None, int | None]]
    settled: dict[str, tuple[Any, ...]]


class OutboxRow(NamedTuple):
    """A command of the outbox as it is stored; the fields stand in the order of the columns (`OUTBOX`).

    A command that is settled and was not in the outbox has no payload.
    """

    command_id: str
    command_type: str
    type_version: int
    payload: str | None
    sender: str | None
    cause: int | None
    correlation_id: str
    depth: int
    metadata: str
    due_at: str | None = None
    deadline: str | None = None
    outcome: str | None = None
    reason: str | None = None
    details: str | None = None


class RejectionRow(NamedTuple):
    """A rejection that changed an instance, as it is stored; the fields stand in the order of the columns."""

    process_manager: str
    stream_id: str
    position: int
    number: int
    command_id: str


class HandOn(NamedTuple):
    """A mark that moves, with what instances were handed, what they sent and what they took off, as rows.

    ``begun_or_ended`` has where instances began or ended last. ``rejections`` is the number of the last
    rejection that instances took in before, and ``kept`` are those that they took in meanwhile.
    """

    name: str
    since: int | None
    upto: int
    deliveries: Sequence[tuple[Any, ...]]
    ended: Sequence[tuple[Any, ...]]
    begun_or_ended: Mapping[str, int]
    sent: Sequence[OutboxRow]
    taken_off: Sequence[TakenOff] = ()
    rejections: int | None = None
    kept: Sequence[RejectionRow] = ()


class AlongRows(NamedTuple):
    """What is written in one transaction with events: `calamity_lab.kernel.outbox.OutboxChanges` as rows."""

    moves: Sequence[tuple[Move, HandOn]]
    settled: Sequence[OutboxRow]
    sent: Sequence[OutboxRow]
    taken_off: Sequence[TakenOff] = ()


# The versions between which a stream must be for an append to be let in.
Bounds = tuple[int, int]


class AppendedRows(NamedTuple):
    """What is appended in one transaction: entries, and the bounds of the version of each of their streams.

    ``settles`` is the command of the entries. ``passed`` says for process managers how many of the first
    entries are of no interest to them: a mark that is at the end of the history moves over these.
    """

    entries: Sequence[StoredRow]
    bounds: Mapping[str, Bounds]
    settles: OutboxRow | None = None
    passed: Mapping[str, int] = {}
    along: AlongRows | None = None


class SettledRow(NamedTuple):
    """A command that is settled, with what is sent and taken off then, and the rejection that is kept."""

    row: OutboxRow
    sent: Sequence[OutboxRow] = ()
    taken_off: Sequence[TakenOff] = ()
    kept: RejectionRow | None = None


def placed(entries: Iterable[StoredRow], heads: Heads) -> Iterator[tuple[Any, ...]]:
    """The entries as rows, with positions and versions that follow the heads."""
    versions = heads.versions
    for position, entry in enumerate(entries, heads.position + 1):
        yield (position, entry[0], versions[entry[0]] + entry[1]) + entry[2:]  # noqa: RUF005 - it is quicker


class DeletedStream(NamedTuple):
    """What is kept of a deleted stream: the version and the position of its last event, when, and why."""

    stream_id: str
    version: int
    position: int
    deleted_at: datetime
    reason: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> DeletedStream:
        """The deleted stream in a row."""
        stream_id, version, position, at, reason = row
        return cls(stream_id, version, position, as_utc(at), reason)


def as_utc(at: Any) -> datetime:
    """A time as a database gives it."""
    moment: datetime = datetime.fromisoformat(at) if at.__class__ is str else at.astimezone(UTC)
    return moment


class RowCodec:
    """Turns events into entries and rows into events, by a serializer.

    With ``keeps_unreadable``, a row that cannot be read becomes an `UnreadableEvent`, else it is an error.
    """

    def __init__(self, serializer: Serializer, *, keeps_unreadable: bool = False) -> None:
        self.serializer = serializer
        self._keeps_unreadable = keeps_unreadable

    def entries(self, proposals: Iterable[tuple[str, ProposedEvent]]) -> list[StoredRow]:
        """The proposals as entries; checks their ids and times."""
        encode, encode_metadata = self.serializer.encode, self.serializer.encode_metadata
        offsets: dict[str, int] = {}
        known = moment = _UNSEEN  # the events of a command share one metadata and one time
        metadata = at = ""
        entries = []
        for stream_id, (event, event_id, correlation_id, causation_id, recorded_at, given) in proposals:
            if given is not known:
                known, metadata = given, encode_metadata(_checked_metadata(given))
            if recorded_at is not moment:
                moment, at = recorded_at, written(recorded_at)
            if event_id.__class__ is not str or not event_id:
                event_id = _checked_id(event_id, "event_id")
            if correlation_id.__class__ is not str or not correlation_id:
                correlation_id = _checked_id(correlation_id, "correlation_id")
            if causation_id is not None and (causation_id.__class__ is not str or not causation_id):
                causation_id = _checked_id(causation_id, "causation_id")
            offset = offsets[stream_id] = offsets.get(stream_id, 0) + 1
            name, version, payload = encode(event)
            entries.append(
                _make_entry((
                    stream_id, offset, event_id, name, version, correlation_id, causation_id, at, metadata,
                    payload,
                ))
            )  # fmt: skip
        return entries

    def read_back(self, entries: Iterable[StoredRow]) -> list[Content]:
        """The content of the entries as it will be read; raises when it could not be read."""
        return [
            (
                self.serializer.decode(entry.event_type, entry.type_version, entry.payload),
                self.serializer.decode_metadata(entry.metadata),
                datetime.fromisoformat(entry.recorded_at),
            )
            for entry in entries
        ]

    def recorded(self, row: Sequence[Any]) -> RecordedEvent:
        """The event in a row."""
        (
            position, stream_id, version, event_id, event_type, type_version, correlation_id, causation_id,
            at, metadata, payload,
        ) = row  # fmt: skip
        try:
            # Class by class, since this is done for every event that is read.
            if not (
                stream_id.__class__ is str and version.__class__ is int and event_id.__class__ is str
                and correlation_id.__class__ is str
                and (causation_id is None or causation_id.__class__ is str)
                and metadata.__class__ is str and payload.__class__ is str and type_version.__class__ is int
            ):  # fmt: skip
                raise SerializationError(mistyped(COLUMNS, row))
            known = self.serializer.decode_metadata(metadata)
            event = self.serializer.decode(event_type, type_version, payload)
            recorded = RecordedEvent(
                event, event_type, event_id, stream_id, version, position, correlation_id, causation_id,
                as_utc(at), known,
            )  # fmt: skip
        except (CalamityError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if self._keeps_unreadable:
                return _unreadable(row, error)
            raise SerializationError(
                f"the event at position {position} (version {_shown(version)} of {repr_of(stream_id)}, "
                f"{_shown(event_type)}) cannot be read: {error}. To read the events around it, open the "
                'store with SQLEventStore(..., unreadable="keep")'
            ) from error
        return recorded


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def mistyped(columns: Mapping[str, str], row: Sequence[Any]) -> str:
    """Which columns of a row hold something of another type; an empty text where none does."""
    odd = [
        f"{name} should be {'a whole number' if 'int' in kind else 'text'}, found {repr_of(value, 60)}"
        for (name, kind), value in zip(columns.items(), row, strict=True)
        if not kind.startswith("timestamptz")  # of another type in each database
        and not (value is None and kind.endswith("?"))
        and type(value) is not (int if "int" in kind else str)
    ]
    return "; ".join(odd)


def _shown(value: Any) -> str:
    return value if type(value) is str else repr_of(value, 60)


def _unreadable(row: Sequence[Any], error: Exception) -> RecordedEvent:
    """What stands for the event of a row that cannot be read, with all of the row that can."""
    found = dict(zip(COLUMNS, row, strict=True))
    texts = {name: _shown(value) for name, value in found.items()}
    try:
        at = as_utc(found["recorded_at"])
    except (ValueError, AttributeError, OverflowError):
        at = _NO_TIME
    version = found["stream_version"]
    event = UnreadableEvent(str(error), texts)
    return RecordedEvent(
        event, texts["event_type"], texts["event_id"], texts["stream_id"],
        version if type(version) is int else 0, found["position"], texts["correlation_id"],
        None if found["causation_id"] is None else texts["causation_id"], at, NO_METADATA,
    )  # fmt: skip


def recorded_from(
    entries: Iterable[StoredRow], contents: Iterable[Content], heads: Heads
) -> tuple[RecordedEvent, ...]:
    """The events of an append that found those heads; they equal those that a read finds."""
    return tuple([
        RecordedEvent(
            event, entry.event_type, entry.event_id, entry.stream_id,
            heads.versions[entry.stream_id] + entry.offset, position,
            entry.correlation_id, entry.causation_id, recorded_at, metadata,
        )
        for position, (entry, (event, metadata, recorded_at)) in enumerate(
            zip(entries, contents, strict=True), heads.position + 1
        )
    ])  # fmt: skip


def written(at: Any, name: str = "recorded_at") -> str:
    """The moment in UTC as a text: 2026-01-31 09:30:00.000000+00:00. Such texts sort as the moments do."""
    if not is_a(at, datetime) or at.tzinfo is None:
        raise InvalidValue(f"{name}={repr_of(at)}: give a datetime with a time zone, as datetime.now(UTC) is")
    try:
        utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(f"{name}={repr_of(at)}: in UTC the year is not from 1 to 9999") from None
    text = _json(utc).decode()  # takes a fifth of the time of isoformat
    fraction = text[20:-2] if text[20] == "." else ".000000"
    return f"{text[1:11]} {text[12:20]}{fraction}+00:00"


def _checked_metadata(given: Any) -> Mapping[str, Any]:
    return given if type(given) is Metadata else a_mapping("metadata", given, "metadata={'user': 'ada'}")


def _checked_id(given: Any, name: str) -> str:
    text = a_text(name, given, "'01a2'")
    if not text:
        raise wrong(name, given, "an id that is no empty text")
    return text


_FIRST, _LARGEST = 64, 2_000  # events
_AMPLE = 4_000_000  # characters of payload and metadata that a page should have at most

Fetch = Callable[[int, int, int], list[Any]]


def forwards(fetch: Fetch, low: int, high: int, key: int, end: Callable[[], int]) -> Iterator[Any]:
    """The rows whose column ``key`` is from ``low`` to ``high``; ``fetch(low, high, size)`` gets a page.

    The first page is fetched at once. When it is full, ``end()`` gives the last row of this moment, so that
    rows that are appended later are left out.
    """
    page = fetch(low, high, _FIRST) if low <= high else []
    if len(page) == _FIRST:
        high = min(high, end())
    return _pages(page, fetch, low, high, key, ascending=True)


def backwards(fetch: Fetch, low: int, high: int, key: int) -> Iterator[Any]:
    """The same rows from the last to the first."""
    page = fetch(low, high, _FIRST) if low <= high else []
    return _pages(page, fetch, low, high, key, ascending=False)


def _pages(page: list[Any], fetch: Fetch, low: int, high: int, key: int, *, ascending: bool) -> Iterator[Any]:
    """The rows of a page, and of all that follow."""
    size = _FIRST
    while page:
        yield from page
        if len(page) < size:
            return
        last = page[-1][key]
        low, high = (last + 1, high) if ascending else (low, last - 1)
        if low > high:
            return
        size = _size(page)
        page = fetch(low, high, size)


def _size(page: list[Any]) -> int:
    """The size of the next page: at most four times this one, and smaller when the events are wide."""
    try:
        width = sum([len(row[-1]) + len(row[-2]) for row in page]) // len(page) + 1
    except TypeError:  # somebody wrote NULL or a number where the text was
        return len(page)
    return max(1, min(_LARGEST, 4 * len(page), _AMPLE // width))

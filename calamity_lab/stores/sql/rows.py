"""Events as rows of a table: the statements, and how events are written and read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from calamity_lab.errors import CalamityError, InvalidValue, SerializationError, repr_of
from calamity_lab.kernel.arguments import a_mapping, a_text, is_a, wrong
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.outbox import Move
from calamity_lab.kernel.recorded import NO_METADATA, Metadata, ProposedEvent, RecordedEvent, make_recorded
from calamity_lab.stores.serializer.names import UnreadableEvent
from calamity_lab.stores.serializer.serializer import Serializer

# The columns of the table of events. A position counts over all streams, without a gap, in the order of the
# commits. Payload and metadata are JSON as text, so that people can query them and nothing of them is lost.
COLUMNS = (
    "position",
    "stream_id",
    "stream_version",
    "event_id",
    "event_type",
    "type_version",
    "correlation_id",
    "causation_id",
    "recorded_at",
    "metadata",
    "payload",
)
# A command that a process manager sent, or that is carried out once. It is settled when it has an outcome.
# ``cause`` is the position of the event that it answers; ``due_at`` and ``deadline`` are those of a deadline.
OUTBOX = (
    "command_id",
    "command_type",
    "type_version",
    "payload",
    "sender",
    "cause",
    "correlation_id",
    "depth",
    "metadata",
    "due_at",
    "deadline",
    "outcome",
    "reason",
    "details",
)
OPEN = "outcome IS NULL AND deadline IS NOT NULL"  # which deadlines are still open; two indices say so too
CANCEL = "UPDATE outbox SET outcome = 'cancelled', reason = ''"
# An event that a running instance was handed. When the instance ends, its rows give way to one in `ended`.
DELIVERIES = ("process_manager", "stream_id", "position", "verb", "version")
ENDED = ("process_manager", "position", "stream_id", "version")
# A rejection that changed a running instance; `rejection_marks` has the number of the last one of all.
REJECTIONS = ("process_manager", "stream_id", "position", "number", "command_id")
_TOMBSTONE = ("stream_id", "version", "position", "deleted_at", "reason")
_SNAPSHOT = ("stream_id", "version", "position", "event_id", "shape", "state")

_UNSEEN: Any = object()
_json = msgspec.json.Encoder().encode


class Statements:
    """The SQL that all databases share; ``parameter`` is how a database names a value, {} being the name.

    A page is ``size`` events from ``low`` to ``high``: positions of all streams, or versions of one, of which
    none lies behind position ``upto``. A database of version 1 keeps the last position only in its events.
    """

    def __init__(self, parameter: str, now: str, later: str, version: int = 2) -> None:
        value = parameter.format
        stream_id, columns = value("stream_id"), ", ".join(COLUMNS)
        # No position is given twice, even when the last events were deleted.
        position = (
            "coalesce((SELECT max(position) FROM (SELECT max(position) AS position FROM events "
            f"{'UNION ALL SELECT position FROM last_position' if version > 1 else ''}) AS known), 0)"
        )
        stream_version = (
            f"coalesce((SELECT max(stream_version) FROM events WHERE stream_id = {stream_id}), 0)"
        )
        within = f"BETWEEN {value('low')} AND {value('high')}"
        size = f"LIMIT {value('size')}"
        of_all = f"SELECT {columns} FROM events WHERE position {within} ORDER BY position"
        # The sum keeps the planner from looking for the stream among all positions.
        of_one = (
            f"SELECT {columns} FROM events WHERE stream_id = {stream_id} AND stream_version {{}} "
            f"AND position + 0 <= {value('upto')} ORDER BY stream_version"
        )
        # In SQLite a text is behind all numbers: without an end, a damaged version is found, too.
        to_the_end, of_one = of_one.format(f">= {value('low')}"), of_one.format(within)
        self.to_the_end_forwards = f"{to_the_end} ASC {size}"
        self.to_the_end_backwards = f"{to_the_end} DESC {size}"
        self.position = f"SELECT {position}"
        self.version = f"SELECT {stream_version}"
        self.count = "SELECT count(*) FROM events"
        # A stream that was deleted is at -1, which no append expects.
        self.heads = (
            f"SELECT {position}, coalesce("
            f"(SELECT max(stream_version) FROM events WHERE stream_id = {stream_id}), "
            f"(SELECT -1 FROM deleted_streams WHERE stream_id = {stream_id}), 0)"
        )
        self.stream_ids = "SELECT DISTINCT stream_id FROM events"
        self.events_by_id = (
            "SELECT event_id, stream_id, stream_version, position FROM events "
            f"WHERE event_id = {value('event_id')}"
        )
        self.all_forwards = f"{of_all} ASC {size}"
        self.all_backwards = f"{of_all} DESC {size}"
        self.forwards = f"{of_one} ASC {size}"
        self.category_forwards = (
            f"SELECT {columns} FROM events WHERE position {within} "
            f"AND substr(stream_id, 1, {value('length')}) = {value('prefix')} ORDER BY position ASC {size}"
        )
        self.backwards = f"{of_one} DESC {size}"
        self.marks = f"SELECT '', {position} UNION ALL SELECT name, position FROM process_managers"
        self.running = (
            "SELECT stream_id, position, verb, version FROM deliveries "
            f"WHERE process_manager = {value('name')} AND position > {value('after')}"
        )
        self.ended = (
            "SELECT stream_id, position, 'stopped', version FROM ended "
            f"WHERE process_manager = {value('name')} AND position > {value('after')}"
        )
        self.move_mark = (
            f"UPDATE process_managers SET position = {value('position')} WHERE name = {value('name')}"
        )
        self.retire = f"DELETE FROM process_managers WHERE name = {value('name')}"
        self.outstanding = f"SELECT {', '.join(OUTBOX)} FROM outbox WHERE outcome IS NULL ORDER BY number"
        self.outbox = f"SELECT {', '.join(OUTBOX)} FROM outbox ORDER BY number"
        # To each of these is added whose deadlines are meant, and in which order: see `SQLOutbox`.
        self.deadlines_due = (
            f"SELECT {', '.join(OUTBOX)} FROM outbox WHERE {OPEN} AND due_at <= {value('now')}"
        )
        self.next_due = f"SELECT due_at FROM outbox WHERE {OPEN} AND due_at > {value('after')}"
        self.set_deadlines = (
            f"SELECT command_id FROM outbox WHERE {OPEN} AND sender = {value('stream_id')} "
            f"AND deadline = coalesce({value('name')}, deadline)"
        )
        self.cancel = f"{CANCEL} WHERE command_id = {value('command_id')}"
        self.last_rejection = f"SELECT number FROM rejection_marks WHERE name = {value('name')}"
        self.count_rejection = (
            f"INSERT INTO rejection_marks (name, number) VALUES ({value('name')}, {value('number')}) "
            "ON CONFLICT (name) DO UPDATE SET number = excluded.number"
        )
        self.keep_rejection = _insert_new("taken_rejections", REJECTIONS, value)
        self.forget_rejections = (
            f"DELETE FROM taken_rejections WHERE process_manager = {value('name')} "
            f"AND stream_id = {stream_id} AND position < {value('position')}"
        )
        self.rejections = (
            "SELECT rejection_marks.number, taken.stream_id, taken.position, taken.number, "
            f"{', '.join([f'outbox.{each}' for each in OUTBOX])} FROM rejection_marks "
            "LEFT JOIN taken_rejections AS taken ON taken.process_manager = rejection_marks.name "
            f"AND taken.number > {value('after')} "
            "LEFT JOIN outbox ON outbox.command_id = taken.command_id "
            f"WHERE rejection_marks.name = {value('name')} ORDER BY taken.position, taken.number"
        )
        self.outbox_entry = f"SELECT {', '.join(OUTBOX)} FROM outbox WHERE command_id = {value('command_id')}"
        tombstone = ", ".join(_TOMBSTONE)
        self.deleted_streams = f"SELECT {tombstone} FROM deleted_streams ORDER BY position, stream_id"
        self.deleted_stream = f"SELECT {tombstone} FROM deleted_streams WHERE stream_id = {stream_id}"
        self.last_of_stream = (
            f"SELECT max(stream_version), max(position) FROM events WHERE stream_id = {stream_id}"
        )
        self.delete_stream = (
            f"INSERT INTO deleted_streams ({tombstone}) VALUES ({', '.join(map(value, _TOMBSTONE))})",
            f"DELETE FROM events WHERE stream_id = {stream_id}",
            f"DELETE FROM snapshots WHERE stream_id = {stream_id}",
        )
        name, owner, at = value("name"), value("owner"), value("position")
        self.checkpoints = (
            "SELECT name, stream_id, position, owner, owner IS NOT NULL AND owned_until >= "
            f"{now} FROM checkpoints ORDER BY name"
        )
        self.checkpoint = f"SELECT stream_id, position, owner FROM checkpoints WHERE name = {name}"
        self.begin_checkpoint = (
            f"INSERT INTO checkpoints (name, stream_id, position) VALUES ({name}, {value('stream')}, {at}) "
            "ON CONFLICT (name) DO NOTHING"
        )
        self.take_checkpoint = (
            f"UPDATE checkpoints SET owner = {owner}, owned_until = {later} WHERE name = {name} "
            f"AND (owner IS NULL OR owned_until < {now} OR owner = {value('dead')})"
        )
        mine = f"WHERE name = {name} AND owner = {owner}"
        self.renew = f"UPDATE checkpoints SET owned_until = {later} {mine}"
        self.release = f"UPDATE checkpoints SET owner = NULL, owned_until = NULL {mine}"
        self.acknowledge = (
            f"UPDATE checkpoints SET position = {at}, owned_until = {later} {mine} "
            f"AND position = {value('known')}"
        )
        self.move_checkpoint = f"UPDATE checkpoints SET position = {at} WHERE name = {name}"
        # For what is written along with events.
        command_id, outcomes = value("command_id"), ("outcome", "reason", "details")
        self.mark = f"SELECT position FROM process_managers WHERE name = {name}"
        self.begin_mark = (
            f"INSERT INTO process_managers (name, position) VALUES ({name}, {at}) "
            "ON CONFLICT (name) DO NOTHING"
        )
        self.move_mark_from = f"{self.move_mark} AND position = {value('since')}"
        self.forget_deliveries = (
            f"DELETE FROM deliveries WHERE process_manager = {name} AND stream_id = {stream_id}"
        )
        self.deliver = _insert_new("deliveries", DELIVERIES, value)
        self.end = _insert_new("ended", ENDED, value)
        self.send = _insert_new("outbox", OUTBOX, value)
        self.settle = (
            f"UPDATE outbox SET {', '.join([f'{each} = {value(each)}' for each in outcomes])} "
            f"WHERE command_id = {command_id} AND outcome IS NULL"
        )
        self.outcome = f"SELECT {', '.join(outcomes)} FROM outbox WHERE command_id = {command_id}"
        self.table_version = "SELECT version FROM calamity_lab_schema"
        # These fail when a column is missing.
        self.probes = (
            f"SELECT {columns} FROM events WHERE 1 = 0",
            f"SELECT {', '.join(_SNAPSHOT)} FROM snapshots WHERE 1 = 0",
        )
        self.snapshot = f"SELECT {', '.join(_SNAPSHOT)} FROM snapshots WHERE stream_id = {stream_id}"
        # It keeps the later snapshot of a stream.
        changes = ", ".join([f"{name} = excluded.{name}" for name in _SNAPSHOT[1:]])
        self.put_snapshot = (
            f"INSERT INTO snapshots ({', '.join(_SNAPSHOT)}) VALUES ({', '.join(map(value, _SNAPSHOT))}) "
            f"ON CONFLICT (stream_id) DO UPDATE SET {changes} WHERE snapshots.position <= excluded.position"
        )


def _insert_new(table: str, columns: Sequence[str], value: Callable[[str], str]) -> str:
    """The statement that inserts a row, unless there is one with its key."""
    values = ", ".join(map(value, columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT DO NOTHING"


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
    """A rejection that changed an instance, as it is stored; the fields are the columns (`REJECTIONS`)."""

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
                raise SerializationError(mistyped(COLUMNS, row, {"causation_id"}))
            known = self.serializer.decode_metadata(metadata)
            event = self.serializer.decode(event_type, type_version, payload)
            recorded: RecordedEvent = make_recorded(
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
_NUMBERS = {"position", "stream_version", "type_version", "cause", "depth"}
_TIMES = {"recorded_at", "due_at"}  # of another type in each database
MAY_LACK = {"payload", "sender", "cause", "deadline", "outcome", "reason", "details"}


def mistyped(columns: Sequence[str], row: Sequence[Any], may_lack: Set[str] = frozenset()) -> str:
    """Which columns of a row hold something of another type; an empty text where none does."""
    odd = [
        f"{name} should be {'a whole number' if name in _NUMBERS else 'text'}, found {repr_of(value, 60)}"
        for name, value in zip(columns, row, strict=True)
        if name not in _TIMES
        and not (value is None and name in may_lack)
        and type(value) is not (int if name in _NUMBERS else str)
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
    recorded: RecordedEvent = make_recorded(
        event, texts["event_type"], texts["event_id"], texts["stream_id"],
        version if type(version) is int else 0, found["position"], texts["correlation_id"],
        None if found["causation_id"] is None else texts["causation_id"], at, NO_METADATA,
    )  # fmt: skip
    return recorded


def recorded_from(
    entries: Iterable[StoredRow], contents: Iterable[Content], heads: Heads
) -> tuple[RecordedEvent, ...]:
    """The events of an append that found those heads; they equal those that a read finds."""
    return tuple([
        make_recorded(
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
    return _on(page, fetch, high, key)


def backwards(fetch: Fetch, low: int, high: int, key: int) -> Iterator[Any]:
    """The same rows from the last to the first."""
    page = fetch(low, high, _FIRST) if low <= high else []
    return _back(page, fetch, low, key)


def _on(page: list[Any], fetch: Fetch, high: int, key: int) -> Iterator[Any]:
    size = _FIRST
    while page:
        yield from page
        if len(page) < size:
            return
        low = page[-1][key] + 1
        if low > high:
            return
        size = _size(page)
        page = fetch(low, high, size)


def _back(page: list[Any], fetch: Fetch, low: int, key: int) -> Iterator[Any]:
    size = _FIRST
    while page:
        yield from page
        if len(page) < size:
            return
        high = page[-1][key] - 1
        if high < low:
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

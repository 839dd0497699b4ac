"""`SQLEventStore`: events in an SQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Literal, Self

from calamity_lab.errors import AlreadySettled, CommitConflict, InvalidValue, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import (
    a_list,
    a_mapping,
    a_text,
    a_whole_number,
    an_instance,
    is_a,
    one_of,
    wrong,
)
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, read, system_clock
from calamity_lab.kernel.event_store import (
    Closable,
    NotCopied,
    check_expected,
    checked_proposals,
    checked_start,
    checked_stream_id,
    checked_subscription,
    checked_version,
    dressed,
    listed,
)
from calamity_lab.kernel.outbox import OutboxChanges
from calamity_lab.kernel.protocols import (
    ALL,
    ANY,
    FORWARDS,
    NO_STREAM,
    STREAM_EXISTS,
    Category,
    Direction,
    Expected,
    StreamId,
    Subscriber,
)
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent
from calamity_lab.stores.serializer.names import Types
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.checkpoints import (
    Checkpoint,
    Claim,
    checked_name,
    checkpoints,
    move_checkpoint,
    stored_stream,
)
from calamity_lab.stores.sql.opening import open_database
from calamity_lab.stores.sql.outbox import OutboxEntry, SQLOutbox
from calamity_lab.stores.sql.rows import (
    AppendedRows,
    DeletedStream,
    Heads,
    OutboxRow,
    RowCodec,
    StoredRow,
    backwards,
    forwards,
    recorded_from,
    written,
)
from calamity_lab.stores.sql.subscription import Subscribers, Subscription

_FAR = 2**63 - 1
_IMPLAUSIBLE = 10**12  # events; a list of so many would not fit into any memory
_BOUNDS = {ANY: (0, _FAR), NO_STREAM: (0, 0), STREAM_EXISTS: (1, _FAR)}


_POSITION, _VERSION = 0, 2  # the columns by which streams are read


class SQLEventStore(SQLOutbox, NotCopied, Closable):
    """Streams of recorded events in a database: ``SQLEventStore("sqlite:///bank.db", bank)``.

    ``types`` is the model: a Model, a module, classes, or a `Serializer`. The store also learns the classes
    of the events that are appended. It reads an event of an unknown class as an `UnknownEvent`. Bare events
    get their ids from ``ids`` and their times from ``clock``.

    ``timeout`` is the number of seconds that an append waits for other writers. ``poll`` is the number of
    seconds between two looks of a subscription, where the database does not notify it. Everybody sees an
    append at once, so `append` returns the same store. The store may be used from several threads, in the
    process that opened it. A process that is forked from that one opens a store of its own.

    A row that somebody damaged is an error that names its position. With ``unreadable="keep"`` the store
    reads it as an `UnreadableEvent`, so that the rest of the history can be read and exported.

    Behind a transaction pooler, such as PgBouncer, the store leaves nothing in a session: ``pooled=yes``
    in the URL names a pooler that the store does not notice by itself.
    """

    def __init__(
        self,
        url: Any,
        types: Types | Serializer = (),
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
        poll: float | None = None,
        read_only: bool = False,
        timeout: float = 10.0,
        unreadable: Literal["raise", "keep"] = "raise",
    ) -> None:
        check_sources("SQLEventStore", clock, ids)
        self.url = url
        self.serializer = Serializer.of(types)
        one_of("SQLEventStore(unreadable)", unreadable, ("raise", "keep"))
        self._sources = _Sources(clock, ids)
        super().__init__(
            open_database(url, timeout=timeout, poll=poll, read_only=read_only),
            RowCodec(self.serializer, keeps_unreadable=unreadable == "keep"),
        )
        self._subscriptions: list[Subscription] = []
        self._subscribers = Subscribers()
        self._notifying: Subscription | None = None
        self._lock = threading.Lock()

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> Self:
        """Append events to a stream, all or none.

        Raises `WrongExpectedVersion`, and writes nothing, when the stream is not at the expected version.
        """
        self._database.check_open()
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals = self._sources.proposals(events)
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        heads = self._write(stream_id, entries, expected_version)
        check_expected(stream_id, expected_version, heads.versions[stream_id])
        return self

    def record(
        self,
        stream_id: str,
        proposals: Sequence[ProposedEvent],
        expected_version: Expected,
        *,
        settles: Pending | None = None,
        passed: Mapping[str, int] = {},
    ) -> tuple[tuple[RecordedEvent, ...], Self]:
        """Append events that have their ids and times; return the recorded events and the store.

        The recorded events equal those that `stream` reads; the database is not asked for them. An event that
        could not be read is an error before anything is written. ``settles`` is the command of the events:
        when it was settled before, `AlreadySettled` is raised. The marks of the process managers in
        ``passed`` move over so many of the first events, which are of no interest to them.
        """
        self._database.check_open()
        stream_id = checked_stream_id(stream_id, "record needs the id of one stream")
        proposals = checked_proposals(proposals)
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        contents = self._codec.read_back(entries)
        if settles is not None:
            an_instance("record(settles)", settles, Pending, "run.agenda.pending[0]")
        passed = a_mapping("record(passed)", passed, "{'Transfer': 1}")
        settling = None if settles is None else self._settling(settles)
        heads = self._write(stream_id, entries, expected_version, settling, passed)
        if settles is not None and heads.settled is not None:
            raise AlreadySettled(settles.command_id, self._outcome(heads.settled))
        check_expected(stream_id, expected_version, heads.versions[stream_id])
        return recorded_from(entries, contents, heads), self

    def move_mark(self, name: str, position: int) -> None:
        """Move the mark of a process manager by hand, after the restore of an older backup.

        Moved back, the events behind it are handed on again; commands that were sent then are not sent twice.
        """
        name = a_text("move_mark(name)", name, "'Transfer'")
        marks, head = self.marks()
        if name not in marks or type(position) is not int or not 0 <= position <= head:
            raise InvalidValue(
                f"move_mark({repr_of(name)}, {repr_of(position)}): give the name of a process manager, one "
                f"of {', '.join(sorted(marks)) or 'none'}, and a position from 0 to {head}"
            )
        self._database.write(self._statements.move_mark, {"name": name, "position": position}, "write to")

    def retire(self, name: str, *, reason: str) -> None:
        """Forget a process manager that is gone for good; its outstanding commands are dropped."""
        name = a_text("retire(name)", name, "'Transfer'")
        a_text("retire(reason)", reason, "reason='replaced by Payout'")
        if name not in self.marks()[0]:
            raise InvalidValue(
                f"{repr_of(name)} was handed no events; known: {', '.join(sorted(self.marks()[0])) or 'none'}"
            )
        for entry in self.outbox:
            if entry.outcome is None and entry.sender is not None and entry.sender.partition("-")[0] == name:
                self.drop(entry.command_id, reason=reason)
        self._database.write(self._statements.retire, {"name": name}, "write to")

    @property
    def outbox(self) -> tuple[OutboxEntry, ...]:
        """The commands that process managers sent, with what they came to, oldest first.

        As a table: ``pandas.DataFrame(store.outbox)``.
        """
        return self._shown_outbox()

    def drop(self, command_id: str, *, reason: str) -> None:
        """Drop an outstanding command for good; the reason is kept.

        Raises `AlreadySettled` when it was settled before.
        """
        command_id = a_text("drop(command_id)", command_id, "store.outbox[0].command_id")
        self._drop(command_id, a_text("drop(reason)", reason, "reason='sent by mistake'"))

    def append_all(
        self,
        entries: Iterable[tuple[str, ProposedEvent]],
        *,
        expected_versions: Mapping[str, Expected] = {},
        along: OutboxChanges | None = None,
    ) -> tuple[RecordedEvent, ...]:
        """Append events to several streams in one transaction, in the given order; return what was recorded.

        ``along`` is what the marks and the outbox are to have then: what was handed on, sent and settled.
        When streams are not at their expected versions, when a mark is elsewhere, or when a command was
        settled before, nothing is written, and `CommitConflict` names them.
        """
        self._database.check_open()
        if along is not None:
            an_instance("append_all(along)", along, OutboxChanges, "OutboxChanges([], [], [])")
        proposals = [_entry(given) for given in a_list("append_all(entries)", entries, _ENTRIES)]
        expected: dict[str, Expected] = dict.fromkeys([stream_id for stream_id, _ in proposals], ANY)
        versions = a_mapping("append_all(expected_versions)", expected_versions, "{'BankAccount-1': 3}")
        for stream_id, version in versions.items():
            expected[checked_stream_id(stream_id, "expected_versions needs the id of a stream")] = version
        bounds = {stream_id: _bounds_of(version) for stream_id, version in expected.items()}
        if not proposals and along is None:
            _check_all(expected, {stream_id: self.version(stream_id) for stream_id in bounds})
            return ()
        rows = self._codec.entries(proposals)
        contents = self._codec.read_back(rows)
        written_along = None if along is None else self._along(along)
        heads = self._database.append(AppendedRows(rows, bounds, along=written_along))
        _check_all(expected, heads.versions)
        if heads.unfit is not None:
            settled = {id_: self._outcome(row) for id_, row in heads.unfit.settled.items()}
            raise CommitConflict({}, heads.unfit.marks, settled)
        return recorded_from(rows, contents, heads)

    def stream(
        self,
        stream_id: StreamId,
        *,
        start_version: int = 0,
        direction: Direction = FORWARDS,
        upto_position: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction.

        Events that are appended later, or lie behind ``upto_position``, are not among them. The events are
        read page by page, while they are consumed.
        """
        if stream_id is not ALL:
            stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
        low = max(checked_start(start_version, direction), 0)  # beyond _FAR there is nothing
        upto = _FAR if upto_position is None else checked_start(upto_position, direction, "upto_position")
        upto = min(max(upto, 0), _FAR)
        return map(self._codec.recorded, self._rows(stream_id, low, upto, direction))

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return self._database.number(self._statements.position)
        stream_id = checked_stream_id(stream_id, "version needs the id of a stream, or ALL")
        return self._database.number(self._statements.version, {"stream_id": stream_id})

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The ids of all streams, sorted."""
        rows = self._database.rows(self._statements.stream_ids)
        return tuple(sorted([name if type(name) is str else repr_of(name) for (name,) in rows]))

    def subscribe(
        self, stream_id: StreamId | Category, subscriber: Subscriber, *, name: str | None = None
    ) -> Self:
        """Call the subscriber once for each event that anybody appends from now on, in order.

        The store calls it from a thread of its own. A subscriber that raises is not called again: the error
        is logged, and added to `subscriber_errors`.

        With a ``name`` the database keeps how far the subscriber has come: a new name begins now, and a known
        one goes on after the last event for which the subscriber returned, also in another process. The
        event after that may come twice. One worker at a time has a name; see `subscription`.
        """
        self._database.check_open()
        stream_id = checked_subscription(stream_id, subscriber)
        if name is not None:
            with self._lock:
                self._follow_named(stream_id, subscriber, checked_name(name), self._head(stream_id) + 1)
            return self
        with self._lock:
            position = self.version(ALL)
            if self._notifying is None or not self._notifying.running:
                self._subscribers = Subscribers(self._subscribers.errors)
                self._notifying = self._follow(ALL, self._subscribers.notify, position + 1)
            self._subscribers.add(stream_id, subscriber, position)
        return self

    def subscription(
        self,
        stream_id: StreamId | Category,
        subscriber: Subscriber,
        *,
        start_version: int = 1,
        name: str | None = None,
    ) -> Subscription:
        """Call the subscriber once for each event from a version on, also for new events.

        With ALL or a Category, the version is a position. The events come in order, from a thread of the
        subscription. ``.close()`` ends the subscription; ``.error`` is the error that ended it.

        With a ``name``, ``start_version`` is where a new name begins; a known name goes on after the last
        event for which the subscriber returned. Raises `StoreError` when another worker has the name, or
        when the checkpoint lies beyond the end of the history.
        """
        self._database.check_open()
        stream_id = checked_subscription(stream_id, subscriber, "subscription")
        start_version = a_whole_number("subscription(start_version)", start_version, low=None)
        start = max(start_version, 1)
        with self._lock:
            if name is None:
                return self._follow(stream_id, subscriber, start)
            return self._follow_named(stream_id, subscriber, checked_name(name), start)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """How far each named subscription has come, and which process has it now."""
        return checkpoints(self._database) if self._database.version > 1 else ()

    def move_checkpoint(self, name: str, position: int) -> None:
        """Move the checkpoint of a named subscription by hand, to the last event that counts as handled.

        The events behind it are handled again, or for the first time. A worker that has the name notices it
        at its next look.
        """
        move_checkpoint(self._database, name, position, self.version(ALL))

    def delete_stream(self, stream_id: str, *, reason: str = "") -> Self:
        """Delete all events and the snapshot of a stream for good, and keep a tombstone with the reason.

        Its positions are never given again. An append to it raises `StreamDeleted`, so a command to its
        aggregate is rejected. Events of other streams stay, also where they came from events of this one,
        and so does the outbox.
        """
        self._database.check_open()
        stream_id = checked_stream_id(stream_id, "delete_stream needs the id of one stream")
        if not is_a(reason, str):
            raise InvalidValue(
                f"delete_stream(reason={repr_of(reason)}): say in a text why the stream is deleted"
            )
        self._database.delete_stream(stream_id, written(self._sources.now()), reason)
        return self

    @property
    def deleted_streams(self) -> tuple[DeletedStream, ...]:
        """The streams that were deleted by `delete_stream`, in the order of their last events."""
        if self._database.version == 1:
            return ()
        rows = self._database.rows(self._statements.deleted_streams)
        return tuple([DeletedStream.of(row) for row in rows])

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The open subscriptions of this store; `subscribe` uses one of them."""
        return tuple(self._subscriptions)

    @property
    def subscriber_errors(self) -> tuple[Exception, ...]:
        """The errors that subscribers of `subscribe` raised, and what ended named subscriptions."""
        ended = [each.error for each in self.subscriptions if each.name is not None]
        return (*self._subscribers.errors, *[error for error in ended if error is not None])

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """The source of times for bare events."""
        return self._sources.clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """The source of ids for bare events."""
        return self._sources.ids

    def close(self) -> None:
        """Close the subscriptions and the connections; closing twice does no harm.

        In a process that was forked from the one that opened the store this does nothing.
        """
        if self._database.is_inherited:
            return
        for subscription in self.subscriptions:
            subscription.close()
        self._database.close()

    def __len__(self) -> int:
        last = self.version(ALL)
        if last < _IMPLAUSIBLE:
            return last
        return self._database.number(self._statements.count)  # a damaged position

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.stream(ALL)

    def __repr__(self) -> str:
        return f"SQLEventStore({self._database.name!r})"

    def _write(
        self,
        stream_id: str,
        entries: Sequence[StoredRow],
        expected: Expected,
        settles: OutboxRow | None = None,
        passed: Mapping[str, int] = {},
    ) -> Heads:
        """Append entries to a stream at its expected version; return where the ends were."""
        bounds = _bounds_of(expected)
        if entries:
            return self._database.append(AppendedRows(entries, {stream_id: bounds}, settles, passed))
        # Without entries there is only the version to check.
        return Heads(0, {stream_id: 0 if expected is ANY else self.version(stream_id)})

    def _rows(self, stream_id: StreamId, low: int, upto: int, direction: Direction) -> Iterator[Any]:
        whole, ascending = stream_id is ALL, direction is FORWARDS
        of_one, of_all = ("forwards", "all_forwards") if ascending else ("backwards", "all_backwards")
        statement: str = getattr(self._statements, of_all if whole else of_one)
        to_the_end: str = statement if whole else getattr(self._statements, f"to_the_end_{of_one}")
        values = {} if whole else {"stream_id": stream_id, "upto": upto}
        read = self._database.rows

        def fetch(low: int, high: int, size: int) -> list[Any]:
            if high == _FAR:
                return read(to_the_end, {**values, "low": low, "high": high, "size": size})
            return read(statement, {**values, "low": low, "high": high, "size": size})

        key, high = (_POSITION, upto) if whole else (_VERSION, _FAR)
        if ascending:
            return forwards(fetch, low, high, key, lambda: self.version(stream_id))
        return backwards(fetch, low, high, key)

    def _head(self, stream_id: StreamId | Category) -> int:
        return self.version(ALL if isinstance(stream_id, Category) else stream_id)

    def _follow_named(
        self, stream_id: StreamId | Category, subscriber: Subscriber, name: str, start: int
    ) -> Subscription:
        stored, head = stored_stream(stream_id), self._head(stream_id)
        claim = Claim(self._database, name, stored, start=start, head=head)
        return self._follow(stream_id, subscriber, claim.position + 1, claim)

    def _follow(
        self,
        stream_id: StreamId | Category,
        subscriber: Subscriber,
        start: int,
        claim: Claim | None = None,
    ) -> Subscription:
        if isinstance(stream_id, Category):
            read: Callable[[int], Iterable[RecordedEvent]] = partial(self._of_category, stream_id)
        else:
            read = lambda after: self.stream(stream_id, start_version=after)  # noqa: E731
        by_version = isinstance(stream_id, str)
        made = Subscription(
            f"{stream_id!r} of {self._database.name!r}",
            read,
            subscriber,
            self._database.waiting(),
            start,
            number_of=attrgetter("stream_version" if by_version else "position"),
            ended=self._ended,
            head=(lambda: self.version(ALL)) if isinstance(stream_id, Category) else None,
            claim=claim,
        )
        self._subscriptions.append(made)
        return made

    def _of_category(self, category: Category, after: int) -> Iterator[RecordedEvent]:
        prefix = f"{category.name}-"
        values = {"prefix": prefix, "length": len(prefix)}

        def fetch(low: int, high: int, size: int) -> list[Any]:
            found = {**values, "low": low, "high": high, "size": size}
            return self._database.rows(self._statements.category_forwards, found)

        rows = forwards(fetch, after, _FAR, _POSITION, lambda: self.version(ALL))
        return map(self._codec.recorded, rows)

    def _ended(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)


class _Sources:
    """Gives ids and times to events that have none; safe to use from threads."""

    def __init__(self, clock: Clock | Callable[[], datetime], ids: Ids | Callable[[], str]) -> None:
        self.clock = clock
        self.ids = ids
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time."""
        with self._lock:
            now, self.clock = read(self.clock)
        return now

    def proposals(self, events: Iterable[ProposedEvent | Any]) -> list[ProposedEvent]:
        """The events with their ids and times; the id of the first one is the correlation id of all."""
        given = listed(events)
        if all([event.__class__ is ProposedEvent for event in given]):
            return given
        with self._lock:
            proposals, self.clock, self.ids = dressed(given, self.clock, self.ids)
        return proposals


_ENTRIES = "[(stream_id, ProposedEvent(...))]"


def _entry(given: Any) -> tuple[str, ProposedEvent]:
    """A stream's id and an event, as `SQLEventStore.append_all` takes them."""
    if not is_a(given, tuple, list) or len(given) != 2:
        raise wrong("append_all(entry)", given, f"pairs, as in {_ENTRIES}")
    stream_id = checked_stream_id(given[0], "append_all needs the id of a stream with each event")
    return stream_id, an_instance("append_all(event)", given[1], ProposedEvent, _ENTRIES)


def _bounds_of(expected: Expected) -> tuple[int, int]:
    """The lowest and the highest version of a stream that fit an expectation."""
    for known, bounds in _BOUNDS.items():
        if expected is known:
            return bounds
    version = min(checked_version(expected), _FAR)
    return version, version


def _check_all(expected: Mapping[str, Expected], versions: Mapping[str, int]) -> None:
    """Raise `CommitConflict` with every stream that is not at its expected version.

    For `STREAM_EXISTS` the error shows 1 as the expected version.
    """
    moved = {}
    for stream_id, version in expected.items():
        low, high = _bounds_of(version)
        if not low <= versions[stream_id] <= high:
            moved[stream_id] = (low, versions[stream_id])
    if moved:
        raise CommitConflict(moved)

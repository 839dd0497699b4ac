"""`OverlayEventStore`: a store whose events lie on top of another store, which is only read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from inspect import signature
from itertools import chain, dropwhile, takewhile
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Self

from calamity_lab.errors import (
    AlreadySettled,
    CommitConflict,
    InvalidValue,
    OutOfRange,
    Rejected,
    UnknownName,
    repr_of,
)
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import (
    a_mapping,
    a_whole_number,
    an_instance,
    has,
    is_a,
    wrong,
)
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, system_clock
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.event_store import (
    InMemoryEventStore,
    check_expected,
    checked_proposals,
    checked_start,
    checked_stream_id,
    checked_subscription,
    dressed,
    listed,
    notify,
    proposed_again,
    refuse_name,
)
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.outbox import (
    ACCEPTED,
    CANCELLED,
    Delivery,
    DurableEventStore,
    KeptRejections,
    Move,
    OutboxChanges,
    Outcome,
    depth_first,
    is_durable,
    lasting,
    resolved,
)
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.protocols import (
    ALL,
    ANY,
    BACKWARDS,
    FORWARDS,
    Category,
    Direction,
    Expected,
    StreamId,
    Subscriber,
)
from calamity_lab.kernel.recorded import (
    KeptRejection,
    ProposedEvent,
    RecordedEvent,
)
from calamity_lab.text import plural

_NOTHING: PersistentVector[RecordedEvent] = PersistentVector()
_position: Callable[[RecordedEvent], int] = attrgetter("position")
_stream_version: Callable[[RecordedEvent], int] = attrgetter("stream_version")


class Commit(NamedTuple):
    """What a commit wrote: the events as the store below recorded them, and that store after the commit."""

    events: tuple[RecordedEvent, ...]
    store: Any


class OverlayEventStore:
    """A real store as of a position, with events on top that only this value has.

    It is a value, as an `InMemoryEventStore` is: appending gives a new one, and an old one may be appended to
    again. ``position`` is by default that of the last event in ``base``; events that are written to the base
    later are not seen. Versions and positions continue from there. Subscribers are called for the events on
    top. ``ids`` must not give ids that the base has already.

    Over a base that keeps marks and an outbox (see `calamity_lab.kernel.outbox`), the overlay is a
    `DurableOverlayEventStore`.
    """

    __slots__ = ("_clock", "_ids", "_own", "_past", "_streams", "_subscribers")

    _slots: tuple[str, ...] = __slots__
    _past: _Past
    _own: PersistentVector[RecordedEvent]
    _streams: PersistentMap[PersistentVector[RecordedEvent]]  # what is on top, by stream
    _subscribers: tuple[tuple[StreamId | Category, Subscriber], ...]
    _clock: Clock | Callable[[], datetime]
    _ids: Ids | Callable[[], str]

    def __new__(cls, base: Any = None, **_: Any) -> OverlayEventStore:
        return object.__new__(
            DurableOverlayEventStore if cls is OverlayEventStore and is_durable(base) else cls
        )

    def __init__(
        self,
        base: Any,
        *,
        position: int | None = None,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> None:
        check_sources("OverlayEventStore", clock, ids)
        self._past = self._past_of(base, position)
        self._own = _NOTHING
        self._streams = PersistentMap()
        self._subscribers = ()
        self._clock = clock
        self._ids = ids

    @staticmethod
    def _past_of(base: Any, position: int | None) -> _Past:
        return _Past(base, position)

    @property
    def base(self) -> Any:
        """The store below."""
        return self._past.base

    @property
    def position(self) -> int:
        """The position up to which the store below is seen."""
        return self._past.position

    @property
    def serializer(self) -> Any:
        """The serializer of the store below; None when it has none."""
        return getattr(self.base, "serializer", None)

    @property
    def own(self) -> tuple[RecordedEvent, ...]:
        """The events on top, in order, with the positions and versions that they have here."""
        return tuple(self._own)

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """The source of times for bare events."""
        return self._clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """The source of ids for bare events."""
        return self._ids

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> OverlayEventStore:
        """The store with the events appended to the stream, on top; subscribers are called afterwards."""
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals, store = self._proposed(listed(events))
        recorded, store = store.record(stream_id, proposals, expected_version)
        return store if recorded else self

    def record(
        self, stream_id: str, proposals: Sequence[ProposedEvent], expected_version: Expected
    ) -> tuple[tuple[RecordedEvent, ...], Self]:
        """Append events that have their ids and times; return the recorded events and the new store."""
        proposals = checked_proposals(proposals)
        stream_id = checked_stream_id(stream_id, "record needs the id of one stream")
        version = self.version(stream_id)
        check_expected(stream_id, expected_version, version)
        if not proposals:
            return (), self
        position = self.version(ALL)
        recorded = [
            each.recorded(stream_id, version + n, position + n) for n, each in enumerate(proposals, 1)
        ]
        store = self._copy()
        store._own = self._own.extend(recorded)
        own = self._streams.get(stream_id, _NOTHING).extend(recorded)
        store._streams = self._streams.insert(stream_id, own)
        wanted = (stream_id, Category.of(stream_id), ALL)
        notify([each for at in wanted for of, each in self._subscribers if of == at], recorded)
        return tuple(recorded), store

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction."""
        start_version = checked_start(start_version, direction)
        if stream_id is ALL:
            own, below = self._own, self.position
        else:
            stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
            own, below = self._streams.get(stream_id, _NOTHING), self._past.version(stream_id)
        skip = max(start_version - below - 1, 0)
        past = self._past.stream(stream_id, start_version, direction)
        return chain(past, own.iterate(skip)) if direction is FORWARDS else chain(own.backwards(skip), past)

    def subscribe(
        self, stream_id: StreamId | Category, subscriber: Subscriber, *, name: str | None = None
    ) -> OverlayEventStore:
        """The store that calls the subscriber with every event appended on top from now on.

        A ``name`` is an error: an overlay writes no checkpoint to the store below.
        """
        stream_id = checked_subscription(stream_id, subscriber)
        refuse_name(name, "an overlay only reads the store below")
        store = self._copy()
        store._subscribers = (*self._subscribers, (stream_id, subscriber))
        return store

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return self.position + len(self._own)
        stream_id = checked_stream_id(stream_id, "version needs the id of a stream, or ALL")
        return self._past.version(stream_id) + len(self._streams.get(stream_id, _NOTHING))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The ids of all streams, below and on top, sorted; reads the whole history once."""
        return tuple(sorted({*self._past.stream_ids, *self._streams}))

    def commit(self, *, after: int | OverlayEventStore = 0, to: Any = None) -> Commit:
        """Write the events on top to the base in one transaction; return what was recorded, and the base.

        Ids, causes, times and metadata stay as they are; the base gives new positions. When a stream of the
        base is not where this overlay saw it, nothing is written, and `CommitConflict` names the streams.
        ``after`` is the overlay that was committed before, or the number of its events; they are left out. A
        commit may be repeated when its outcome was unknown, because the base went away: what is there is not
        written again.

        An in-memory base is a value and stays as it is. The store with the events is ``store`` of the answer;
        give it as ``to`` the next time.
        """
        if not is_a(after, OverlayEventStore):
            after = a_whole_number("commit(after)", after)
        if to is not None and not has(to, "stream", "version"):
            raise wrong("commit(to)", to, "an event store, as in the store that the last commit returned")
        base, count = self.base if to is None else to, after if isinstance(after, int) else len(after._own)
        own, along = tuple(self._own.iterate(count)), self._along(base, after, count)
        if isinstance(base, (InMemoryEventStore, OverlayEventStore)):
            return _append_each(base, own, along)
        return _append_all(base, own, along)

    def _is_part_of(self, other: OverlayEventStore) -> bool:
        """Whether the other overlay has the same on top, and perhaps more after it."""
        return self._own == other._own.take(len(self._own))

    def _along(self, base: Any, after: int | OverlayEventStore, count: int) -> OutboxChanges | None:
        """What is committed with the events; None where there is nothing."""
        return None

    def __len__(self) -> int:
        return self.version(ALL)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.stream(ALL)

    def __eq__(self, other: object) -> bool:
        return type(other) is OverlayEventStore and self._past == other._past and self._own == other._own

    def __hash__(self) -> int:
        return hash((self._past, len(self._own)))

    def __repr__(self) -> str:
        own = plural(len(self._own), "event")
        return f"OverlayEventStore({own} on {repr_of(self.base)} as of position {self.position:,})"

    def _copy(self) -> Self:
        store = object.__new__(type(self))
        for name in self._slots:
            setattr(store, name, getattr(self, name))
        return store

    def _proposed(self, events: list[Any]) -> tuple[list[ProposedEvent], OverlayEventStore]:
        """The events with their ids and times, and a store whose sources go on from there."""
        store = self._copy()
        if all([is_a(event, ProposedEvent) for event in events]):
            return events, store
        proposals, store._clock, store._ids = dressed(events, self._clock, self._ids)
        return proposals, store


class _Change(NamedTuple):
    """What was handed on, sent or settled, or how a mark passed events of no interest.

    ``after`` is the number of events that were on top, and ``taken_off`` are deadlines of the base. ``kept``
    is a rejection that changed an instance, and ``known`` the number of the last one that was known before.
    """

    after: int
    name: str | None = None
    since: int | None = None
    upto: int = 0
    deliveries: Sequence[Delivery] = ()
    sent: Sequence[Pending] = ()
    settled: Pending | None = None
    outcome: Outcome | None = None
    taken_off: Sequence[TakenOff] = ()
    kept: KeptRejection | None = None
    known: int | None = None


class _Entry(NamedTuple):
    pending: Pending
    outcome: Outcome | None


class DurableOverlayEventStore(OverlayEventStore, DurableEventStore):
    """An overlay on a store that keeps marks and an outbox; it has its own on top, and `commit` writes them.

    At a position before the mark of a process manager, that process manager begins anew at the position.
    What the outbox of the base has is seen as of the first look at it.
    """

    __slots__ = ("_changes", "_deadlines", "_entries", "_marks", "_taken_in", "_taken_off")

    outlives_the_stack = False  # so a process manager that begins here is no news
    _slots = (*OverlayEventStore._slots, *__slots__)
    _past: _DurablePast
    _changes: PersistentVector[_Change]
    _entries: PersistentMap[_Entry]  # the commands that were sent or settled on top, by id
    _marks: PersistentMap[int]  # the marks that were moved
    _deadlines: PersistentMap[tuple[Pending, ...]]  # those that were set on top, by instance
    _taken_in: PersistentMap[tuple[KeptRejection, ...]]  # those taken in on top, by process manager
    _taken_off: PersistentMap[frozenset[TakenOff]]  # the deadlines of the base, by instance

    def __init__(self, base: Any, **given: Any) -> None:
        super().__init__(base, **given)
        self._changes, self._entries, self._marks = PersistentVector(), PersistentMap(), PersistentMap()
        self._deadlines, self._taken_off, self._taken_in = PersistentMap(), PersistentMap(), PersistentMap()

    @staticmethod
    def _past_of(base: Any, position: int | None) -> _Past:
        return _DurablePast(base, position)

    def record(
        self,
        stream_id: str,
        proposals: Sequence[ProposedEvent],
        expected_version: Expected,
        *,
        settles: Pending | None = None,
        passed: Mapping[str, int] = {},
    ) -> tuple[tuple[RecordedEvent, ...], Self]:
        """Append events that have their ids and times; return the recorded events and the new store.

        See `calamity_lab.kernel.outbox` for what is settled and passed. Raises `AlreadySettled` when the
        command was settled before.
        """
        if settles is not None:
            self._check_unsettled(an_instance("record(settles)", settles, Pending, "run.agenda.pending[0]"))
        passed = a_mapping("record(passed)", passed, "{'Transfer': 1}")
        head = self.version(ALL)
        recorded, store = super().record(stream_id, proposals, expected_version)
        if not recorded:
            return recorded, store
        if settles is not None:
            store = store._with_settled(settles, ACCEPTED)
        for name, count in passed.items():
            if self._mark(name) == head:
                store = store._with_mark(name, head, head + count)
        return recorded, store

    def marks(self) -> tuple[dict[str, int], int]:
        return {**self._past.marks, **self._marks}, self.version(ALL)

    def _hand_on(
        self,
        name: str,
        since: int | None,
        upto: int,
        deliveries: Sequence[Delivery],
        sent: Sequence[Pending],
        taken_off: Sequence[TakenOff],
        rejections: int | None,
    ) -> Self | None:
        if self._mark(name) != since:
            return None
        if None not in (since, rejections) and self._last_rejection(name) != rejections:
            return None
        store = self._without_deadlines(taken_off)
        new = self._new(sent, taken_off)
        return store._with_mark(name, since, upto, tuple(deliveries), new, rejections)

    def _settle(
        self,
        pending: Pending,
        outcome: Outcome,
        sent: Sequence[Pending],
        taken_off: Sequence[TakenOff],
        kept: KeptRejection | None,
    ) -> Self | None:
        self._check_unsettled(pending)
        store = self
        if kept is not None:
            name = kept.stream_id.partition("-")[0]
            if self._mark(name) != kept.position or self._last_rejection(name) != kept.number - 1:
                return None
            store = self._with_rejection(name, kept)
        # The command itself may be one of the deadlines.
        store = store._with_settled(pending, outcome)._without_deadlines(taken_off)
        new = self._new(sent, taken_off)
        return store._with(_Change(len(self._own), sent=new)) if new else store

    def _rejections(self, find: Callable[[str], type | None], name: str, after: int) -> KeptRejections:
        below, own = self._past.rejections(find, name), self._taken_in.get(name, ())
        number = own[-1].number if own else below.number
        return KeptRejections(number, tuple([each for each in (*below.kept, *own) if each.number > after]))

    def _as_kept(self, rejected: Rejected) -> Rejected:
        kept: Rejected = self.base.as_kept(rejected)
        return kept

    def _outcome_of(self, command_id: str) -> Outcome | None:
        entry: _Entry | None = self._entries.get(command_id)
        if entry is not None:
            return entry.outcome
        below = self._past.commands.get(command_id)
        if below is not None and self._is_taken_off(below):
            return CANCELLED
        return self._past.outcome_of(command_id)

    def _outstanding(self, find: Callable[[str], type | None], senders: Sequence[str]) -> tuple[Pending, ...]:
        below = [
            pending
            for pending in self._past.outstanding(find, senders)
            if pending.command_id not in self._entries and not self._is_taken_off(pending)
        ]
        own = [
            pending
            for change in self._changes
            for pending in change.sent
            if self._entries[pending.command_id].outcome is None
            if pending.sender is None or pending.sender.category in senders
        ]
        return depth_first([*below, *own])

    def _deadlines_due(
        self, find: Callable[[str], type | None], senders: Sequence[str], now: datetime
    ) -> tuple[Pending, ...]:
        found = [(each.due_at, each) for each in self._outstanding(find, senders) if each.due_at is not None]
        return tuple([each for due_at, each in sorted(found, key=itemgetter(0)) if due_at <= now])

    def _next_due(self, senders: Sequence[str], after: datetime) -> datetime | None:
        times = [each.due_at for each in self._outstanding(lambda name: None, senders) if each.due_at]
        return min([time for time in times if time > after], default=None)

    def _deliveries(self, name: str, after: int) -> Sequence[Delivery]:
        own = [d for change in self._changes if change.name == name for d in change.deliveries]
        kept = lasting([*self._past.deliveries(name, after), *[d for d in own if d.position > after]])
        return kept if after else [each for each in kept if each.verb != Verb.STOPPED]

    def _events_at(self, positions: Sequence[int]) -> Iterator[RecordedEvent]:
        wanted = sorted(set(positions))
        split = bisect_left(wanted, self.position + 1)
        own = [self._own[n - self.position - 1] for n in wanted[split:] if n <= self.version(ALL)]
        return chain(self._past.events_at(wanted[:split]), own)

    def _depths(self, command_ids: Sequence[str]) -> Mapping[str, int]:
        own = {id_: self._entries[id_].pending.depth for id_ in command_ids if id_ in self._entries}
        return {**self._past.depths([id_ for id_ in command_ids if id_ not in own]), **own}

    def read_outbox(self) -> None:
        """Read all of the outbox of an SQL base, so that the base may be closed once all events are read."""
        self._past.read_outbox()

    def _is_part_of(self, other: OverlayEventStore) -> bool:
        """Whether the other overlay has the same on top, and perhaps more after it."""
        return (
            super()._is_part_of(other)
            and isinstance(other, DurableOverlayEventStore)
            and self._changes == other._changes.take(len(self._changes))
        )

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, DurableOverlayEventStore)
            and self._changes == other._changes
        )

    __hash__ = OverlayEventStore.__hash__

    def _with_along(self, along: OutboxChanges, head: int) -> Self:
        """The store with what was handed on, sent and settled along with its events after position ``head``.

        Raises `CommitConflict` where a mark is elsewhere, or a command was settled before.
        """
        store, marks = self, dict[str, tuple[int | None, int | None]]()
        settled: dict[str, Outcome] = {}
        for move in along.moves:
            mark = store._mark(move.name)
            is_known = move.known is None or store._last_rejection(move.name) == move.known
            if move.handed and not (mark == move.since and move.fits(head) and is_known):
                marks[move.name] = (move.since, mark)
            else:
                store = store._moved(move, mark, head)
        events = {event.position: event for event in store._events_at(_causes(along, head))}
        for pending, outcome in along.settled:
            store = store._with_outcome(pending, outcome, settled)
        sent = [
            replace(pending, cause=None if cause is None else events[resolved(cause, head)])
            for pending, cause, _ in along.sent
        ]
        store = store._with_rejections(along, head, {each.command_id: each for each in sent})
        new = store._new(sent, along.taken_off)
        store = store._without_deadlines(along.taken_off)
        store = store._with(_Change(len(store._own), sent=new)) if new else store
        for pending, (*_, came_to) in zip(sent, along.sent, strict=True):
            if came_to is not None:
                store = store._with_outcome(pending, came_to, settled)
        if marks or settled:
            raise CommitConflict({}, marks, settled)
        return store

    def _with_rejections(self, along: OutboxChanges, head: int, sent: Mapping[str, Pending]) -> Self:
        """The store with the rejections that instances took in elsewhere; ``sent`` are commands by id."""
        store = self
        for move in along.moves:
            for kept in move.kept:
                cause = sent[kept.command_id].cause if kept.command_id in sent else kept.cause
                here = kept._replace(position=resolved(kept.position, head), cause=cause)
                store = store._with_rejection(move.name, here)
        return store

    def _with_rejection(self, name: str, kept: KeptRejection) -> Self:
        mark = self._mark(name) or 0
        store = self._with(_Change(len(self._own), name, mark, mark, kept=kept, known=kept.number - 1))
        store._taken_in = self._taken_in.insert(name, (*self._taken_in.get(name, ()), kept))
        return store

    def _last_rejection(self, name: str) -> int:
        """The number of the last rejection that changed an instance of a process manager."""
        own = self._taken_in.get(name, ())
        return own[-1].number if own else self._past.last_rejection(name)

    def _with_outcome(self, pending: Pending, outcome: Outcome, before: dict[str, Outcome]) -> Self:
        """The store that knows what a command came to; what it came to ``before`` is noted there."""
        found = self._outcome_of(pending.command_id)
        if found is not None:
            before[pending.command_id] = found
        return self._with_settled(pending, outcome)

    def _moved(self, move: Move, mark: int | None, head: int) -> Self:
        """The store after a mark moved, if it fits."""
        begun, upto = resolved(move.begun, head), resolved(move.upto, head)
        deliveries = [each._replace(position=resolved(each.position, head)) for each in move.deliveries]
        if mark is None and move.since is None:
            store = self._with_mark(move.name, None, begun, [] if move.handed else deliveries)
            if not move.fits(head):
                return store
            return store._with_mark(move.name, begun, upto, deliveries if move.handed else [])
        if mark == move.since and move.fits(head):
            return self._with_mark(move.name, mark, upto, deliveries)
        if mark == head and move.length == -move.upto:
            return self._with_mark(move.name, mark, upto)
        return self

    def _mark(self, name: str) -> int | None:
        mark = self._marks.get(name)
        return self._past.marks.get(name) if mark is None else mark

    def _check_unsettled(self, pending: Pending) -> None:
        outcome = self._outcome_of(pending.command_id)
        if outcome is None and pending.command_id not in self._entries and self._is_taken_off(pending):
            outcome = CANCELLED
        if outcome is not None:
            raise AlreadySettled(pending.command_id, outcome)

    def _is_taken_off(self, pending: Pending) -> bool:
        """Whether a deadline of the base was taken off here."""
        return pending.sender is not None and _is_in(
            self._taken_off.get(pending.sender.stream_id, frozenset()), pending
        )

    def _without_deadlines(self, taken_off: Sequence[TakenOff]) -> Self:
        """The store whose deadlines were taken off: those on top are settled, and those of the base noted."""
        store = self
        for off in taken_off:
            known = store._deadlines.get(off.stream_id, ())
            gone = [each for each in known if off.name in (None, each.deadline)]
            for each in gone:
                if store._entries[each.command_id].outcome is None:
                    store = store._with_settled(each, CANCELLED)
            store = store._with(_Change(len(self._own), taken_off=(off,)))
            left = tuple([each for each in known if each not in gone])
            store._deadlines = store._deadlines.insert(off.stream_id, left)
            noted = store._taken_off.get(off.stream_id, frozenset()) | {off}
            store._taken_off = store._taken_off.insert(off.stream_id, noted)
        return store

    def _new(self, sent: Sequence[Pending], taken_off: Sequence[TakenOff]) -> tuple[Pending, ...]:
        """The commands that the outbox does not have yet; those that own events caused are new.

        So are open deadlines of the base that are taken off and set once more, after a mark was moved back.
        """
        old = [p.command_id for p in sent if p.cause is None or p.cause.position <= self.position]
        known = self._depths(old) if old else {}
        off = set(taken_off)
        again = [
            p.command_id
            for p in sent
            if _is_in(off, p) and p.command_id not in self._entries and self._outcome_of(p.command_id) is None
        ]
        return tuple([p for p in sent if p.command_id not in known or p.command_id in again])

    def _with_mark(
        self,
        name: str,
        since: int | None,
        upto: int,
        deliveries: Sequence[Delivery] = (),
        sent: Sequence[Pending] = (),
        known: int | None = None,
    ) -> Self:
        store = self._with(_Change(len(self._own), name, since, upto, deliveries, sent, known=known))
        store._marks = self._marks.insert(name, upto)
        return store

    def _with_settled(self, pending: Pending, outcome: Outcome) -> Self:
        store = self._with(_Change(len(self._own), settled=pending, outcome=outcome))
        store._entries = store._entries.insert(pending.command_id, _Entry(pending, outcome))
        return store

    def _with(self, change: _Change) -> Self:
        store = self._copy()
        store._changes = self._changes.append(change)
        for pending in change.sent:
            store._entries = store._entries.insert(pending.command_id, _Entry(pending, None))
            if pending.due_at is not None and pending.sender is not None:
                stream_id = pending.sender.stream_id
                of_instance = (*store._deadlines.get(stream_id, ()), pending)
                store._deadlines = store._deadlines.insert(stream_id, of_instance)
        return store

    def _along(self, base: Any, after: int | OverlayEventStore, count: int) -> OutboxChanges | None:
        changes = self._changes_since(after)
        if not changes or not is_durable(base):
            return None
        in_base = self._places(base, count)
        moved: dict[str, list[_Change]] = {}
        for change in changes:
            if change.name is not None:
                moved.setdefault(change.name, []).append(change)
        sent = [pending for change in changes for pending in change.sent]
        new = {pending.command_id for pending in sent}
        settled = [
            (change.settled, change.outcome)
            for change in changes
            if change.settled is not None and change.outcome is not None
            if change.settled.command_id not in new
        ]
        return OutboxChanges(
            [_move(name, of_name, in_base) for name, of_name in moved.items()],
            settled,
            [
                (
                    pending,
                    None if pending.cause is None else in_base(pending.cause.position),
                    self._entries[pending.command_id].outcome,
                )
                for pending in sent
            ],
            list(dict.fromkeys([off for change in changes for off in change.taken_off])),
        )

    def _changes_since(self, after: int | OverlayEventStore) -> tuple[_Change, ...]:
        """The changes that were not committed before."""
        if isinstance(after, DurableOverlayEventStore):
            return tuple(self._changes.iterate(len(after._changes)))
        count = after if isinstance(after, int) else len(after._own)
        if count and any([change.after == count for change in self._changes]):
            raise InvalidValue(
                f"commit(after={count}): the outbox changed after these events, so it is unclear what of it "
                "was committed; give the overlay that was committed, as in commit(after=overlay)"
            )
        return tuple([change for change in self._changes if not count or change.after > count])

    def _places(self, base: Any, count: int) -> Callable[[int], int]:
        """The positions of events in the base; below 0 those that are committed now: see `OutboxChanges`."""
        committed = self._own.take(count)
        there = _there(base, committed)

        def in_base(position: int) -> int:
            if position <= self.position:
                return position
            n = position - self.position
            return there[committed[n - 1].event_id].position if n <= count else count - n

        return in_base


def _is_in(taken_off: Container[TakenOff], pending: Pending) -> bool:
    """Whether a command is one of the deadlines that are taken off."""
    if pending.deadline is None or pending.sender is None:
        return False
    stream_id = pending.sender.stream_id
    return TakenOff(stream_id, None) in taken_off or TakenOff(stream_id, pending.deadline) in taken_off


def _causes(along: OutboxChanges, head: int) -> list[int]:
    """The positions of the events that caused what was sent."""
    return [resolved(cause, head) for _, cause, _ in along.sent if cause is not None]


def _move(name: str, changes: Sequence[_Change], in_base: Callable[[int], int]) -> Move:
    """The changes of one mark as one."""
    first, upto = changes[0], changes[-1].upto
    begun = first.upto if first.since is None else first.since
    return Move(
        name,
        None if first.since is None else in_base(first.since),
        in_base(begun),
        in_base(upto),
        upto - begun,
        any([c.sent or c.kept or (c.deliveries and c.since is not None) for c in changes]),
        [
            each._replace(position=in_base(each.position))
            for each in lasting([each for change in changes for each in change.deliveries])
        ],
        [c.kept._replace(position=in_base(c.kept.position)) for c in changes if c.kept is not None],
        next((c.known for c in changes if c.known is not None), None),
    )


class _Read(NamedTuple):
    """The events of a stream from a version on, to its end."""

    start: int
    events: tuple[RecordedEvent, ...]


class _Past:
    """A store as it was at a position. All overlays on it share what one of them has read.

    A stream that was read to its end is kept. With ALL that is the whole history, and with it all streams.
    """

    __slots__ = ("_kept", "_knows_positions", "_versions", "_whole", "base", "position")

    def __init__(self, base: Any, position: int | None) -> None:
        for member in ("stream", "version"):
            if not has(base, member):
                raise InvalidValue(
                    f"{repr_of(base)} has no {member}(), so it cannot be the base of an overlay; give an "
                    "event store, as in OverlayEventStore(SQLEventStore('sqlite:///bank.db', bank))"
                )
        self.base = base
        self.position = _checked(position, base.version(ALL))
        self._knows_positions = "upto_position" in signature(base.stream).parameters
        self._kept: dict[StreamId, _Read] = {}
        self._versions: dict[str, int] = {}
        self._whole = self.position == 0  # whether everything was read

    def version(self, stream_id: str) -> int:
        """The version that a stream had; 0 when there was no such stream."""
        known = self._versions.get(stream_id)
        if known is None:
            last = None if self._whole else next(self._backwards(stream_id, 0), None)
            known = self._versions[stream_id] = 0 if last is None else last.stream_version
        return known

    def stream(self, stream_id: StreamId, start: int, direction: Direction) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) was at least ``start``, in that direction."""
        start = max(start, 1)
        if start > (self.position if stream_id is ALL else self.version(stream_id)):
            return iter(())
        kept = self._kept.get(stream_id)
        if kept is None or start < kept.start:
            forwards = direction is FORWARDS
            return self._remembered(stream_id, start) if forwards else self._backwards(stream_id, start)
        number = _position if stream_id is ALL else _stream_version
        events = kept.events[bisect_left(kept.events, start, key=number) :]
        return iter(events) if direction is FORWARDS else reversed(events)

    @property
    def stream_ids(self) -> Iterable[str]:
        """The ids of the streams that there were."""
        if not self._whole:
            for _ in self.stream(ALL, 1, FORWARDS):
                pass
        return [stream_id for stream_id in self._kept if stream_id is not ALL]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, _Past) and (self.position, self.base) == (other.position, other.base)

    def __hash__(self) -> int:
        return hash(self.position)

    def _remembered(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        """The events from the base, one by one; they are kept when the last one was read."""
        read = []
        for event in self._forwards(stream_id, start):
            read.append(event)
            yield event
        if stream_id is ALL and start == 1:
            self._keep_all(read)
        self._kept[stream_id] = _Read(start, tuple(read))

    def _keep_all(self, log: Iterable[RecordedEvent]) -> None:
        streams: dict[str, list[RecordedEvent]] = {}
        for event in log:
            streams.setdefault(event.stream_id, []).append(event)
        for stream_id, events in streams.items():
            self._kept[stream_id] = _Read(1, tuple(events))
            self._versions[stream_id] = events[-1].stream_version
        self._whole = True

    def _forwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        if self._knows_positions:
            return iter(self.base.stream(stream_id, start_version=start, upto_position=self.position))
        return takewhile(self._was_there, self.base.stream(stream_id, start_version=start))

    def _backwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        options: dict[str, Any] = {"start_version": start, "direction": BACKWARDS}
        if self._knows_positions:
            return iter(self.base.stream(stream_id, **options, upto_position=self.position))
        return dropwhile(lambda event: not self._was_there(event), self.base.stream(stream_id, **options))

    def _was_there(self, event: RecordedEvent) -> bool:
        return event.position <= self.position


class _DurablePast(_Past):
    """The marks and the outbox of a store, besides its events."""

    __slots__ = ("_deliveries", "_known", "_outcomes", "_outstanding", "_rejections", "commands", "marks")

    def __init__(self, base: Any, position: int | None) -> None:
        marks, head = base.marks()
        super().__init__(base, head if position is None else position)
        # A mark behind the last event, which the history lacks, is left for the kernel to refuse.
        self.marks = {name: mark for name, mark in marks.items() if not self.position < mark <= head}
        self._deliveries = {(name, 0): self._read_deliveries(name, 0) for name in self.marks}
        self._rejections: dict[str, KeptRejections] = {}
        for name in self.marks if has(base, "rejections") else ():
            with suppress(UnknownName):  # whoever needs the class gives it
                self.rejections(lambda _: None, name)
        self._known: dict[str, int | None] = {}  # the depths of commands, None for those that are not there
        self._outcomes: dict[str, Outcome | None] = {}
        self._outstanding: dict[tuple[str, ...], tuple[Pending, ...]] = {}
        self.commands: dict[str, Pending] = {}  # those that were outstanding, as far as they were read

    def deliveries(self, name: str, after: int) -> Sequence[Delivery]:
        """What instances of a process manager were handed up to its mark."""
        if name not in self.marks:
            return ()
        if (name, after) not in self._deliveries:
            self._deliveries[name, after] = self._read_deliveries(name, after)
        return self._deliveries[name, after]

    def rejections(self, find: Callable[[str], type | None], name: str) -> KeptRejections:
        """The rejections that instances of a process manager took in."""
        if name not in self.marks:
            return KeptRejections(0)
        if name not in self._rejections:
            self._rejections[name] = self.base.rejections(find, name)
        return self._rejections[name]

    def last_rejection(self, name: str) -> int:
        """The number of the last of these."""
        return self._rejections[name].number if name in self._rejections else 0

    def outcome_of(self, command_id: str) -> Outcome | None:
        """What a command came to."""
        if command_id not in self._outcomes:
            self._outcomes[command_id] = self.base.outcome_of(command_id)
        return self._outcomes[command_id]

    def outstanding(self, find: Callable[[str], type | None], senders: Sequence[str]) -> tuple[Pending, ...]:
        """The commands that answer events up to the position and are not settled."""
        key = tuple(senders)
        if key not in self._outstanding:
            found = self.base.outstanding(find, senders)
            self._outstanding[key] = tuple([
                each for each in found if each.cause is None or each.cause.position <= self.position
            ])  # fmt: skip
            self._outcomes |= dict.fromkeys([each.command_id for each in found])
            self.commands |= {each.command_id: each for each in found}
        return self._outstanding[key]

    def depths(self, command_ids: Sequence[str]) -> dict[str, int]:
        """How many commands stand above each of these that the outbox has."""
        unread = [id_ for id_ in command_ids if id_ not in self._known]
        if unread:
            self._known |= {**dict.fromkeys(unread), **self.base.depths(unread)}
        known = [(id_, self._known[id_]) for id_ in command_ids]
        return {id_: depth for id_, depth in known if depth is not None}

    def events_at(self, positions: Sequence[int]) -> Iterator[RecordedEvent]:
        """The events at these positions."""
        kept = self._kept.get(ALL)
        if kept is None or kept.start != 1:
            yield from self.base.events_at(positions)
            return
        wanted = set(positions)
        yield from [event for event in kept.events if event.position in wanted]

    def read_outbox(self) -> None:
        """Read the whole outbox at once."""
        self._known, self._outcomes = _Nothing(), _Nothing()
        for entry in self.base.outbox:
            self._known[entry.command_id] = entry.depth
            if entry.outcome is not None:
                self._outcomes[entry.command_id] = Outcome(entry.outcome, entry.reason or "")

    def _read_deliveries(self, name: str, after: int) -> Sequence[Delivery]:
        mark = self.marks[name]
        return [each for each in self.base.deliveries(name, after) if each.position <= mark]


class _Nothing(dict[str, Any]):
    """What was read whole: what is not in it is not there."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None


def _checked(position: int | None, head: int) -> int:
    """The position, after a check that the store has come that far; by default that of the last event."""
    if position is None:
        return head
    try:
        position = a_whole_number("position", position)
    except InvalidValue as error:
        works = f"a whole number from 0 (before the first event) to {head}"
        raise wrong("position", position, works) from error
    if position > head:
        raise OutOfRange(
            f"position={position}: the last event of the store is at position {head}; give "
            "a position up to that"
        )
    return position


def _append_all(store: Any, own: Sequence[RecordedEvent], along: OutboxChanges | None) -> Commit:
    """Write the events to a store that is not a value, in one transaction."""
    if not own and along is None:
        return Commit((), store)
    if not has(store, "append_all"):
        raise InvalidValue(
            f"{repr_of(store)} cannot be committed to: it has no append_all(entries, expected_versions=...), "
            "which writes to several streams at once or not at all; a SQLEventStore has it"
        )
    try:
        more = {} if along is None else {"along": along}
        recorded = store.append_all(_entries(own), expected_versions=_expected_versions(own), **more)
    except CommitConflict:
        recorded = _written_before(store, own)
        if not (recorded if own else _came_to(store, along)):
            raise
    return Commit(tuple(recorded), store)


def _append_each(store: Any, own: Sequence[RecordedEvent], along: OutboxChanges | None) -> Commit:
    """Append the events to a store that is a value; the old one stays as it was, so all come at once too."""
    moved = {
        stream_id: (expected, store.version(stream_id))
        for stream_id, expected in _expected_versions(own).items()
        if store.version(stream_id) != expected
    }
    if moved:
        raise CommitConflict(moved)
    head = store.version(ALL)
    for stream_id, proposed in _entries(own):
        store = store.append(stream_id, [proposed])
    recorded = tuple(store.stream(ALL, start_version=head + 1))
    return Commit(recorded, store if along is None else store._with_along(along, head))


def _came_to(store: Any, along: OutboxChanges | None) -> bool:
    """Whether an earlier commit without events, whose outcome was unknown, has written all this."""
    if along is None:
        return False
    marks, _ = store.marks()
    sent = [pending.command_id for pending, _, _ in along.sent]
    outcomes = [(pending, outcome) for pending, outcome in along.settled]
    outcomes += [(pending, outcome) for pending, _, outcome in along.sent if outcome is not None]
    return (
        all([marks.get(move.name) == move.upto for move in along.moves])
        and len(store.depths(sent)) == len(sent)
        and all(
            [
                (store.outcome_of(pending.command_id) or (None,))[:2] == outcome[:2]
                for pending, outcome in outcomes
            ]
        )
    )


def _expected_versions(own: Sequence[RecordedEvent]) -> dict[str, int]:
    """The version that each stream must have for the events to follow."""
    expected: dict[str, int] = {}
    for event in own:
        expected.setdefault(event.stream_id, event.stream_version - 1)
    return expected


def _there(store: Any, own: Sequence[RecordedEvent]) -> dict[str, RecordedEvent]:
    """What a store has in the streams of these events, from where they begin, by id."""
    return {
        event.event_id: event
        for stream_id, version in _expected_versions(own).items()
        for event in store.stream(stream_id, start_version=version + 1)
    }


def _written_before(store: Any, own: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The same events, when an earlier commit whose outcome was unknown has written them."""
    there = _there(store, own)
    found = [there.get(event.event_id, event) for event in own]
    same = all(
        here is not event and here.event == event.event for here, event in zip(found, own, strict=True)
    )
    return found if same else []


def _entries(own: Sequence[RecordedEvent]) -> list[tuple[str, ProposedEvent]]:
    """The events with their streams, without the positions and versions that a store gives."""
    return [(event.stream_id, proposed_again(event)) for event in own]

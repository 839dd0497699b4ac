"""Aggregates in actors: what an actor does with them, what callers share, and the store on top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock, local
from typing import Any, NamedTuple
from weakref import WeakSet

from calamity_lab.errors import CalamityError
from calamity_lab.kernel import ask
from calamity_lab.kernel.folding import what_it_takes
from calamity_lab.kernel.identity import Identity, stream_id_of
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore
from calamity_lab.kernel.protocols import BACKWARDS
from calamity_lab.kernel.second_arguments import Context
from calamity_lab.stores.actors.protocol import (
    NO_NEW_EVENTS,
    PAUSES,
    Behind,
    CatchUpResult,
    Decided,
    NewEvents,
    OverActors,
    Read,
    RecentValues,
    References,
    gave_up,
)

# For how many aggregates the callers remember the last answer and the events to send with the next call.
KEPT = 1_000


class AggregatesInActor:
    """The aggregates that an actor holds: their recorded events and nothing else, so nothing is ever undone.

    A command is decided and the decision returned, but its events are applied only when they are recorded:
    then they come with a later call, as new events. Every caller says up to which version it knows events to
    be recorded. Where the actor has not seen them, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._aggregates = InMemoryAggregateStore()
        self._versions: dict[str, int] = {}

    def read(self, identity: Identity, known: int, new_events: NewEvents) -> Read | Behind | CatchUpResult:
        """The aggregate's state and version."""
        caught_up = self.catch_up(identity, *new_events)
        if caught_up.error is not None:
            return caught_up
        version = caught_up.upto
        return Behind(version) if version < known else Read(self._aggregates.get(identity.stream_id), version)

    def decide(
        self,
        identity: Identity,
        command: Any,
        context: Context | None,
        known: int,
        new_events: NewEvents,
    ) -> Decided | Behind | CatchUpResult:
        """What the command leads to. The aggregate stays as it is."""
        there = self.read(identity, known, new_events)
        if not isinstance(there, Read):
            return there
        try:
            events, after = self._aggregates.dispatch(command, context)
        except CalamityError as error:
            return Decided((), there.state, there.upto, error)
        return Decided(events, after.get(identity.stream_id) if events else there.state, there.upto)

    def catch_up(self, identity: Identity, after: int, events: Sequence[Any], upto: int) -> CatchUpResult:
        """Apply the recorded events behind one version, up to another. Events seen before are skipped.

        Where earlier events are missing nothing changes, and the answer says how far the aggregate has come.
        Nor does anything change where some events were seen before and others were deleted from the stream:
        then it is not known which are new.
        """
        stream_id = identity.stream_id
        version = self._versions.get(stream_id, 0)
        is_whole = len(events) == upto - after
        if after <= version < upto and (is_whole or version == after):
            try:
                self._aggregates = self._aggregates.apply(identity, events[version - after :])
            except CalamityError as error:
                return CatchUpResult(version, error)
            version = self._versions[stream_id] = upto
        return CatchUpResult(version)

    def put(self, identity: Identity, state: Any, version: int) -> None:
        """Begin with a state that was given, instead of with events."""
        self._aggregates = self._aggregates.insert(identity.stream_id, state)
        self._versions[identity.stream_id] = version

    def forget(self, identity: Identity) -> None:
        """Remove the aggregate. The next caller finds it behind, and reads its stream."""
        self._aggregates = self._aggregates.forget(identity)
        self._versions.pop(identity.stream_id, None)


class KnownAggregate(NamedTuple):
    """An aggregate that exists, and the version up to which its events are known to be recorded."""

    identity: Identity
    version: int


class Proposal:
    """What a command led to, before its events are recorded: the caller has it, the actor does not."""

    __slots__ = ("__weakref__", "after", "events", "identity", "settled", "version")

    def __init__(self, identity: Identity, decided: Decided) -> None:
        self.identity = identity
        self.version = decided.version
        self.events = decided.events
        self.after = decided.state
        self.settled = False

    @property
    def upto(self) -> int:
        """The version that the events lead to."""
        return self.version + len(self.events)


class LastAnswer(local):
    """What this thread learned last about an aggregate, so that it need not ask twice."""

    stream_id: str | None = None
    version: int = 0
    outcome: Proposal | None = None
    # The aggregate that has just decided without events, and its state then. Whether that decision is final
    # depends on the version that it was made on, so the next read gets that state, once.
    idle: tuple[str, Any] | None = None

    def learn(
        self,
        stream_id: str,
        version: int,
        outcome: Proposal | None = None,
        *,
        idle: tuple[str, Any] | None = None,
    ) -> None:
        """Remember this until the next answer."""
        self.stream_id, self.version, self.outcome, self.idle = stream_id, version, outcome, idle


class SharedAggregates:
    """Aggregates in actors, as all callers share them. What an actor lacks comes from the event store."""

    def __init__(self, references: References, event_store: Any) -> None:
        self.references = references
        self.last_answer = LastAnswer()
        self._event_store = event_store
        self._known: dict[str, KnownAggregate] = {}
        self._answers: RecentValues[Read] = RecentValues(KEPT)
        self._new_events: RecentValues[NewEvents] = RecentValues(KEPT)
        self._unsettled: WeakSet[Proposal] = WeakSet()
        self._lock = Lock()

    def known(self, stream_id: str) -> KnownAggregate | None:
        """The aggregate, or None."""
        return self._known.get(stream_id)

    def recorded(self, stream_id: str) -> int:
        """The version up to which events are known to be recorded."""
        known = self._known.get(stream_id)
        return 0 if known is None else known.version

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def read(self, identity: Identity) -> Read:
        """The aggregate's state and version.

        Recorded events do not change, so the last answer is good for as long as no later version is known.
        """
        stream_id = identity.stream_id
        known, answer = self._known.get(stream_id), self._answers.get(stream_id)
        if answer is None or known is None or answer.upto != known.version:
            answer = self._ask(identity, "read")
            if answer.upto:
                self.advance(identity, answer.upto)
            self._answers.put(stream_id, answer)
        return answer

    def decide(self, identity: Identity, command: Any, context: Context | None = None) -> Decided:
        """What a command leads to at the aggregate."""
        answer: Decided = self._ask(identity, "decide", command, context)
        if not answer.events and identity.stream_id not in self._known:
            self.references.release(identity.stream_id)  # there is no such aggregate yet
        return answer

    def propose(self, identity: Identity, decided: Decided) -> Proposal:
        """Remember what a command led to, until its events are recorded."""
        outcome = Proposal(identity, decided)
        with self._lock:
            self._unsettled.add(outcome)
        return outcome

    def settle(self, outcome: Proposal) -> None:
        """The outcome's events are recorded: the actor gets them with the next call."""
        self.drop(outcome)
        identity, version = outcome.identity, outcome.upto
        if self.recorded(identity.stream_id) <= version:
            self._add_new_events(identity.stream_id, outcome.version, outcome.events)
            self._answers.put(identity.stream_id, Read(outcome.after, version))
            self.advance(identity, version)
        if self.last_answer.outcome is outcome:
            self.last_answer.learn(identity.stream_id, version)

    def drop(self, outcome: Proposal) -> None:
        """Forget the outcome: its events were recorded, or never will be."""
        outcome.settled = True
        with self._lock:
            self._unsettled.discard(outcome)

    def settle_latest(self, identity: Identity, count: int) -> bool:
        """Settle what this thread last decided for the aggregate, unless another outcome may be meant.

        A run may come from another thread, with another outcome. An outcome that was decided on an older
        version than the known one cannot have been recorded.
        """
        outcome, version = self.last_answer.outcome, self.recorded(identity.stream_id)
        if outcome is None or outcome.settled or len(outcome.events) != count:
            return False
        with self._lock:
            meant = [o for o in self._unsettled if o.identity == identity and o.version >= version]
        if meant != [outcome]:
            return False
        self.settle(outcome)
        return True

    def advance(self, identity: Identity, version: int) -> None:
        """Remember that events are recorded up to that version."""
        with self._lock:
            known = self._known.get(identity.stream_id)
            if known is None or known.version < version:
                self._known[identity.stream_id] = KnownAggregate(identity, version)

    def catch_up(self, identity: Identity, after: int, events: tuple[Any, ...]) -> int:
        """Send recorded events, the first of which comes after that version; the version then reached."""
        stream_id, upto = identity.stream_id, after + len(events)
        last = next(iter(self._event_store.stream(stream_id, direction=BACKWARDS)), None)
        if last is None or last.stream_version <= upto:
            self._add_new_events(stream_id, after, events)
            self.advance(identity, upto)
        else:  # more were recorded, or some were deleted: their number does not tell the version
            self.advance(identity, self._load(identity, after))
        return self.read(identity).upto

    def put(self, identity: Identity, state: Any, version: int) -> None:
        """Begin with a state that was given, instead of with events."""
        self.references.ask(identity.stream_id, "put", identity, state, version)
        self.advance(identity, version)

    def forget(self, identity: Identity) -> None:
        """Let the actor remove the aggregate."""
        self._answers.pop(identity.stream_id)
        self._new_events.pop(identity.stream_id)
        self.references.tell(identity.stream_id, "forget", identity)

    def _add_new_events(self, stream_id: str, after: int, events: tuple[Any, ...]) -> None:
        """Keep events for the next call. Events that are not kept come from the event store."""
        first, earlier, upto = self._new_events.pop(stream_id) or NO_NEW_EVENTS
        last = after + len(events)
        if earlier and upto == after:
            after, events = first, (*earlier, *events)
        self._new_events.put(stream_id, (after, events, last))

    def _ask(self, identity: Identity, method: str, *given: Any) -> Any:
        """The actor's answer, once the actor has seen all events that are known."""
        stream_id = identity.stream_id
        for _ in PAUSES:
            new_events = self._new_events.pop(stream_id) or NO_NEW_EVENTS
            known = self.recorded(stream_id)
            answer = self.references.ask(stream_id, method, identity, *given, known, new_events)
            if isinstance(answer, CatchUpResult) and answer.error is not None:
                raise answer.error
            if not isinstance(answer, Behind):
                return answer
            self._load(identity, answer.upto)
        raise gave_up(stream_id, method, "events")

    def _load(self, identity: Identity, upto: int) -> int:
        """Send the actor the events that the event store has after a version; the version then reached.

        The event store is right in any case, also where it has fewer events than were known.
        """
        stream_id = identity.stream_id
        for _ in PAUSES:
            known = self._known.get(stream_id)
            stream = self._event_store.stream(stream_id, start_version=upto + 1)
            recorded = list(stream)
            last = recorded[-1].stream_version if recorded else upto
            events = tuple(what_it_takes(identity.type, recorded))
            answer: CatchUpResult = self.references.ask(stream_id, "catch_up", identity, upto, events, last)
            if answer.error is not None:
                raise answer.error
            if answer.upto >= upto:
                self._correct(stream_id, known, answer.upto)
                return answer.upto
            upto = answer.upto  # a new actor has taken its place
        raise gave_up(stream_id, "catch up", "events")

    def _correct(self, stream_id: str, known: KnownAggregate | None, version: int) -> None:
        """Fewer events are recorded than were known, unless another caller has learned of more."""
        with self._lock:
            if known is not None and known.version > version and self._known.get(stream_id) is known:
                if version:
                    self._known[stream_id] = KnownAggregate(known.identity, version)
                else:
                    del self._known[stream_id]


class ActorAggregateStore(OverActors):
    """Aggregates in actors, as a stack's store. Any number of stacks and threads may share them.

    The store that `dispatch` returns has the outcome of the command; no actor has it before its events are
    recorded. The next call on that store means that they are. The kernel counts the version up right after
    the append, which means the same.
    """

    __slots__ = ("_forgotten", "_outcome")

    _noun = "aggregate"

    def __init__(
        self,
        shared: SharedAggregates,
        outcome: Proposal | None = None,
        forgotten: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(shared)
        self._outcome = outcome
        self._forgotten = forgotten

    def dispatch(
        self, command: Any, context: Context | None = None
    ) -> tuple[tuple[Any, ...], ActorAggregateStore]:
        """The events that the command leads to, and the store with them applied."""
        self._settle()
        identity = ask.target(command)
        decided = self._shared.decide(identity, command, context)
        if not decided.events:
            stream_id = identity.stream_id
            self._shared.last_answer.learn(stream_id, decided.version, idle=(stream_id, decided.state))
            if decided.error is not None:
                raise decided.error
            return (), self
        outcome = self._shared.propose(identity, decided)
        self._shared.last_answer.learn(identity.stream_id, decided.version, outcome)
        return decided.events, ActorAggregateStore(
            self._shared, outcome, self._forgotten - {identity.stream_id}
        )

    def apply(self, identity: Identity, events: Iterable[Any]) -> ActorAggregateStore:
        """The store with events applied that somebody else recorded: those that its actor has not seen."""
        self._settle()
        last_answer, stream_id = self._shared.last_answer, identity.stream_id
        if last_answer.stream_id != stream_id:
            self.get(identity)
        version = self._shared.catch_up(identity, last_answer.version, tuple(events))
        last_answer.learn(stream_id, version)
        return ActorAggregateStore(self._shared, None, self._forgotten - {stream_id})

    def forget(self, identity: Identity) -> ActorAggregateStore:
        """The store without that aggregate. For all callers it begins again from its stream."""
        outcome = self._outcome
        if outcome is not None and outcome.identity == identity:
            self._shared.drop(outcome)
        else:
            self._settle()
        self._shared.forget(identity)
        self._shared.last_answer.learn(identity.stream_id, 0)
        return ActorAggregateStore(self._shared, None, self._forgotten | {identity.stream_id})

    def get(self, key: Any, default: Any = None) -> Any:
        """The aggregate with that stream id or `Identity`, or the default."""
        stream_id, outcome = stream_id_of(key), self._outcome
        if outcome is not None and outcome.identity.stream_id == stream_id and self._is_latest(outcome):
            return outcome.after
        state = self._read(stream_id)
        return default if state is None else state

    def __iter__(self) -> Iterator[str]:
        return (stream_id for stream_id in self._shared if stream_id not in self._forgotten)

    def _is_latest(self, outcome: Proposal) -> bool:
        """Whether nothing later is known about the aggregate than what was decided here."""
        if outcome.settled:
            return False
        just_decided = self._shared.last_answer.outcome is outcome
        return just_decided or self._shared.recorded(outcome.identity.stream_id) < outcome.upto

    def _read(self, stream_id: str) -> Any:
        last_answer = self._shared.last_answer
        if last_answer.idle is not None and last_answer.idle[0] == stream_id:
            state, last_answer.idle = last_answer.idle[1], None
            return state
        known = self._shared.known(stream_id)
        if known is None or stream_id in self._forgotten:
            last_answer.learn(stream_id, 0)
            return None
        state, version = self._shared.read(known.identity)
        last_answer.learn(stream_id, version)
        return state

    def _settle(self) -> None:
        outcome = self._outcome
        if outcome is not None and not outcome.settled:
            self._shared.settle(outcome)


class ActorVersionStore(OverActors):
    """The versions of aggregates in actors: how many of their events are known to be recorded."""

    __slots__ = ()

    _noun = "version"

    def increment_version(self, identity: Identity, count: int) -> ActorVersionStore:
        """The store with that version ``count`` higher: that many events were recorded.

        The kernel lowers a version when it forgets an aggregate; the actors need not know of that.
        """
        if count > 0 and not self._shared.settle_latest(identity, count):
            self._shared.advance(identity, self.get(identity, 0) + count)
            self._shared.last_answer.learn("", 0)
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default.

        In a thread that has just read the aggregate, it is the version that was read.
        """
        stream_id, last_answer = stream_id_of(key), self._shared.last_answer
        if last_answer.stream_id == stream_id:
            return last_answer.version or default
        return self._shared.recorded(stream_id) or default

    def __getitem__(self, key: Any) -> int:
        version: int = self._shared.recorded(stream_id_of(key))
        if not version:
            raise KeyError(key)
        return version

    def __iter__(self) -> Iterator[str]:
        return (stream_id for stream_id in self._shared if self._shared.recorded(stream_id))

"""Aggregates in actors: what an actor does with them, what callers share, and the store on top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock, local
from typing import Any, NamedTuple
from weakref import WeakSet

from calamity_lab.errors import CalamityError, StoreUnavailable
from calamity_lab.kernel import ask
from calamity_lab.kernel.identity import Identity, stream_id_of
from calamity_lab.kernel.stores import InMemoryAggregateStore
from calamity_lab.stores.actors.protocol import (
    NO_NEWS,
    PAUSES,
    Behind,
    CaughtUp,
    Decided,
    Latest,
    News,
    Read,
    References,
)

# For so many aggregates is kept what an actor has told, and what it is to be told.
KEPT = 1_000


class HeldAggregates:
    """Aggregates as their streams tell them: nothing else ever gets in, so that nothing need be taken back.

    A command is decided and its outcome told, but taken in only when the events are recorded: then they come
    as the news of a later call. Every caller says which version it knows to be recorded; where that is still
    newer than what is here, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._aggregates = InMemoryAggregateStore()
        self._versions: dict[str, int] = {}

    def read(self, identity: Identity, known: int, news: News) -> Read | Behind | CaughtUp:
        """The aggregate's state and version."""
        caught_up = self.catch_up(identity, *news)
        if caught_up.error is not None:
            return caught_up
        version = caught_up.upto
        return Behind(version) if version < known else Read(self._aggregates.get(identity.stream_id), version)

    def decide(self, identity: Identity, command: Any, known: int, news: News) -> Decided | Behind | CaughtUp:
        """What the command leads to; nothing of it is taken in."""
        there = self.read(identity, known, news)
        if not isinstance(there, Read):
            return there
        try:
            events, after = self._aggregates.dispatch(command)
        except CalamityError as error:
            return Decided((), there.state, there.upto, error)
        return Decided(events, after.get(identity.stream_id) if events else there.state, there.upto)

    def catch_up(self, identity: Identity, after: int, events: Sequence[Any]) -> CaughtUp:
        """Take in recorded events, the first of which stands after that version; those seen are no news.

        Where events before them are missing nothing changes, and the answer tells up to where all is known.
        """
        stream_id = identity.stream_id
        version = self._versions.get(stream_id, 0)
        unseen = events[version - after :] if version >= after else ()
        if unseen:
            try:
                self._aggregates = self._aggregates.apply(identity, unseen)
            except CalamityError as error:
                return CaughtUp(version, error)
            version = self._versions[stream_id] = after + len(events)
        return CaughtUp(version)

    def put(self, identity: Identity, state: Any, version: int) -> None:
        """Begin with a state that was given, and not told by events."""
        self._aggregates = self._aggregates.insert(identity.stream_id, state)
        self._versions[identity.stream_id] = version

    def forget(self, identity: Identity) -> None:
        """Begin again from nothing: who asks next finds it behind, and its stream is read."""
        self._aggregates = self._aggregates.forget(identity)
        self._versions.pop(identity.stream_id, None)


class Known(NamedTuple):
    """An aggregate that there is, and the version up to which its events are known to be recorded."""

    identity: Identity
    version: int


class Outcome:
    """What a command led to, on its way to the event store: in the hands of the caller, in no actor."""

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


class Lately(local):
    """What this thread learned last of an aggregate, so that it need not ask twice."""

    stream_id: str | None = None
    version: int = 0
    outcome: Outcome | None = None
    # The aggregate that has just decided nothing, and its state then: whether that decision is final depends
    # on the version that it was made on, so for once that is what there is to read.
    idle: tuple[str, Any] | None = None

    def learn(
        self,
        stream_id: str,
        version: int,
        outcome: Outcome | None = None,
        *,
        idle: tuple[str, Any] | None = None,
    ) -> None:
        """Keep it until the next."""
        self.stream_id, self.version, self.outcome, self.idle = stream_id, version, outcome, idle


class Aggregates:
    """Aggregates in actors, which are told from the event store whatever they do not know."""

    def __init__(self, references: References, event_store: Any) -> None:
        self.references = references
        self.lately = Lately()
        self._event_store = event_store
        self._known: dict[str, Known] = {}
        self._told: Latest[Read] = Latest(KEPT)
        self._news: Latest[News] = Latest(KEPT)
        self._unsettled: WeakSet[Outcome] = WeakSet()
        self._lock = Lock()

    def known(self, stream_id: str) -> Known | None:
        """The aggregate, where there is one."""
        return self._known.get(stream_id)

    def recorded(self, stream_id: str) -> int:
        """The version up to which events are known to be recorded."""
        known = self._known.get(stream_id)
        return 0 if known is None else known.version

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def read(self, identity: Identity) -> Read:
        """The aggregate's state and version.

        What is recorded does not change, so an actor is not asked again for a state that it has told and
        that is still the latest known.
        """
        stream_id = identity.stream_id
        known, told = self._known.get(stream_id), self._told.get(stream_id)
        if told is None or known is None or told.upto != known.version:
            told = self._ask(identity, "read")
            if told.upto:
                self.advance(identity, told.upto)
            self._told.put(stream_id, told)
        return told

    def decide(self, identity: Identity, command: Any) -> Decided:
        """What a command leads to at the aggregate."""
        answer: Decided = self._ask(identity, "decide", command)
        if not answer.events and identity.stream_id not in self._known:
            self.references.let_go(identity.stream_id)  # nothing has come of it yet
        return answer

    def propose(self, identity: Identity, decided: Decided) -> Outcome:
        """What a command led to, to be settled when its events are recorded."""
        outcome = Outcome(identity, decided)
        with self._lock:
            self._unsettled.add(outcome)
        return outcome

    def settle(self, outcome: Outcome) -> None:
        """The outcome's events are recorded: its actor is told with the next call."""
        self.drop(outcome)
        identity, version = outcome.identity, outcome.upto
        if self.recorded(identity.stream_id) <= version:
            self._add_news(identity.stream_id, outcome.version, outcome.events)
            self._told.put(identity.stream_id, Read(outcome.after, version))
            self.advance(identity, version)
        if self.lately.outcome is outcome:
            self.lately.learn(identity.stream_id, version)

    def drop(self, outcome: Outcome) -> None:
        """The outcome is no longer on its way: its events were recorded, or never will be."""
        outcome.settled = True
        with self._lock:
            self._unsettled.discard(outcome)

    def settle_own(self, identity: Identity, count: int) -> bool:
        """Settle what this thread last decided for the aggregate, if it is clear that nothing else is meant.

        A run may have come here from another thread, with another outcome. Those that were decided on less
        than is known cannot have been recorded.
        """
        outcome, version = self.lately.outcome, self.recorded(identity.stream_id)
        if outcome is None or outcome.settled or len(outcome.events) != count:
            return False
        with self._lock:
            meant = [o for o in self._unsettled if o.identity == identity and o.version >= version]
        if meant != [outcome]:
            return False
        self.settle(outcome)
        return True

    def advance(self, identity: Identity, version: int) -> None:
        """It is known that events are recorded up to that version."""
        with self._lock:
            known = self._known.get(identity.stream_id)
            if known is None or known.version < version:
                self._known[identity.stream_id] = Known(identity, version)

    def catch_up(self, identity: Identity, after: int, events: tuple[Any, ...]) -> int:
        """Tell the actor recorded events, the first of which stands after that version: its version then."""
        self._add_news(identity.stream_id, after, events)
        self.advance(identity, after + len(events))
        return self.read(identity).upto

    def put(self, identity: Identity, state: Any, version: int) -> None:
        """Begin with a state that was given, and not told by events."""
        self.references.ask(identity.stream_id, "put", identity, state, version)
        self.advance(identity, version)

    def forget(self, identity: Identity) -> None:
        """Let the actor begin again from nothing."""
        self._told.pop(identity.stream_id)
        self._news.pop(identity.stream_id)
        self.references.tell(identity.stream_id, "forget", identity)

    def _add_news(self, stream_id: str, after: int, events: tuple[Any, ...]) -> None:
        """Keep events for the next call. What is not kept is missed there, and told from the event store."""
        first, earlier = self._news.pop(stream_id) or NO_NEWS
        if earlier and first + len(earlier) == after:
            after, events = first, (*earlier, *events)
        self._news.put(stream_id, (after, events))

    def _ask(self, identity: Identity, method: str, *given: Any) -> Any:
        """The actor's answer, once it is up to what is known."""
        stream_id = identity.stream_id
        for _ in PAUSES:
            news = self._news.pop(stream_id) or NO_NEWS
            known = self.recorded(stream_id)
            answer = self.references.ask(stream_id, method, identity, *given, known, news)
            if isinstance(answer, CaughtUp) and answer.error is not None:
                raise answer.error
            if not isinstance(answer, Behind):
                return answer
            self._load(identity, answer.upto)
        raise self._given_up(stream_id, method)

    def _load(self, identity: Identity, upto: int) -> None:
        """Tell the actor what the event store has beyond a version.

        The event store is right in any case, also where less was recorded than was known.
        """
        stream_id = identity.stream_id
        for _ in PAUSES:
            known = self._known.get(stream_id)
            stream = self._event_store.stream(stream_id, start_version=upto + 1)
            events = tuple([recorded.event for recorded in stream])
            answer: CaughtUp = self.references.ask(stream_id, "catch_up", identity, upto, events)
            if answer.error is not None:
                raise answer.error
            if answer.upto >= upto:
                return self._correct(stream_id, known, answer.upto)
            upto = answer.upto  # it was started anew
        raise self._given_up(stream_id, "catch up")

    def _correct(self, stream_id: str, known: Known | None, version: int) -> None:
        """Less is recorded than was known, unless more was learned meanwhile."""
        with self._lock:
            if known is not None and known.version > version and self._known.get(stream_id) is known:
                if version:
                    self._known[stream_id] = Known(known.identity, version)
                else:
                    del self._known[stream_id]

    def _given_up(self, stream_id: str, method: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{stream_id} could not be asked to {method}: its actor died each time that it had been told "
            "its events; the same call may work later"
        )


class ActorAggregateStore(Mapping[str, Any]):
    """Aggregates in actors. Any number of stacks and threads may share them.

    The store that `dispatch` returns has the outcome of the command in hand; no actor has it before it is
    recorded. Whoever goes on with that store says so; the kernel does after the append, and counts the
    version up, which says so at once.
    """

    __slots__ = ("_forgotten", "_outcome", "_shared")

    def __init__(
        self, shared: Aggregates, outcome: Outcome | None = None, forgotten: frozenset[str] = frozenset()
    ) -> None:
        self._shared = shared
        self._outcome = outcome
        self._forgotten = forgotten

    @property
    def shared(self) -> Aggregates:
        """What all stores over the same actors share."""
        return self._shared

    def dispatch(self, command: Any) -> tuple[tuple[Any, ...], ActorAggregateStore]:
        """The events that the command leads to, and the store with them applied."""
        self._settle()
        identity = ask.target(command)
        decided = self._shared.decide(identity, command)
        if not decided.events:
            stream_id = identity.stream_id
            self._shared.lately.learn(stream_id, decided.version, idle=(stream_id, decided.state))
            if decided.error is not None:
                raise decided.error
            return (), self
        outcome = self._shared.propose(identity, decided)
        self._shared.lately.learn(identity.stream_id, decided.version, outcome)
        return decided.events, ActorAggregateStore(
            self._shared, outcome, self._forgotten - {identity.stream_id}
        )

    def apply(self, identity: Identity, events: Iterable[Any]) -> ActorAggregateStore:
        """The store with events applied that were recorded elsewhere: those that its actor has not seen."""
        self._settle()
        lately, stream_id = self._shared.lately, identity.stream_id
        if lately.stream_id != stream_id:
            self.get(identity)
        version = self._shared.catch_up(identity, lately.version, tuple(events))
        lately.learn(stream_id, version)
        return ActorAggregateStore(self._shared, None, self._forgotten - {stream_id})

    def forget(self, identity: Identity) -> ActorAggregateStore:
        """The store without that aggregate, which begins again from its stream for all others too."""
        outcome = self._outcome
        if outcome is not None and outcome.identity == identity:
            self._shared.drop(outcome)
        else:
            self._settle()
        self._shared.forget(identity)
        self._shared.lately.learn(identity.stream_id, 0)
        return ActorAggregateStore(self._shared, None, self._forgotten | {identity.stream_id})

    def get(self, key: Any, default: Any = None) -> Any:
        """The aggregate with that stream id or `Identity`, or the default."""
        stream_id, outcome = stream_id_of(key), self._outcome
        if outcome is not None and outcome.identity.stream_id == stream_id and self._is_latest(outcome):
            return outcome.after
        state = self._read(stream_id)
        return default if state is None else state

    def __getitem__(self, key: Any) -> Any:
        state = self.get(key)
        if state is None:
            raise KeyError(key)
        return state

    def __iter__(self) -> Iterator[str]:
        return (stream_id for stream_id in self._shared if stream_id not in self._forgotten)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} aggregates)"

    def _is_latest(self, outcome: Outcome) -> bool:
        """Whether nothing later is known of the aggregate than what was decided here."""
        if outcome.settled:
            return False
        just_decided = self._shared.lately.outcome is outcome
        return just_decided or self._shared.recorded(outcome.identity.stream_id) < outcome.upto

    def _read(self, stream_id: str) -> Any:
        lately = self._shared.lately
        if lately.idle is not None and lately.idle[0] == stream_id:
            state, lately.idle = lately.idle[1], None
            return state
        known = self._shared.known(stream_id)
        if known is None or stream_id in self._forgotten:
            lately.learn(stream_id, 0)
            return None
        state, version = self._shared.read(known.identity)
        lately.learn(stream_id, version)
        return state

    def _settle(self) -> None:
        outcome = self._outcome
        if outcome is not None and not outcome.settled:
            self._shared.settle(outcome)


class ActorVersionStore(Mapping[str, int]):
    """The versions of aggregates that live in actors: how many of their events are known to be recorded."""

    __slots__ = ("_shared",)

    def __init__(self, shared: Aggregates) -> None:
        self._shared = shared

    def increment_version(self, identity: Identity, count: int) -> ActorVersionStore:
        """The store with that version ``count`` higher: so many events were recorded, and the actor is told.

        The kernel takes a version back when it forgets an aggregate; that needs no telling here.
        """
        if count > 0 and not self._shared.settle_own(identity, count):
            self._shared.advance(identity, self.get(identity, 0) + count)
            self._shared.lately.learn("", 0)
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default.

        In a thread that has just been told of the aggregate it is the version that it was told of.
        """
        stream_id, lately = stream_id_of(key), self._shared.lately
        if lately.stream_id == stream_id:
            return lately.version or default
        return self._shared.recorded(stream_id) or default

    def __getitem__(self, key: Any) -> int:
        version = self._shared.recorded(stream_id_of(key))
        if not version:
            raise KeyError(key)
        return version

    def __iter__(self) -> Iterator[str]:
        return (stream_id for stream_id in self._shared if self._shared.recorded(stream_id))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} versions)"

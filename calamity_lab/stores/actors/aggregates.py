"""Aggregates in actors: what all who dispatch to them share."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock, local
from typing import Any, NamedTuple
from weakref import WeakSet

from calamity_lab.errors import StoreUnavailable
from calamity_lab.kernel.identity import Identity
from calamity_lab.stores.actors.answers import NO_NEWS, Behind, CaughtUp, Decided, News, Read
from calamity_lab.stores.actors.latest import Latest
from calamity_lab.stores.actors.references import PAUSES, References

# For so many aggregates is kept what an actor has told, and what it is to be told.
KEPT = 1_000


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

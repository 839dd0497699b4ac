"""Aggregates that live in actors, as the stores that a stack asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from calamity_lab.kernel import callbacks
from calamity_lab.kernel.identity import Identity, stream_id_of
from calamity_lab.stores.actors.aggregates import Aggregates, Outcome


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
        identity = callbacks.target(command)
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

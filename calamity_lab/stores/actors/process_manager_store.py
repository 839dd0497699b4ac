"""Process manager instances that live in actors, as the stores that a stack asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import local
from typing import Any, NamedTuple

from calamity_lab.kernel import callbacks
from calamity_lab.kernel.identity import Identity, identify, stream_id_of
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stores import Reaction
from calamity_lab.stores.actors.answers import Reacted
from calamity_lab.stores.actors.instances import Instances, reaction


class _Told(NamedTuple):
    """What this thread was told last: before it by one store, and after it by the next."""

    stream_id: str
    position: int
    before: tuple[ActorProcessManagerStore | None, Any]
    after: tuple[ActorProcessManagerStore, Any]


class _Lately(local):
    told: _Told | None = None


class ActorProcessManagerStore(Mapping[str, Any]):
    """Process manager instances in actors. Any number of stacks and threads may share them."""

    __slots__ = ("_lately", "_shared")

    def __init__(self, shared: Instances, lately: _Lately | None = None) -> None:
        self._shared = shared
        self._lately = lately or _Lately()

    @property
    def shared(self) -> Instances:
        """What all stores over the same actors share."""
        return self._shared

    def handle_event(
        self, recorded_event: RecordedEvent, process_manager_types: Iterable[type]
    ) -> tuple[tuple[Reaction, ...], ActorProcessManagerStore]:
        """The reactions of the types that are interested, in order, and the store after them."""
        reactions, store = [], self
        for manager in process_manager_types:
            interest = callbacks.interested(manager, recorded_event.event)
            if interest is not None:
                answer = self._shared.hand(manager, interest, recorded_event)
                stream_id = identify(manager, interest.id).stream_id
                store = store._told(stream_id, recorded_event.position, answer)
                reactions.append(reaction(manager, interest, answer))
        return tuple(reactions), store

    def get(self, key: Any, default: Any = None) -> Any:
        """The instance with that stream id or `Identity`, or the default."""
        stream_id = stream_id_of(key)
        known, state = self._just_told(stream_id)
        if not known:
            state = self._shared.read(stream_id)
        return default if state is None else state

    def __getitem__(self, key: Any) -> Any:
        state = self.get(key)
        if state is None:
            raise KeyError(key)
        return state

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def __len__(self) -> int:
        return len(self._shared)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} instances)"

    def _told(self, stream_id: str, position: int, answer: Reacted) -> ActorProcessManagerStore:
        after = ActorProcessManagerStore(self._shared, self._lately)
        self._lately.told = _Told(stream_id, position, (self, answer.before), (after, answer.after))
        return after

    def _just_told(self, stream_id: str) -> tuple[bool, Any]:
        """Whether this very store has just told that instance's state, and the state: for the step to show.

        An actor knows only how its instance is now; what it was before is what it answered.
        """
        told = self._lately.told
        if told is None or told.stream_id != stream_id:
            return False, None
        store, state = told.before
        if store is self:
            self._lately.told = told._replace(
                before=(None, None)
            )  # that was for the step; now it has changed
            return True, state
        store, state = told.after
        living = self._shared.living(stream_id)
        return store is self and (living is None or living.last == told.position), state


class ActorInstanceVersions(Mapping[str, int]):
    """The versions of process manager instances in actors, counted where events are taken in."""

    __slots__ = ("_shared",)

    def __init__(self, shared: Instances) -> None:
        self._shared = shared

    def increment_version(self, identity: Identity, count: int) -> ActorInstanceVersions:
        """The same store: it has counted already, once, however many handed the event on."""
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default."""
        return self._shared.versions.get(stream_id_of(key), default)

    def __getitem__(self, key: Any) -> int:
        return self._shared.versions[stream_id_of(key)]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._shared.versions))

    def __len__(self) -> int:
        return len(self._shared.versions)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} versions)"

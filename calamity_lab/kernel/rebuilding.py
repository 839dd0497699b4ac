"""States folded from a history as it goes by, from snapshots where these can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints
from uuid import UUID

from calamity_lab.errors import InvalidModel
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import Start, Stop
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.snapshots import Snapshot, SnapshotStore


class Aggregates:
    """The aggregates of some types, as far as the history went by: states and versions by stream id."""

    def __init__(
        self, event_store: Any, types: Iterable[type], snapshots: SnapshotStore | None = None
    ) -> None:
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._types = {cls.__name__: cls for cls in _classes(types)}
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}

    def take(self, recorded: RecordedEvent) -> None:
        """Let the event change the aggregate of its stream."""
        stream_id = recorded.stream_id
        state = self.states.get(stream_id)
        if state is None:
            cls = self._types.get(stream_id.partition("-")[0])
            if cls is None:
                return
            state = self._first(stream_id, cls)
        if recorded.stream_version > self._ahead.get(stream_id, 0):
            self.states[stream_id] = callbacks.fold(state, (recorded.event,))
            self.versions[stream_id] = recorded.stream_version

    def take_stream(self, stream_id: str) -> None:
        """Let a whole stream change its aggregate; with a snapshot, only what came after that is read."""
        cls = self._types.get(stream_id.partition("-")[0])
        if cls is None:
            return
        snapshot = self._snapshot(stream_id, cls)
        later = None if snapshot is None else self._since(snapshot)
        if snapshot is not None and later is not None:
            self._begin(snapshot)
        for recorded in self._event_store.stream(stream_id) if later is None else later:
            self.take(recorded)

    def _first(self, stream_id: str, cls: type) -> Any:
        """The state to begin with: that of a snapshot which the events bear out, or a new one."""
        snapshot = self._snapshot(stream_id, cls)
        if snapshot is not None and self._since(snapshot) is not None:
            return self._begin(snapshot)
        return callbacks.new(cls, id_of(cls, stream_id))

    def _snapshot(self, stream_id: str, cls: type) -> Snapshot | None:
        return None if self._snapshots is None else self._snapshots.get(stream_id, cls)

    def _begin(self, snapshot: Snapshot) -> Any:
        stream_id = snapshot.stream_id
        self._ahead[stream_id] = self.versions[stream_id] = snapshot.version
        self.states[stream_id] = snapshot.state
        return snapshot.state

    def _since(self, snapshot: Snapshot) -> Iterator[RecordedEvent] | None:
        """The events after a snapshot; None where the one before them is not that which it tells."""
        version = snapshot.version
        events = iter(self._event_store.stream(snapshot.stream_id, start_version=version))
        last = next(events, None)
        found = None if last is None else (last.stream_version, last.event_id)
        return events if found == (version, snapshot.event_id) else None


class Instances:
    """The process manager instances, as far as the history went by: states and versions by stream id."""

    def __init__(
        self, event_store: Any, types: Iterable[type], snapshots: SnapshotStore | None = None
    ) -> None:
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._types = tuple(types)
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}
        self._marks: dict[int, RecordedEvent | None] = {}

    @property
    def furthest(self) -> int:
        """Up to which position the snapshots that are used have seen the history; 0 where none is."""
        return max(self._ahead.values(), default=0)

    def take(self, recorded: RecordedEvent) -> Iterator[tuple[Identity, tuple[Any, ...]]]:
        """Let the event change every instance that it concerns: each with the commands that it answers."""
        event = recorded.event
        for cls in self._types:
            interest = callbacks.interested(cls, event)
            if interest is None:
                continue
            identity = identify(cls, interest.id)
            stream_id = identity.stream_id
            state = self.states.get(stream_id)
            if state is None:
                if not isinstance(interest, Start):
                    continue
                state = self._first(identity)
            if recorded.position <= self._ahead.get(stream_id, 0):
                continue
            self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
            if isinstance(interest, Stop):
                del self.states[stream_id]
                continue
            state = self.states[stream_id] = callbacks.apply(state, event)
            commands = callbacks.handle(state, event)
            if commands:
                yield identity, commands

    def _first(self, identity: Identity) -> Any:
        stream_id = identity.stream_id
        snapshot = None if self._snapshots is None else self._snapshots.get(stream_id, identity.type)
        if stream_id not in self._ahead and snapshot is not None and self._borne_out(snapshot):
            self._ahead[stream_id], self.versions[stream_id] = snapshot.position, snapshot.version
            self.states[stream_id] = snapshot.state
            return snapshot.state
        return callbacks.new(identity.type, identity.id)

    def _borne_out(self, snapshot: Snapshot) -> bool:
        position = snapshot.position
        if position not in self._marks:
            self._marks[position] = event_at(self._event_store, position)
        mark = self._marks[position]
        return mark is not None and mark.event_id == snapshot.event_id


def event_at(event_store: Any, position: int) -> RecordedEvent | None:
    """The event at a position among all events; None where there is none."""
    event: RecordedEvent | None = next(iter(event_store.stream(ALL, start_version=position)), None)
    return event if event is not None and event.position == position else None


def _classes(types: Any) -> Iterable[type]:
    """The aggregates' classes, once it is clear that they are some."""
    listed = list(types) if isinstance(types, Iterable) and not isinstance(types, type) else [types]
    if isinstance(types, type) or not all(isinstance(cls, type) for cls in listed):
        raise InvalidModel(
            f"the aggregates are given as a list of their classes, as in [BankAccount]; found {types!r}"
        )
    return listed


def id_of(cls: type, stream_id: str) -> Any:
    """The id in a stream id, as the type that the aggregate's ``new`` is annotated with takes it.

    A stream id is a text; so where ``new`` says that it takes an int or a UUID, it gets one.
    """
    written = Identity.parse(stream_id).id
    new: Any = getattr(cls, "new", None)
    try:
        hints = get_type_hints(getattr(new, "__func__", new))
    except NameError:  # a type that is only there for the type checker tells nothing
        return written
    wanted = next((hint for name, hint in hints.items() if name != "return"), None)
    if wanted is not int and wanted is not UUID:
        return written
    try:
        return wanted(written)
    except ValueError as error:
        raise InvalidModel(
            f"{cls.__name__}.new takes a {wanted.__name__}, but the id in {stream_id!r} is none: {written!r}"
        ) from error

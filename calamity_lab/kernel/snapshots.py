"""Snapshots: states kept beside the events, so that a long history need not be applied from its beginning.

A snapshot is never trusted over the events: it says after which event it was taken, and where the event store
has another one there, or none, it is left aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from calamity_lab.kernel.table import Table


class Snapshot(NamedTuple):
    """The state of an aggregate, or of a process manager instance, after one event.

    ``version`` counts the events that it has taken in. ``position`` and ``event_id`` tell the event: the last
    of an aggregate's own; for an instance the last that its type was handed.
    """

    stream_id: str
    version: int
    position: int
    event_id: str
    state: Any


@runtime_checkable
class SnapshotStore(Protocol):
    """Keeps the latest snapshot of each stream id."""

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of that aggregate or instance, a ``cls``; None where there is none that fits."""
        ...

    def put(self, snapshot: Snapshot) -> SnapshotStore:
        """The store with that snapshot, unless it has a later one."""
        ...


class InMemorySnapshotStore:
    """Snapshots in a persistent map, as a value."""

    __slots__ = ("_held",)

    def __init__(self, snapshots: Iterable[Snapshot] = ()) -> None:
        self._held = Table({snapshot.stream_id: snapshot for snapshot in snapshots})

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of that stream id, where its state is of that class."""
        snapshot: Snapshot | None = self._held.get(stream_id)
        return snapshot if snapshot is not None and snapshot.state.__class__ is cls else None

    def put(self, snapshot: Snapshot) -> InMemorySnapshotStore:
        """The store with that snapshot, unless it has a later one."""
        known = self._held.get(snapshot.stream_id)
        if known is not None and known.position > snapshot.position:
            return self
        store = InMemorySnapshotStore()
        store._held = self._held.insert(snapshot.stream_id, snapshot)
        return store

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"InMemorySnapshotStore({len(self):,} snapshots)"

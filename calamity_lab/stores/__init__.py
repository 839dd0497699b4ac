"""Where effects live: stores that outlast a notebook, by the protocols that the in-memory ones follow.

Every name loads its module when it is first used, and a module the driver that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from calamity_lab.kernel import lazily

if TYPE_CHECKING:
    from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore
    from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
    from calamity_lab.stores.actors.cluster import ClusterActors, ClusterStackActor
    from calamity_lab.stores.actors.placement import HeldEventStore, one_for_all, one_for_each, whereabouts
    from calamity_lab.stores.actors.stack_actor import StackActor
    from calamity_lab.stores.actors.threads import ThreadActors
    from calamity_lab.stores.overlay import OverlayEventStore
    from calamity_lab.stores.serializer.names import UnknownEvent, UnreadableEvent
    from calamity_lab.stores.serializer.serializer import Serializer
    from calamity_lab.stores.sql.event_store import SQLEventStore
    from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
    from calamity_lab.stores.workers import DeadlineWorker, ProcessManagerWorker, ProjectionWorker

_HOMES = {
    "kernel.recovery": "rebuild recover take_snapshots",
    "kernel.in_memory_stores": "InMemorySnapshotStore",
    "stores.actors": (
        "ClusterActors ClusterStackActor HeldEventStore StackActor ThreadActors "
        "one_for_all one_for_each whereabouts"
    ),
    "stores.overlay": "OverlayEventStore",
    "stores.serializer": "Serializer UnknownEvent UnreadableEvent",
    "stores.sql": "SQLEventStore SQLSnapshotStore",
    "stores.workers": "DeadlineWorker ProcessManagerWorker ProjectionWorker",
}

__all__ = [
    "ClusterActors",
    "ClusterStackActor",
    "DeadlineWorker",
    "HeldEventStore",
    "InMemorySnapshotStore",
    "OverlayEventStore",
    "ProcessManagerWorker",
    "ProjectionWorker",
    "SQLEventStore",
    "SQLSnapshotStore",
    "Serializer",
    "StackActor",
    "ThreadActors",
    "UnknownEvent",
    "UnreadableEvent",
    "one_for_all",
    "one_for_each",
    "rebuild",
    "recover",
    "take_snapshots",
    "whereabouts",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return list(__all__)

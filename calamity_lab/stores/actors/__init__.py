"""Actors that hold a stack, or its aggregates and process manager instances: in threads, or on a cluster.

Every name loads its module when it is first used, and a module the library that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from calamity_lab.kernel import lazily

if TYPE_CHECKING:
    from calamity_lab.stores.actors.cluster import ClusterActors, ClusterStackActor
    from calamity_lab.stores.actors.placement import HeldEventStore, one_for_all, one_for_each, whereabouts
    from calamity_lab.stores.actors.stack_actor import StackActor
    from calamity_lab.stores.actors.threads import ThreadActors

_HOMES = {
    "stores.actors.cluster": "ClusterActors ClusterStackActor",
    "stores.actors.placement": "HeldEventStore one_for_all one_for_each whereabouts",
    "stores.actors.stack_actor": "StackActor",
    "stores.actors.threads": "ThreadActors",
}

__all__ = [
    "ClusterActors",
    "ClusterStackActor",
    "HeldEventStore",
    "StackActor",
    "ThreadActors",
    "one_for_all",
    "one_for_each",
    "whereabouts",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return list(__all__)

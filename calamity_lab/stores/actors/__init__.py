"""Actors that hold a stack, or its aggregates and process manager instances: in threads, or on a cluster.

Every name loads its module when it is first used, and a module the library that it needs.
"""

from __future__ import annotations

from calamity_lab.loading import lazily

_HOMES = {
    "stores.actors.cluster": "ClusterActors",
    "stores.actors.cluster_stack_actor": "ClusterStackActor",
    "stores.actors.held_event_store": "HeldEventStore",
    "stores.actors.shapes": "one_for_all one_for_each whereabouts",
    "stores.actors.stack_actor": "StackActor",
    "stores.actors.threads": "ThreadActors",
}

__all__ = [  # noqa: F822 - loaded when used
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

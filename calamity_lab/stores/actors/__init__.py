"""Actors that hold a stack, or its aggregates and process manager instances: in threads, or on a cluster.

Every name loads its module when it is first used, and a module the library that it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF = {
    "ClusterActors": "cluster",
    "ClusterStackActor": "cluster_stack_actor",
    "HeldEventStore": "held_event_store",
    "StackActor": "stack_actor",
    "ThreadActors": "threads",
    "one_for_all": "shapes",
    "one_for_each": "shapes",
    "whereabouts": "shapes",
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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'calamity_lab.stores.actors' has no attribute {name!r}")
    value = getattr(import_module(f"calamity_lab.stores.actors.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

"""What tests of event-sourced systems need: suites for whoever writes a store, and a throwaway PostgreSQL.

Each name loads its module, and with it pytest or a server's wheel, when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calamity_lab.errors import MissingExtra

if TYPE_CHECKING:
    from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
    from calamity_lab.testing.event_store_conformance import EventStoreConformance
    from calamity_lab.testing.postgres import PostgresServer, temporary_postgres
    from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance

_HOME_OF = {
    "AggregateStoreConformance": "aggregate_store_conformance",
    "EventStoreConformance": "event_store_conformance",
    "PostgresServer": "postgres",
    "ProcessManagerStoreConformance": "process_manager_store_conformance",
    "temporary_postgres": "postgres",
}

__all__ = [
    "AggregateStoreConformance",
    "EventStoreConformance",
    "PostgresServer",
    "ProcessManagerStoreConformance",
    "temporary_postgres",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'calamity_lab.testing' has no attribute {name!r}")
    try:
        module = import_module(f"calamity_lab.testing.{home}")
    except ModuleNotFoundError as error:
        if error.name not in ("hypothesis", "pytest"):
            raise
        raise MissingExtra(f"{name}, a suite for tests,", error.name, "testing") from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

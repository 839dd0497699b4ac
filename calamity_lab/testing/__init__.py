"""For your tests: scenarios of a model, suites for stores that you write, a temporary PostgreSQL server.

Writing your own store? Subclass the conformance suites and you get their tests.

Each name loads its module, and with it pytest or a server's wheel, when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calamity_lab.errors import MissingExtra
from calamity_lab.kernel import lazily

if TYPE_CHECKING:
    from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
    from calamity_lab.testing.event_store_conformance import EventStoreConformance
    from calamity_lab.testing.postgres import PostgresServer, temporary_postgres
    from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance
    from calamity_lab.testing.random_commands import commands_of, machine_of
    from calamity_lab.testing.scenarios import Given, Scenario, given

_HOMES = {
    "testing.aggregate_store_conformance": "AggregateStoreConformance",
    "testing.event_store_conformance": "EventStoreConformance",
    "testing.postgres": "PostgresServer temporary_postgres",
    "testing.process_manager_store_conformance": "ProcessManagerStoreConformance",
    "testing.random_commands": "commands_of machine_of",
    "testing.scenarios": "Given Scenario given",
}

__all__ = [
    "AggregateStoreConformance",
    "EventStoreConformance",
    "Given",
    "PostgresServer",
    "ProcessManagerStoreConformance",
    "Scenario",
    "commands_of",
    "given",
    "machine_of",
    "temporary_postgres",
]


_load = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if error.name not in ("hypothesis", "pytest"):
            raise
        raise MissingExtra(f"calamity_lab.testing.{name}", error.name, "testing") from error


def __dir__() -> list[str]:
    return list(__all__)

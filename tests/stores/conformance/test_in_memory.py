"""The kernel's own stores, values and all, keep to the suites: they are the model that others follow."""

from __future__ import annotations

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore, InMemoryProcessManagerStore
from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
from calamity_lab.testing.event_store_conformance import EventStoreConformance
from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance


class TestInMemoryEventStore(EventStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> InMemoryEventStore:
        return InMemoryEventStore()


class TestInMemoryAggregateStore(AggregateStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> InMemoryAggregateStore:
        return InMemoryAggregateStore()


class TestInMemoryProcessManagerStore(ProcessManagerStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> InMemoryProcessManagerStore:
        return InMemoryProcessManagerStore()

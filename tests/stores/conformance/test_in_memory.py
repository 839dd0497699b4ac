"""The kernel's own stores, values and all, keep to the suites: they are the model that others follow."""

from __future__ import annotations

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.testing.event_store_conformance import EventStoreConformance


class TestInMemoryEventStore(EventStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> InMemoryEventStore:
        return InMemoryEventStore()

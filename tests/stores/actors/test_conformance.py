"""The stores over actors keep to the suites for stores, in every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.placement import HeldEventStore, one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
from calamity_lab.testing.event_store_conformance import EventStoreConformance
from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance

Shape = Callable[[Stack, Any], Stack]


class InThreads:
    """Each store has actors of its own, which are closed with it."""

    shape: ClassVar[tuple[Shape]]

    def stack(self) -> Stack:
        self.actors = ThreadActors()
        return self.shape[0](Stack(), self.actors)

    def close(self, store: Any) -> None:
        self.actors.close()


class TestAllAggregatesInOne(InThreads, AggregateStoreConformance):
    shape = (one_for_all,)

    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack().aggregates


class TestAnActorForEachAggregate(InThreads, AggregateStoreConformance):
    shape = (one_for_each,)

    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack().aggregates


class TestAllInstancesInOne(InThreads, ProcessManagerStoreConformance):
    shape = (one_for_all,)

    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack().process_managers


class TestAnActorForEachInstance(InThreads, ProcessManagerStoreConformance):
    shape = (one_for_each,)

    def new_store(self, types: tuple[type, ...]) -> Any:
        return self.stack().process_managers


class TestHeldEventStore(EventStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> Any:
        return HeldEventStore()

    def reopen(self, store: Any) -> Any:
        return store

    def writers(self, store: Any, count: int) -> Any:
        return [store] * count

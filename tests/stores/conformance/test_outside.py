"""Stores that change in place keep to the same suites as those that are values."""

from __future__ import annotations

from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
from calamity_lab.testing.event_store_conformance import EventStoreConformance
from tests.kernel.outside import OutsideAggregates, OutsideEvents


class TestOutsideEvents(EventStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> OutsideEvents:
        return OutsideEvents()


class TestOutsideAggregates(AggregateStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> OutsideAggregates:
        return OutsideAggregates()

"""Stores that change in place keep to the same suites as those that are values."""

from __future__ import annotations

from calamity_lab.testing.event_store_conformance import EventStoreConformance
from tests.kernel.outside import OutsideEvents


class TestOutsideEvents(EventStoreConformance):
    def new_store(self, types: tuple[type, ...]) -> OutsideEvents:
        return OutsideEvents()

"""Events and snapshots in an SQL database: one schema for every kind, chosen by URL."""

from __future__ import annotations

from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from calamity_lab.stores.sql.subscription import Subscription

__all__ = ["SQLEventStore", "SQLSnapshotStore", "Subscription"]

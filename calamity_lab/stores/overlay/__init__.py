"""A real event store with a lab's events on top: `OverlayEventStore`."""

from calamity_lab.stores.overlay.committing import Commit
from calamity_lab.stores.overlay.event_store import OverlayEventStore

__all__ = ["Commit", "OverlayEventStore"]

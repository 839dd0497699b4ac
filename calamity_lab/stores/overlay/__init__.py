"""A real event store with a lab's events on top: `OverlayEventStore`."""

from calamity_lab.stores.overlay.event_store import Commit, OverlayEventStore

__all__ = ["Commit", "OverlayEventStore"]

"""Messages and states as JSON that a person can query, and back."""

from calamity_lab.stores.serializer.names import UnknownEvent, UnreadableEvent
from calamity_lab.stores.serializer.serializer import Serializer

__all__ = ["Serializer", "UnknownEvent", "UnreadableEvent"]

"""Messages and states as JSON that a person can query, and back."""

from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.serializer.unknown import UnknownEvent, UnreadableEvent

__all__ = ["Serializer", "UnknownEvent", "UnreadableEvent"]

"""What is known about an event besides its fields, as JSON: much the same for most events."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

from calamity_lab.kernel.metadata import NOTHING, Metadata
from calamity_lab.stores.serializer.codec import TYPE, Codec, Json, Misfit
from calamity_lab.stores.serializer.plan import written

_FROZEN = frozenset({str, int, bool, NoneType})
_MANY = 1000


class MetadataTexts:
    """Writes metadata as JSON, and reads it; what is read again and again is shared."""

    def __init__(self, untyped: Codec) -> None:
        self._untyped = untyped
        self._known: dict[Json, Metadata] = {}

    def write(self, metadata: Mapping[str, Any]) -> str:
        """The metadata as a JSON object."""
        plain = dict(metadata)
        if TYPE in plain or not _FROZEN.issuperset(map(type, plain.values())):
            return written(self._untyped.write(plain))
        return written(plain)

    def read(self, text: Json) -> Metadata:
        """The metadata that was written so."""
        known = self._known.get(text)
        if known is not None:
            return known
        found = self._untyped.read(text)
        if not isinstance(found, dict):
            raise Misfit("metadata is an object")
        metadata = Metadata(found) if found else NOTHING
        if _FROZEN.issuperset(map(type, found.values())):
            self._remember(text, metadata)
        return metadata

    def _remember(self, text: Json, metadata: Metadata) -> None:
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[text] = metadata
